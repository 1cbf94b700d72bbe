"""Keys by which sites know each other's files: Ed25519, a private key in a file of its own and a public one in a line.

A private key is a PKCS #8 file in PEM, as OpenSSL writes them, that only its owner may read. A public key is one short
line, ``imgmatch-ed25519:`` and 44 letters, which can be sent in a message and read out over the telephone.
"""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import own_files, rooted
from imgmatch.errors import ConflictError, ImgmatchError, MissingExtraError, SourceError

if TYPE_CHECKING:
    from types import ModuleType

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PREFIX = "imgmatch-ed25519:"
"""By which a public key is known."""

SIGNATURE_BYTES = 64

_KEY_BYTES = 32
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P  # of the curve, RFC 8032
_MOST_FILE = 16_384  # a key takes some hundred bytes
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_BEGINS, _BEGINS_SEALED = b"-----BEGIN PRIVATE KEY-----", b"-----BEGIN ENCRYPTED PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a site's signatures are proved by; ``str`` gives its line.

    Attributes:
        raw: its 32 bytes.
    """

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _KEY_BYTES:
            raise ValueError(f"a public key has {_KEY_BYTES} bytes, not {len(self.raw)}")
        if _is_weak(self.raw):
            raise ValueError("this is no public key: anybody could sign in its name")

    def __str__(self) -> str:
        return PREFIX + base64.b64encode(self.raw).decode("ascii")

    @classmethod
    def parse(cls, line: str) -> PublicKey:
        """The key that stands in a line.

        Raises:
            ValueError: none does. What stands there is not repeated: it may be the private key, taken by mistake.
        """
        written = line.strip()
        if not written.startswith(PREFIX):
            private = " (it is a private key, which nobody else may see)" if "PRIVATE KEY" in written else ""
            raise ValueError(f"a public key begins with {PREFIX}{private}")
        try:
            raw = base64.b64decode(written.removeprefix(PREFIX).encode("ascii"), validate=True)
        except ValueError:
            raw = b""
        if base64.b64encode(raw).decode("ascii") != written.removeprefix(PREFIX) or len(raw) != _KEY_BYTES:
            raise ValueError(f"behind {PREFIX} stand 44 letters and digits as they were given, the last of them =")
        return cls(raw)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PublicKey:
        """The key that stands in a file, as its only line.

        Raises:
            SourceError: the file cannot be read, or holds something else.
        """
        data, _ = _contents(path)
        try:
            return cls.parse(data.decode("utf-8-sig"))
        except ValueError as error:
            raise SourceError(f"{os.fspath(path)}: {error}") from None

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether this signature of the message was made with the private key that belongs to this one.

        Raises:
            MissingExtraError: what proves signatures is not installed.
        """
        try:
            _ed25519().Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except ValueError:  # 32 bytes that no key has
            return False
        except _invalid_signature():
            return False
        return True


class SigningKey:
    """A private key. It is shown nowhere, not in errors and not by ``repr``."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        """Hold a key of ``cryptography``."""
        self._key = key
        self.public_key = PublicKey(key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"<SigningKey of {self.public_key}>"

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new one.

        Raises:
            MissingExtraError: what makes keys is not installed.
        """
        return cls(_ed25519().Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SigningKey:
        """Read a key that :meth:`write` has written, or OpenSSL (``openssl genpkey -algorithm ed25519``).

        Raises:
            MissingExtraError: what reads keys is not installed.
            SourceError: the file cannot be read, holds something else, or others may read it.
        """
        module, (data, mode) = _ed25519(), _contents(path)
        if os.name != "nt" and mode & _OTHERS:
            raise SourceError(
                f"{os.fspath(path)}: others may read or write this private key (mode {mode:04o}): "
                "make it 0600, and think about whether somebody has read it"
            )
        if data.lstrip().startswith(_BEGINS_SEALED):
            raise SourceError(f"{os.fspath(path)}: the private key is encrypted, which is not read here")
        key = _loaded(data) if data.lstrip().startswith(_BEGINS) else None
        if not isinstance(key, module.Ed25519PrivateKey):
            raise SourceError(f"{os.fspath(path)}: it is no private key of Ed25519 in PEM (PKCS #8)")
        return cls(key)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write it to a new file that only its owner may read.

        Raises:
            ConflictError: something is there already; no key is ever written over.
            ImgmatchError: the file cannot be written.
        """
        place = Path(path)
        try:
            descriptor = own_files.create(place, own_files.OWNERS_FILE)
        except FileExistsError:
            raise ConflictError(f"{place} is there already; a key is never written over another file") from None
        except OSError as error:
            raise ImgmatchError(f"{place}: the key cannot be written: {error.strerror or error}") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._pem())
        except OSError as error:
            place.unlink(missing_ok=True)
            raise ImgmatchError(f"{place}: the key cannot be written: {error.strerror or error}") from error

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes; always the same of the same message."""
        return self._key.sign(message)

    def _pem(self) -> bytes:
        from cryptography.hazmat.primitives import serialization as how  # noqa: PLC0415 -- an extra, which is there

        return self._key.private_bytes(how.Encoding.PEM, how.PrivateFormat.PKCS8, how.NoEncryption())


def public_key(given: str) -> PublicKey:
    """The public key that somebody has given: its line, or the path of a file that holds it.

    Raises:
        SourceError: it is neither.
    """
    if not given.strip().startswith(PREFIX):
        return PublicKey.read(given)
    try:
        return PublicKey.parse(given)
    except ValueError as error:
        raise SourceError(str(error)) from None


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 -- an extra
    except ImportError:
        raise MissingExtraError('signatures need cryptography: pip install "imgmatch[sharing]"') from None
    return ed25519


def _invalid_signature() -> type[Exception]:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 -- an extra, which is there

    return InvalidSignature


def _loaded(data: bytes) -> object:
    """The private key in a PEM file; ``None`` where that is none."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 -- an extra, which is there
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 -- likewise

    try:
        return load_pem_private_key(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _contents(path: str | os.PathLike[str]) -> tuple[bytes, int]:
    """What stands in a small file, and its mode: that of the file that is read, whatever the path leads to later."""
    try:
        with rooted.open_regular(Path(path)) as file:
            data, mode = file.read(_MOST_FILE + 1), os.fstat(file.fileno()).st_mode
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{os.fspath(path)}: the key cannot be read: {reason}") from None
    if len(data) > _MOST_FILE:
        raise SourceError(f"{os.fspath(path)}: it is no key, but a file of more than {_MOST_FILE:,} bytes")
    return data, stat.S_IMODE(mode)


def _is_weak(raw: bytes) -> bool:
    """Whether a key is one of the few points whose multiples go round in eight steps or fewer.

    With such a key there are signatures that fit every message. They are known by y alone: 1 and -1 (order 1 and 2), 0
    (order 4), and what doubles to y = 0: there x² = -y², so that the curve's equation becomes d·y⁴ + 2·y² = 1.
    """
    y = int.from_bytes(raw, "little") % (1 << 255) % _P
    return y * (y * y - 1) * (_D * y**4 + 2 * y * y - 1) % _P == 0
