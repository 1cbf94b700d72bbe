"""A drawn world, and what is true of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgmatch.model.rings import Ring


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Accounts that were drawn to try imgmatch on.

    Attributes:
        manifest: the file to scan.
        index: where an index of it may lie.
        planted: the accounts of each planted ring, those the photos were stolen from included.
        suspect: an edited copy of a stolen photo, to be checked.
        suspect_account: the account that had the suspect's photo first.
    """

    manifest: Path
    index: Path
    planted: tuple[frozenset[str], ...]
    suspect: Path
    suspect_account: str

    def found(self, rings: Iterable[Ring]) -> int:
        """How many planted rings came back with exactly their accounts."""
        found = {frozenset(member.account for member in ring.accounts) for ring in rings}
        return sum(accounts in found for accounts in self.planted)
