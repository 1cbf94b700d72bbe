"""What accounts are called: one spelling for each id, and which ids a person cannot tell apart.

Blanks and invisible characters round an id come from spreadsheets, exports and copying, not from the platform. They are
taken off, and letters with marks are brought to one form of Unicode (NFC). What is invisible *within* an id stays: it
may be a name of Persian, an emoji, or somebody's trick, and two such accounts must not become one. They are told as
lookalikes instead.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from unicodedata import is_normalized, normalize

if TYPE_CHECKING:
    from collections.abc import Iterable

_ASCII_BLANKS = "\t\n\v\f\r "

BLANKS = (
    _ASCII_BLANKS
    + "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
    + "\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    + "".join(map(chr, range(0x2060, 0x2070)))
    + "\ufeff"
)
"""What is taken off the ends of an id: all of Unicode's White_Space, and of its Default_Ignorable_Code_Point the format
characters: soft hyphen, zero-width space, joiners and marks of direction, byte order mark. Of the others, variation
selectors and tags make emojis, and Hangul fillers are letters."""

_BLANK = frozenset(BLANKS)

_IGNORABLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Default_Ignorable_Code_Point: what prints as nothing."""

_LATIN = str.maketrans(
    "авекмнорстухіјѕһӏԁԛԝѵүѡ" + "αβγεζηικμνορτυχω" + "ıɑɡ",
    "abekmhopctyxijshldqwvyw" + "abyezhikmvoptuxw" + "iag",
)
"""Small letters of Cyrillic and Greek that print like Latin ones, small or as capitals."""


def account_id(text: str) -> str:
    """The one spelling of an account's id: in NFC, without blanks and invisible characters at its ends.

    An id that is nothing else stays as it is. The catalog holds ids so spelt: changing this takes a step of migration.
    """
    if text.isascii():
        return text.strip(_ASCII_BLANKS) or text
    composed = text if is_normalized("NFC", text) else normalize("NFC", text)
    return composed.strip(BLANKS) or text


def is_blank(account: str) -> bool:
    """Whether an id, as :func:`account_id` spells it, is nothing but blanks and invisible characters."""
    return not account or account[0] in _BLANK


def account_look(account: str) -> str:
    """What is equal for ids that a person cannot tell apart.

    Equal are ids that differ in capitals, in what is compatible by Unicode (NFKC: wide and mathematical letters), in
    invisible characters, or by Cyrillic and Greek letters that look Latin. Letters of other scripts, digits like
    letters (0 and O, 1 and l) and pairs like letters (rn and m) are told apart.
    """
    if account.isascii():
        return account.lower()
    visible = _IGNORABLE.sub("", normalize("NFKC", account))
    return normalize("NFC", normalize("NFKD", visible.casefold()).translate(_LATIN)).strip(BLANKS)


def account_look_hash(account: str) -> int:
    """64 bits of :func:`account_look`, signed: no account can be read from what is kept of its looks."""
    digest = hashlib.blake2b(account_look(account).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def lookalikes(accounts: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Those of different ids that look alike, in sets of two or more; sets and ids in the order they came."""
    alike: dict[str, dict[str, None]] = {}
    for account in accounts:
        alike.setdefault(account_look(account), {})[account] = None
    return tuple(tuple(some) for some in alike.values() if len(some) > 1)
