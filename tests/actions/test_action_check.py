"""Many photos checked at once: answers in the order of the photos, whatever is answered beside them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import photos
import pytest

from imgmatch.index import Index
from imgmatch.model import NamedPhoto, NewPhoto

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY = 45
"""More than two batches."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    folder = tmp_path_factory.mktemp("checked")
    with Index.create(folder / "index") as made:
        for seed in range(4):
            (folder / f"{seed}.jpg").write_bytes(photos.jpeg(photos.picture(seed, (160, 200))))
        made.add(NewPhoto.at(folder / f"{seed}.jpg", account=f"owner{seed}") for seed in range(4))
        yield made


def questions() -> list[NamedPhoto]:
    """Photos of four accounts in turn, and of nobody."""
    packed = [photos.jpeg(photos.picture(seed, (160, 200))) for seed in range(5)]
    return [NamedPhoto(f"question {number}", packed[number % 5]) for number in range(MANY)]


def owners(answer: object) -> list[str]:
    return [match.photo.account for match in getattr(answer, "matches", ())]


def answering() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("imgmatch-answers")]


@pytest.mark.slow
def test_answers_come_in_the_order_of_the_photos(index: Index) -> None:
    found = list(index.check_many(questions()))
    assert [answer.photo for answer in found] == [question.name for question in questions()]
    assert [owners(answer) for answer in found] == [
        [] if number % 5 == 4 else [f"owner{number % 5}"] for number in range(MANY)
    ]
    assert not answering()


@pytest.mark.slow
def test_who_takes_no_more_answers_leaves_no_thread_behind(index: Index) -> None:
    answers = index.check_many(questions())
    assert next(answers).photo == "question 0"
    close = getattr(answers, "close")  # noqa: B009 -- what is typed as an iterator is a generator
    close()
    assert not answering()


def test_what_breaks_off_the_photos_is_told(index: Index) -> None:
    def some() -> Iterator[NamedPhoto]:
        yield from questions()[:12]
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError, match="the source broke off"):
        list(index.check_many(some()))
    assert not answering()
