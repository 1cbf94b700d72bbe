from __future__ import annotations

from hearing import Heard

from imgmatch.model import Skipped, SkipReason
from imgmatch.progress import SILENT, ItemCount

SKIPPED = Skipped("1.jpg", SkipReason.MISSING, "it is not there")


def test_items_of_several_parts_are_counted_as_of_one() -> None:
    heard = Heard()
    count = ItemCount(heard, lambda: 7)
    for part in (3, 2):
        for done in range(1, part + 1):
            count.step("photos", done, part)  # the total of a part is not that of all
        count.end_part("photos")
    count.add("photos")
    assert [done for _, done, _ in heard.steps] == [1, 2, 3, 3, 4, 5, 5, 6]
    assert {(work, total) for work, _, total in heard.steps} == {("photos", 7)}


def test_an_item_between_two_of_a_part_is_counted_once() -> None:
    heard = Heard()
    count = ItemCount(heard)
    count.step("photos", 1)
    count.add("photos")
    count.step("photos", 2)
    assert heard.steps == [("photos", 1, None), ("photos", 2, None), ("photos", 3, None)]


def test_a_total_that_becomes_known_is_heard_at_the_next_step() -> None:
    heard, total = Heard(), list[int]()
    count = ItemCount(heard, lambda: total[0] if total else None)
    count.step("photos", 1)
    total.append(1)
    count.end_part("photos")
    assert heard.steps == [("photos", 1, None), ("photos", 1, 1)]


def test_skipped_photos_are_passed_on() -> None:
    heard = Heard()
    ItemCount(heard).skipped(SKIPPED)
    assert heard.skips == [SKIPPED]


def test_silence_takes_everything() -> None:
    SILENT.step("photos", 1)
    SILENT.skipped(SKIPPED)
