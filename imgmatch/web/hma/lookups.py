"""One lookup: bare PDQ values by their bits, and where the photo is at hand also what its features find."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from imgmatch.errors import ImgmatchError, ShardsMissingError
from imgmatch.matching.bank_hits import silenced
from imgmatch.model import NamedPhoto, Opinion, Purpose
from imgmatch.web.hma.names import hma_name
from imgmatch.web.hma.photos import PHOTO

if TYPE_CHECKING:
    from imgmatch.model import BankHit
    from imgmatch.web.service import Service

_LOGGER = logging.getLogger(__name__)
_UNKNOWN = "-"
_WHO = "imgmatch"


@dataclass(frozen=True, slots=True)
class Lookup:
    """What is looked up.

    Attributes:
        pdq: the hash, empty where the photo has none that means anything.
        banks: only these, as HMA calls them; ``None`` is all.
        photo: looked at as well, so that crops and mirrored copies are found; ``None`` where that is off.
    """

    pdq: str
    banks: Collection[str] | None
    photo: bytes | None = None

    def with_photo(self, photo: bytes | None) -> Lookup:
        """The same of a photo that is at hand."""
        return replace(self, photo=photo)

    def wants(self, hit: BankHit) -> bool:
        """Whether the bank is one of those that are asked for."""
        return self.banks is None or hma_name(hit.bank) in self.banks


@dataclass(frozen=True, slots=True)
class FoundContent:
    """An entry that was hit.

    Attributes:
        bank: as HMA calls it.
        entry: its number.
        distance: bits as text, or ``-`` where PDQ values do not tell.
    """

    bank: str
    entry: int
    distance: str

    def record(self) -> dict[str, Any]:
        """As HMA writes it."""
        return {"bank_content_id": self.entry, "distance": self.distance}


def found_by_bank(found: Iterable[FoundContent]) -> dict[str, list[dict[str, Any]]]:
    """As HMA writes what a lookup found."""
    banks: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        banks.setdefault(one.bank, []).append(one.record())
    return banks


def raw_hits(service: Service, asked: Lookup) -> list[FoundContent]:
    """All that a hash hits, entries of common banks among them, the nearest first."""
    hits = service.index.bank_lists.lookup(asked.pdq)
    return [_found(hit) for hit in hits if asked.wants(hit)]


def looked_up(service: Service, asked: Lookup) -> list[FoundContent]:
    """What a client is to heed: nothing of a common bank, which whoever asks would take for a match."""
    near = service.index.bank_lists.lookup(asked.pdq) if asked.pdq else ()
    hits = {hit.entry: hit for hit in near}
    if asked.pdq:
        _note(service, asked.pdq, near)
    if asked.photo is not None:
        result = service.index.check(NamedPhoto(PHOTO, asked.photo))
        if result.incomplete:  # HMA's form of an answer has no room to say so
            raise ShardsMissingError(f"no answer from {', '.join(result.incomplete)}: ask again in a minute")
        hits = {hit.entry: hit for hit in result.banks} | hits
    by_bits = {hit.entry for hit in near}
    heeded = [hit for hit in silenced(list(hits.values())) if hit.purpose is not Purpose.COMMON and asked.wants(hit)]
    heeded.sort(key=lambda hit: hit.entry not in by_bits)  # the order among these stays
    return [
        _found(hit) if hit.entry in by_bits else FoundContent(hma_name(hit.bank), hit.entry, _UNKNOWN) for hit in heeded
    ]


def _found(hit: BankHit) -> FoundContent:
    distance = _UNKNOWN if hit.evidence.distance is None else str(hit.evidence.distance)
    return FoundContent(hma_name(hit.bank), hit.entry, distance)


def _note(service: Service, pdq: str, hits: Iterable[BankHit]) -> None:
    """Count what entries hit, and put one that hits very much in quarantine."""
    banks = {hit.entry: hit.bank for hit in hits if hit.purpose is not Purpose.COMMON}
    for entry in service.hma.floods.note(pdq, banks):
        try:
            lists = service.index.bank_lists
            if lists.entry(banks[entry], entry).opinion is Opinion.CONFIRMED:
                continue  # a moderator has seen it
            why = f"more than {service.settings.flood_hashes} different hashes hit it within an hour"
            lists.quarantine(entry, by=_WHO, why=why)
            _LOGGER.warning("entry %d of bank %s is in quarantine: %s", entry, banks[entry], why)
        except ImgmatchError as error:  # the lookup itself has its answer
            _LOGGER.warning("entry %d of bank %s floods, and is not in quarantine: %s", entry, banks[entry], error)
