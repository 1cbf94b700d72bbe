"""Banks under the names that HMA has for them: capitals, digits and underscores."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from imgmatch.catalog.banks import OWN_BANKS
from imgmatch.errors import NotFoundError
from imgmatch.web.hma.answers import abort, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from imgmatch.actions.banks import Banks
    from imgmatch.model import Bank

MOST_NAME = 100

_NAME = re.compile("[A-Z_][A-Z0-9_]*")
_OTHER = re.compile("[^A-Z0-9_]")


def hma_name(name: str) -> str:
    """The name of a bank as HMA clients see it: ``known-stolen`` is ``KNOWN_STOLEN``."""
    found = _OTHER.sub("_", name.upper())
    return found if _NAME.fullmatch(found) else f"_{found}"


def refuse_bad_name(name: object) -> str:
    """A name for a bank that an HMA client makes.

    Raises:
        HTTPException: it is none.
    """
    if not isinstance(name, str) or len(name) > MOST_NAME or _NAME.fullmatch(name) is None:
        abort(400, f"a bank's name is capitals, digits and underscores, up to {MOST_NAME}: not {shown(name)}")
    return name


def find_bank(banks: Banks, name: str, what: str = "bank") -> Bank:
    """The bank that goes by this name here: its own, or what its own becomes.

    Raises:
        HTTPException: there is none; ``what`` is said not to be found.
    """
    if _NAME.fullmatch(name) is None:
        abort(404, f"{what} {shown(name)} not found")
    try:
        return banks.get(name)
    except NotFoundError:
        found = next((one for one in banks.all() if hma_name(one.name) == name), None)
    if found is None:
        abort(404, f"{what} {shown(name)} not found")
    return found


def own_bank(banks: Banks, name: str) -> Bank:
    """Likewise, to change it: only one whose own name is of HMA's form.

    Raises:
        HTTPException: there is none, or it was made with imgmatch's own commands.
    """
    bank = find_bank(banks, name)
    if bank.name != name:
        abort(
            403, f"bank {name} is {bank.name}, which can be read here and is changed by imgmatch's own commands alone"
        )
    return bank


def is_taken(banks: Iterable[Bank], name: str) -> bool:
    """Whether a bank goes by this name here, or one will that decisions fill."""
    return name in map(hma_name, (*OWN_BANKS, *(bank.name for bank in banks)))


def asked_banks(said: str | None) -> Collection[str] | None:
    """The names of a list such as ``A,B``; ``None`` is every bank."""
    return set(said.split(",")) if said else None
