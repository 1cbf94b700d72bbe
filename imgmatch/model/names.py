"""Names of files that are not UTF-8, as text that can be stored, shown and sent; each has one of its own.

Python reads a byte that is no UTF-8 as a lone surrogate, which no database and no JSON takes.
"""

from __future__ import annotations

import re

_FOREIGN = re.compile("[\udc80-\udcff]")
_WRITTEN = re.compile(r"\\(?:x([89a-f][0-9a-f])|\\)")
_LOOKS_WRITTEN = re.compile(r"\\x[89a-f][0-9a-f]")
_LOW = 0xDC00
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def storable_name(name: str) -> str:
    r"""``name`` with bytes that are no UTF-8 as ``\xff``; all others are left as they are.

    In such a name, and in one that looks like it, each backslash stands twice: no two names become one.
    """
    if name.isascii() and "\\" not in name:
        return name
    if not _FOREIGN.search(name) and not _LOOKS_WRITTEN.search(name):
        return name
    doubled = name.replace("\\", "\\\\")
    return _FOREIGN.sub(lambda found: f"\\x{ord(found.group()) - _LOW:02x}", doubled)


def named_by(text: str) -> str:
    """The name that ``text`` was made of by :func:`storable_name`."""
    if not _LOOKS_WRITTEN.search(text):
        return text
    return _WRITTEN.sub(lambda found: chr(_LOW + int(found.group(1), 16)) if found.group(1) else "\\", text)


def is_text(data: bytes) -> bool:
    """Whether the beginning of a file, or of what is piped in, is text, such as a list of names: no photo is."""
    return bool(data.strip()) and not _NO_TEXT.search(data)
