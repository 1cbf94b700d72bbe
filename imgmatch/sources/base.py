"""What every source is, and what all of them share: ids, names, and the guard round a root."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from imgmatch.errors import PhotoError, SourceError
from imgmatch.model import NewPhoto, Skipped, SkipReason, account_id, is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ID_CHARS = 1000
"""An account, a photo id or a name may be this long."""

SHOWN_CHARS = 200
"""Foreign text in a message is cut to this length."""

_HAS_PLAIN_PATHS = os.sep == "/"  # not on Windows, with its drives and its second separator

_NO_LETTER = ("", " ")

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Source(Protocol):
    """Photos on their way into an index, one after another, never all in memory.

    Every call of ``iter`` starts from the beginning. What cannot be used comes as a :class:`~imgmatch.model.Skipped`
    in its place, and the rest follows.
    """

    @property
    def key(self) -> str:
        """Absolute path of the source: its identity, by which photos that left it are found."""

    def __iter__(self) -> Iterator[NewPhoto | Skipped]: ...


@runtime_checkable
class Countable(Protocol):
    """A source that may know how many items it has before they are made; a source need not be one."""

    def to_count(self) -> Iterator[object] | None:
        """As many things as ``iter`` gives items, for a tenth of the trouble, and with nothing fetched or unpacked.

        It may be gone through in another thread than the items. ``None`` if it would be no quicker than those.
        """


def lexical(folder: str, path: str) -> str:
    """``path`` as seen from ``folder``: absolute, ``.`` and ``..`` taken out, symbolic links left as they are.

    Args:
        folder: absolute and in normal form.
        path: absolute, or relative to ``folder``.
    """
    # This runs once for every line of a manifest, and nearly all of them are in normal form as they stand.
    plain = path and path[0] not in "/." and path[-1] not in "/." and "//" not in path and "./" not in path
    if plain and _HAS_PLAIN_PATHS and folder != "/":
        return f"{folder}/{path}"
    return os.path.abspath(os.path.join(folder, path))  # noqa: PTH100, PTH118


def stem(name: str) -> str:
    """``name`` without its last suffix; alike in every Python version, which ``PurePath.stem`` is not."""
    return name.rpartition(".")[0] or name


def is_utf8(text: str) -> bool:
    """Whether ``text`` can be stored: a file name or JSON text may hold lone surrogates, which cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(text: str) -> str:
    """Foreign text made fit for a message: storable, one line, not too long."""
    text = text if len(text) <= SHOWN_CHARS else text[:SHOWN_CHARS] + "…"
    text = CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
    return text.encode(errors="backslashreplace").decode()


def account_problem(account: str) -> str | None:
    """What is wrong with ``account`` as an id, in one sentence; ``None`` if nothing is."""
    # Of what is printable only spaces are taken off, and nearly every id is quickly seen to be sound.
    if account.isprintable() and account[:1] not in _NO_LETTER and len(account) <= MAX_ID_CHARS:
        return None
    account = account_id(account)
    if is_blank(account):
        return "The account is empty."
    if len(account) > MAX_ID_CHARS:
        return f"The account is longer than {MAX_ID_CHARS} characters."
    if CONTROL.search(account):
        return f"The account holds control characters: {shown(account)}"
    return None


class PathGuard:
    """Keeps every file that is opened inside one folder, or lets all pass when there is no root.

    Args:
        root: the folder; ``None`` for no guard.

    Raises:
        SourceError: ``root`` is not a folder.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = None if root is None else _resolved_folder(root)

    def refuse_url(self) -> None:
        """See that URLs may be read.

        Raises:
            PhotoError: there is a root, and every URL leaves it.
        """
        if self.root is not None:
            raise PhotoError(SkipReason.REFUSED, f"The URL leaves the folder {shown(str(self.root))}")

    def admit(self, path: str) -> Path:
        """The path to open.

        Args:
            path: an absolute path; the file need not exist.

        Returns:
            ``path`` itself without a root. With a root, ``path`` with all symbolic links followed, so that the file
            that was checked is the file that is opened.

        Raises:
            PhotoError: the path leaves the root (``refused``), or cannot be followed (``unreadable``).
        """
        if self.root is None:
            return Path(path)
        try:
            resolved = Path(path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links, before Python 3.13
            raise PhotoError(SkipReason.UNREADABLE, f"The path cannot be followed: {shown(str(error))}") from error
        if not resolved.is_relative_to(self.root):
            raise PhotoError(SkipReason.REFUSED, f"The path leaves the folder {shown(str(self.root))}")
        return resolved


def _resolved_folder(root: Path) -> Path:
    try:
        resolved = root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceError(f"The root {shown(str(root))} cannot be used: {shown(str(error))}") from error
    if not resolved.is_dir():
        raise SourceError(f"The root {shown(str(root))} is not a folder.")
    return resolved
