"""An index whose home is a database, opened by several machines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import photos
import pytest
from counting import counted_transactions
from planting import DAY_ONE, Planter, shot, who
from postgresql_server import database_of

from imgmatch import registry
from imgmatch.actions import database
from imgmatch.catalog import times
from imgmatch.engines.publishing import PUBLICATION
from imgmatch.errors import (
    IndexNotFoundError,
    IndexReadOnlyError,
    IndexUnusableError,
    NotAnIndexError,
)
from imgmatch.index import Index
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from pathlib import Path

    from postgresql_server import Server

pytestmark = pytest.mark.sqlite


@pytest.fixture
def url(postgresql: Server) -> str:
    return postgresql.database()


class Machines:
    """Opens an index as another machine would: with engine files of its own."""

    def __init__(self, home: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self.folder, self._monkeypatch = home, folder, monkeypatch

    def open(self, name: str, *, create: bool = False) -> Index:
        self._monkeypatch.setenv(database.ENGINES, str(self.folder / name))
        self._monkeypatch.setattr("platform.node", lambda: name)
        return Index.open(self.home, create=create)


@pytest.fixture
def machines(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(url, tmp_path / "machines", monkeypatch)


def plant(index: Index, folder: Path) -> Planter:
    """Three accounts with one picture, and one with another."""
    folder.mkdir(exist_ok=True)
    planter = Planter(folder, index)
    for day, account in enumerate("abc"):
        planter.plant(account, photos.jpeg(shot(1), 60 + 10 * day), day)
    planter.plant("d", shot(2), 5)
    return planter


def matched(index: Index, photo: Path) -> list[str]:
    return sorted(match.photo.account for match in index.check(photo).matches)


@pytest.mark.slow
def test_what_one_machine_scans_another_finds(machines: Machines, tmp_path: Path) -> None:
    with machines.open("one", create=True) as one, machines.open("two") as two:
        assert one.name == f"postgresql://imgmatch@/{database_of(machines.home)}"
        assert one.path != two.path
        planter = plant(one, tmp_path / "photos")
        planter.scan()
        assert matched(two, planter.file("p000")) == ["a", "b", "c"]
        [ring] = two.rings().rings
        assert who(ring) == ["a", "b", "c"]
        assert one.rings().rings == (ring,) or list(one.rings().rings) == [ring]


@pytest.mark.slow
def test_a_question_is_two_transactions_and_a_batch_of_questions_as_many_as_one(
    machines: Machines, tmp_path: Path
) -> None:
    with machines.open("one", create=True) as index:
        planter = plant(index, tmp_path / "photos")
        planter.scan()
        every = [planter.file(f"p00{number}") for number in range(4)]  # of more photos other threads begin some
        index.check(every[0])
        with counted_transactions() as begun:
            assert len(index.check(every[0]).matches) == 3
        assert len(begun) == 2  # what there is to search; what was found
        with counted_transactions() as begun:
            assert [len(result.matches) for result in index.check_many(every[:3])] == [3, 3, 3]
        assert len(begun) == 3  # whether to compute features at all, before any photo is there


def test_what_is_made_of_it_stands_in_the_database(machines: Machines) -> None:
    machines_home = machines.home
    with Index.create(machines_home, hashers=("pdq",), engine="linear") as index:
        assert (index.status().hashers, index.status().engine) == (("pdq",), "linear")
    with machines.open("another") as index:
        assert (index.status().hashers, index.status().engine) == (("pdq",), "linear")


@pytest.mark.slow
def test_engine_files_of_a_machine_are_kept_and_found_again(machines: Machines, tmp_path: Path) -> None:
    with machines.open("one", create=True) as index:
        plant(index, tmp_path / "photos").scan()
        index.rebuild()
        status = index.status(verify=True)
        assert (status.snapshot, status.features_snapshot, status.damaged) == ("ok", "ok", 0)
    with machines.open("one") as index:
        assert index.status(verify=True) == status
    with machines.open("two") as index:
        assert (index.status().snapshot, index.status().generation) == ("missing", 0)
        index.catch_up()
        assert index.status(verify=True).features_snapshot == "ok"


@pytest.mark.slow
def test_a_database_put_back_from_an_older_copy_is_noticed(
    postgresql: Server, machines: Machines, tmp_path: Path
) -> None:
    with machines.open("one", create=True) as index:
        planter = plant(index, tmp_path / "photos")
        planter.scan()
        index.rebuild()
    name = database_of(machines.home)
    copy = postgresql.database(name)
    with machines.open("one") as index:
        planter.index = index
        planter.plant("e", shot(3), 6)
        planter.scan()
        index.rebuild()
    machines.home = copy
    with machines.open("one") as index:
        planter.index = index
        planter.drop("p004")
        planter.plant("f", shot(4), 7)
        planter.scan()
        assert matched(index, planter.file("p005")) == ["f"]
        assert index.status(verify=True).damaged == 0


@pytest.mark.slow
def test_an_erasure_says_which_machines_have_engine_files_that_are_to_be_written_anew(
    machines: Machines, tmp_path: Path
) -> None:
    with machines.open("one", create=True) as one, machines.open("two") as two:
        plant(one, tmp_path / "photos").scan()
        one.rebuild()
        two.rebuild()
        erased = one.erase(account="d")
        assert (erased.traces, erased.finished, erased.elsewhere) == (0, True, ("two",))
        two.catch_up()
        assert two.erase(account="c").elsewhere == ("one",)
        assert two.status(verify=True).features_snapshot == "ok"


@pytest.mark.slow
def test_status_says_which_machines_have_engine_files_and_how_far_each_is_behind(
    machines: Machines, tmp_path: Path
) -> None:
    with machines.open("one", create=True) as one, machines.open("two") as two:
        planter = plant(one, tmp_path / "photos")
        planter.scan()
        told = {place.machine: (place.behind, place.gone, place.is_here) for place in one.status().places}
        assert told == {"one": (0, 0, True), "two": (None, 0, False)}
        with one.parts.catalog.lease(one.parts.folder.noted_as(PUBLICATION)):
            assert [lease.name for lease in two.leases()] == [PUBLICATION]
        two.rebuild()
        one.erase(account="d")
        planter.plant("e", shot(3), 6)
        planter.scan()
        told = {place.machine: (place.behind, place.gone, place.is_here) for place in two.status().places}
        last = two.parts.search.extent().last
        assert told["one"] == (0, 0, False)
        behind, gone, is_here = told["two"]
        assert is_here
        assert gone == 3  # a fingerprint by each of two hashers, and the features
        header = two.parts.folder.header()
        assert header.snapshot is not None
        assert header.features is not None
        far = (last["fingerprints"] - header.snapshot.through, last["features"] - header.features.through)
        assert behind == max(far) > 0
        two.rebuild()
        assert {(place.behind, place.gone) for place in two.status().places} == {(0, 0)}


def test_what_a_kill_left_in_the_database_is_no_index_until_it_is_made(url: str) -> None:
    catalog = registry.open_catalog(url)
    catalog.migrate()
    catalog.close()
    with pytest.raises(IndexNotFoundError, match="there is no index in postgresql://"):
        Index.open(url)
    with Index.open(url, create=True) as index:
        assert index.counts()["photos"] == 0


def test_engine_files_of_something_else_are_not_taken(machines: Machines) -> None:
    with machines.open("one", create=True) as index:
        folder = index.path
    (folder / "index.json").write_text((folder / "index.json").read_text().replace('"flat"', '"linear"'))
    with pytest.raises(NotAnIndexError, match="engine files of something else"):
        machines.open("one")


@pytest.mark.slow
def test_a_place_that_nobody_opens_for_long_is_forgotten_and_makes_its_files_anew(
    machines: Machines, tmp_path: Path
) -> None:
    with machines.open("old", create=True) as index:
        planter = plant(index, tmp_path / "photos")
        planter.scan()
        index.rebuild()
        with index.parts.catalog.write() as session:
            session.sql.exec_driver_sql("UPDATE places SET opened_at = 0")
    with machines.open("new") as index:
        index.erase(account="d")
        with index.parts.catalog.read() as session:
            assert session.sql.exec_driver_sql("SELECT string_agg(machine, ' ') FROM places").scalar() == "new"
            ours = "SELECT 1 FROM places WHERE tombstones.kind LIKE '%%' || places.place"
            left = f"SELECT count(*) FROM tombstones WHERE NOT EXISTS ({ours})"
            assert session.sql.exec_driver_sql(left).scalar() == 0
    with machines.open("old") as index:
        assert matched(index, planter.file("p003")) == []
        assert index.status(verify=True).features_snapshot == "ok"


def test_who_may_only_read_checks_and_writes_nothing(postgresql: Server, machines: Machines, tmp_path: Path) -> None:
    with machines.open("one", create=True) as index:
        planter = plant(index, tmp_path / "photos")
        planter.scan()
    name = database_of(machines.home)
    postgresql.say(f"CREATE ROLE watching_{name} LOGIN", name)
    postgresql.say(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO watching_{name}", name)
    machines.home = machines.home.replace("imgmatch@", f"watching_{name}@")
    with machines.open("reader") as index:
        assert matched(index, planter.file("p000")) == ["a", "b", "c"]
        with pytest.raises(IndexReadOnlyError):
            index.add([NewPhoto.at(planter.file("p003"), account="z", seen_at=DAY_ONE)])


def test_who_has_a_ring_open_goes_by_the_clock_of_the_server(
    machines: Machines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machines.open("one", create=True) as one, machines.open("two") as two:
        plant(one, tmp_path / "photos").scan()
        [ring] = one.rings().rings
        one.reviews.open_review(ring.ring, "ana")
        # The clock of the other machine is a day ahead: by it, nobody would have the ring open any more.
        ahead = times.now() + 24 * 3_600_000_000
        for module in ("times", "session"):
            monkeypatch.setattr(f"imgmatch.catalog.{module}.now", lambda: ahead)
        assert two.reviews.open_review(ring.ring, "bob").reviewer == "ana"
        assert two.reviews.next_ring("bob") is None


def test_who_shares_it_with_whom_is_said_in_the_database(machines: Machines) -> None:
    machines.open("one", create=True).close()
    with pytest.raises(IndexReadOnlyError, match="GRANT"):
        Index.open(machines.home, share_with_group=True)


@pytest.mark.skipif(os.name != "posix", reason="modes of Unix")
def test_engine_files_are_for_their_owner_alone(machines: Machines) -> None:
    with machines.open("one", create=True) as index:
        assert index.path.stat().st_mode & 0o777 == 0o700


def test_a_home_that_is_no_url_of_a_database_is_refused() -> None:
    with pytest.raises(IndexUnusableError, match="no URL of a database"):
        Index.open("postgresql://db:port/photos")
