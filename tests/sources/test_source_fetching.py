from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.model import Fetched, NewPhoto, RemoteMetadata
from imgmatch.sources.fetching import MOST_WAITING, fetched_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.model.photos import Reserving


@dataclass(frozen=True)
class Item:
    photo: NewPhoto


class SlowFile:
    """A photo at a URL that is there once somebody says so."""

    lanes = 4

    def __init__(self) -> None:
        self.done: Future[Fetched] = Future()

    def look(self) -> Future[RemoteMetadata]:
        raise AssertionError("nobody asks")

    def fetch(self, reserved: Reserving | None = None) -> Future[Fetched]:
        del reserved
        return self.done


def test_photos_of_this_machine_do_not_pile_up_behind_one_that_is_on_its_way() -> None:
    slow, read = SlowFile(), 0

    def items() -> Iterator[Item]:
        nonlocal read
        yield Item(NewPhoto("a", slow, "far", "far"))
        for number in range(10 * MOST_WAITING):
            read += 1
            if read == MOST_WAITING:
                slow.done.set_result(Fetched(b"here", RemoteMetadata(4)))
            yield Item(NewPhoto("a", Path(f"{number}.jpg"), str(number), str(number)))

    got = fetched_ahead(items())
    first, fetched = next(got)
    assert (first.photo.label, isinstance(fetched, Fetched)) == ("far", True)
    assert read == MOST_WAITING
    assert [item.photo.label for item, _ in got] == [str(number) for number in range(10 * MOST_WAITING)]
