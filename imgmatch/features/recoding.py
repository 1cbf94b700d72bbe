"""A record of features written for another codebook, without its photo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.features.record import unpack, with_lists
from imgmatch.features.refined import RefinedCodebook

if TYPE_CHECKING:
    from imgmatch.features.codebook import Codebook


def can_recode(source: Codebook, target: Codebook) -> bool:
    """Whether records of ``source`` can be written for ``target`` with nothing lost: one refines the other."""
    return source.name == target.name or _refines(target, source) or _refines(source, target)


def recoded(record: bytes, source: Codebook, target: Codebook) -> bytes:
    """A record as ``pack`` would have written it with ``target``, byte for byte.

    Args:
        record: what ``pack`` wrote with ``source``.
        source: the codebook it is coded by.
        target: the codebook it is wanted in; see ``can_recode``.

    Raises:
        ValueError: the record is damaged, or there is no way from the one codebook to the other without the photo.
    """
    stored = unpack(record, source.lists)
    if source.name == target.name:
        return record
    if isinstance(target, RefinedCodebook) and _refines(target, source):
        return with_lists(record, target.refined(stored.lists, stored.codes))
    if isinstance(source, RefinedCodebook) and _refines(source, target):
        return with_lists(record, source.coarse(stored.lists))
    raise ValueError(f"codes of {source.name} say nothing in {target.name}: the photo is needed")


def _refines(one: Codebook, other: Codebook) -> bool:
    return isinstance(one, RefinedCodebook) and one.refines == other.name
