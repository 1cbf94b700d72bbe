from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgmatch import model
from imgmatch.model import ORIENTATIONS, CheckResult, Evidence, Kind, Match, NewPhoto, Photo, ScanResult, Status

NOON = datetime(2026, 1, 4, 12, tzinfo=UTC)
PHOTO = Photo("a17", "a17/1.jpg", "p1", "Lena", NOON)
MATCH = Match(PHOTO, Evidence(Kind.NEAR, 0.9, 12, mirrored=False, rotation=0))


def test_the_model_needs_the_standard_library_only() -> None:
    program = (
        "import sys, imgmatch.model\n"
        "strangers = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'imgmatch'}\n"
        "assert not any(name in strangers for name in ('numpy', 'click', 'sqlalchemy', 'PIL')), strangers\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_value_is_frozen_and_has_no_room_for_more() -> None:
    values = [value for value in vars(model).values() if inspect.isclass(value) and dataclasses.is_dataclass(value)]
    assert values
    for value in values:
        assert value.__dataclass_params__.frozen, value  # type: ignore[attr-defined]  # what dataclass() leaves there
        assert hasattr(value, "__slots__"), value


def test_there_are_eight_orientations_the_first_is_the_picture_as_it_is() -> None:
    assert len(set(ORIENTATIONS)) == 8
    assert (ORIENTATIONS[0].mirrored, ORIENTATIONS[0].rotation) == (False, 0)


def test_a_photo_added_by_path_has_the_same_id_on_every_run_and_from_every_folder(tmp_path: Path) -> None:
    photo = NewPhoto.at(tmp_path / "1.jpg", account="a")
    assert photo.photo_id == model.derived_photo_id("a", str(tmp_path / "1.jpg"))
    relative = NewPhoto.at("1.jpg", account="a")
    assert relative.path == Path.cwd() / "1.jpg"
    assert (relative.label, relative.photo_id) == ("1.jpg", NewPhoto.at(Path.cwd() / "1.jpg", account="a").photo_id)


def test_a_given_photo_id_is_kept() -> None:
    assert NewPhoto.at("1.jpg", account="a", photo_id="mine").photo_id == "mine"


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_a_derived_id_is_twenty_hexadecimal_digits(account: str, path: str) -> None:
    found = model.derived_photo_id(account, path)
    assert len(found) == 20
    assert int(found, 16) >= 0


def test_account_and_path_cannot_be_shifted_into_each_other() -> None:
    assert model.derived_photo_id("ab", "c") != model.derived_photo_id("a", "bc")


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        NewPhoto.at("1.jpg", account="a", seen_at=datetime(2026, 1, 1))  # noqa: DTZ001 -- the point


def test_a_result_iterates_over_its_matches_and_counts_them() -> None:
    result = CheckResult("q.jpg", Status.MATCH, accounts=1, matches=(MATCH,))
    assert (list(result), len(result)) == ([MATCH], 1)
    assert len(CheckResult("q.jpg", Status.NO_MATCH)) == 0


def test_photos_per_second_counts_all_that_were_looked_at_and_survives_no_time_at_all() -> None:
    assert ScanResult(1, 2, 3, 100, 4, seconds=2.0).photos_per_second == 5.0
    assert ScanResult(1, 0, 0, 0, 0, seconds=0.0).photos_per_second == 0.0
