"""URLs of photos and manifests: which are read, how they are joined, and how they are shown."""

from __future__ import annotations

import posixpath
import re
from typing import NoReturn
from urllib.parse import SplitResult, quote, urlsplit

from imgmatch import registry
from imgmatch.errors import PhotoError
from imgmatch.model import SkipReason
from imgmatch.sources.base import CONTROL, is_utf8

WEB = ("http", "https")
SCHEMES = tuple(registry.STORES)

_URL = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9+.-]+):{1,2}//|data:)", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^/?#]*@")
_SECRETS = re.compile(
    r"(?<=[?&])((?:[^=&#]*(?:signature|credential|token|secret|passw|api-?_?key)[^=&#]*|sig|key|auth)=)[^&#]+",
    re.IGNORECASE,
)
_MASK = "…"


def is_url(text: str) -> bool:
    """Whether ``text`` is meant as a URL, of whatever kind; a Windows path with its drive is not."""
    return ":" in text and _URL.match(text) is not None


def shown_url(text: str) -> str:
    """``text`` without the name and password before its host, and without what signs its query."""
    return _SECRETS.sub(rf"\1{_MASK}", _USER.sub(f"{_MASK}@", text)) if "://" in text else text


def checked(text: str) -> str:
    """A URL that may be read, in normal form: scheme and host in small letters, without a fragment.

    Raises:
        PhotoError: it is of another kind, names no host, or holds a user name or a password.
    """
    text = text.strip()
    if CONTROL.search(text) or not is_utf8(text):
        _refuse("The URL holds control characters, or is not valid UTF-8.")
    try:
        parts = urlsplit(text)
        port = parts.port  # a ValueError if it is none
    except ValueError:
        _refuse("The URL cannot be understood.")
    if parts.scheme not in SCHEMES:
        _refuse(f"Of URLs only {', '.join(SCHEMES)} are read.")
    if "@" in parts.netloc:
        _refuse("The URL holds a user name or a password; give credentials by the environment.")
    if not parts.hostname or port == 0:
        _refuse("The URL names no host.")
    if parts.scheme not in WEB:
        # Keys are plain text: a question mark or a number sign in one means nothing.
        _, _, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        return f"{parts.scheme}://{bucket}/{key}"
    return SplitResult(parts.scheme, parts.netloc.lower(), parts.path or "/", parts.query, "").geturl()


def joined(base: str, path: str) -> str:
    """The URL of a photo named by ``path`` in a manifest at ``base``.

    ``path`` is a path as in a local manifest, not a URL: what has a meaning in URLs is escaped. It stays on the host,
    or in the bucket, however many ``..`` it has.
    """
    scheme, _, rest = base.partition("://")
    home, _, key = rest.partition("/")
    if scheme not in WEB:
        return f"{scheme}://{home}{_clean(posixpath.dirname(key), path)}"
    parts = urlsplit(base)
    # The folder of the manifest is a part of a URL already, and must not be escaped again.
    folder = posixpath.dirname(parts.path)
    return f"{scheme}://{parts.netloc}{_clean(folder, quote(path))}"


def _clean(folder: str, path: str) -> str:
    """``path`` as seen from ``folder``, never above the top. Two strokes in front would name another host."""
    return "/" + posixpath.normpath(posixpath.join("/" + folder, path)).lstrip("/")


def url_path(url: str) -> str:
    """The path of a URL, without its query."""
    return urlsplit(url).path if url.startswith("http") else "/" + url.partition("://")[2].partition("/")[2]


def _refuse(detail: str) -> NoReturn:
    raise PhotoError(SkipReason.REFUSED, detail)
