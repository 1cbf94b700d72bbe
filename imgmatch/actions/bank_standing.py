"""What stands on a bank under a key while a list is imported: a row of it, a word of the list, or what is foreseen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from imgmatch.model import ListedHash

_GONE, _UNSAID = 0, np.iinfo(np.int64).min
_DIGEST_BYTES = 8


class Standing(Protocol):
    """What stands there."""

    @property
    def modified(self) -> int | None:
        """When the list changed it, in seconds since 1970, if it says."""
        ...

    def is_same(self, one: ListedHash) -> bool:
        """Whether a list says just that of it."""
        ...


def listed_columns(one: ListedHash) -> dict[str, Any]:
    """What a list says of an entry in words, as it is stored."""
    metadata = {f"opinion of {who}": what for who, what in one.opinions}
    return {
        "ref": one.ref,
        "note": one.note,
        "category": one.category,
        "tags": list(one.tags) or None,
        "uri": one.uri,
        "metadata": metadata or None,
    }


@dataclass(frozen=True, slots=True)
class RowStanding:
    """A row of ``known_entries``."""

    row: Any

    @property
    def modified(self) -> int | None:
        """As of :class:`Standing`."""
        return self.row.modified  # type: ignore[no-any-return]  # a column of whole numbers

    def is_same(self, one: ListedHash) -> bool:
        """As of :class:`Standing`."""
        if self.row.pdq != one.pdq or self.row.modified != one.modified:
            return False
        said = listed_columns(one)
        return tuple(self.row[-len(said) :]) == tuple(said.values())


@dataclass(frozen=True, slots=True)
class _Mark:
    modified: int | None
    digest: int

    def is_same(self, one: ListedHash) -> bool:
        return self.modified == one.modified and self.digest == _digest(one)


class Foreseen:
    """What a dry run would have changed so far: 32 bytes for each key, whatever stands there.

    Keys are kept as their first eight bytes: of ten million no two are alike but once in a hundred thousand lists.
    """

    def __init__(self) -> None:
        self._keys: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._digests: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._modified: NDArray[np.int64] = np.empty(0, np.int64)

    def of(self, keys: Collection[bytes]) -> dict[bytes, Standing | None]:
        """Of those of these keys that something was changed under, what stands there; ``None`` where nothing does."""
        if not len(self._keys):
            return {}
        ordered = list(keys)
        places, is_there = self._places(_short(ordered))
        found: dict[bytes, Standing | None] = {}
        for at in np.flatnonzero(is_there).tolist():
            digest, modified = int(self._digests[places[at]]), int(self._modified[places[at]])
            mark = _Mark(None if modified == _UNSAID else modified, digest)
            found[ordered[at]] = None if digest == _GONE else mark
        return found

    def note(self, wanted: Mapping[bytes, ListedHash | None]) -> None:
        """Take it that under each key this was written; ``None``: nothing stands there any more."""
        keys, order = np.unique(_short(list(wanted)), return_index=True)
        every = list(wanted.values())
        words = [every[at] for at in order.tolist()]
        digests = np.array([_GONE if one is None else _digest(one) for one in words], np.uint64)
        said = (None if one is None else one.modified for one in words)
        modified = np.array([_UNSAID if time is None else time for time in said], np.int64)
        places, is_there = self._places(keys)
        self._digests[places[is_there]], self._modified[places[is_there]] = digests[is_there], modified[is_there]
        new = ~is_there
        self._keys = np.insert(self._keys, places[new], keys[new])
        self._digests = np.insert(self._digests, places[new], digests[new])
        self._modified = np.insert(self._modified, places[new], modified[new])

    def _places(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where keys stand, or would, and whether they do."""
        places = np.searchsorted(self._keys, keys)
        is_there = np.zeros(len(keys), np.bool_)
        within = places < len(self._keys)
        is_there[within] = self._keys[places[within]] == keys[within]
        return places, is_there


def _short(keys: Collection[bytes]) -> NDArray[np.uint64]:
    return np.array([int.from_bytes(key[:8], "big") for key in keys], np.uint64)


def _digest(one: ListedHash) -> int:
    said = repr((one.pdq, *listed_columns(one).values())).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(said, digest_size=_DIGEST_BYTES).digest(), "big") or 1
