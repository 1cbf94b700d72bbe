from __future__ import annotations

from pathlib import Path

import pytest

from imgmatch.errors import IndexDamagedError, IndexLockedError, NotAnIndexError
from imgmatch.homes import as_home, naming, without_secrets


@pytest.mark.parametrize(
    ("given", "home"),
    [
        ("index", Path("index")),
        (Path("/srv/index"), Path("/srv/index")),
        ("C:\\index", Path("C:\\index")),
        ("postgresql://db/photos", "postgresql://db/photos"),
        ("postgres://db/photos?sslmode=require", "postgresql://db/photos?sslmode=require"),
    ],
)
def test_a_folder_is_a_path_and_a_database_the_text_of_its_url(given: str | Path, home: Path | str) -> None:
    assert as_home(given) == home
    assert type(as_home(given)) is type(home)


def test_what_a_catalog_complains_of_names_the_index_once() -> None:
    with pytest.raises(NotAnIndexError, match=r"^index here: it is strange$"), naming("here"):
        raise NotAnIndexError("it is strange")
    with pytest.raises(IndexDamagedError, match=r"^index here: it is damaged$"), naming("here"):
        raise IndexDamagedError("index here: it is damaged")
    with pytest.raises(IndexLockedError, match=r"^busy$"), naming("here"):
        raise IndexLockedError("busy")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:secret@host:5432/name", "postgresql://me@host:5432/name"),
        ("postgresql://me:se@cret@host/name?sslmode=verify-full", "postgresql://me@host/name?sslmode=verify-full"),
        ("postgresql://me@/name?host=/tmp/a&password=secret&passfile=x", "postgresql://me@/name?host=/tmp/a"),
        ("postgresql://me@host/name?password=secret", "postgresql://me@host/name"),
        ("postgresql://host/name", "postgresql://host/name"),
    ],
)
def test_what_another_machine_is_told_of_a_database_has_no_password_and_all_else(url: str, told: str) -> None:
    assert without_secrets(url) == told
