"""An index is coded by the codebook that it was made with, from the photo to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import photos
import pytest
from planting import Planter, shot, who
from sqlalchemy import select

from imgmatch import registry
from imgmatch.catalog import schema
from imgmatch.cli.main import run
from imgmatch.errors import UnknownNameError
from imgmatch.features.record import unpack
from imgmatch.index import Index

if TYPE_CHECKING:
    from pathlib import Path

LARGE = "sift-4096x16-32x4-v1"


@pytest.mark.slow
@pytest.mark.parametrize("codebook", sorted(registry.CODEBOOKS))
def test_crops_are_found_and_tie_accounts_by_every_codebook(tmp_path: Path, codebook: str) -> None:
    with Index.create(tmp_path / "index", codebook=codebook) as index:
        assert index.status().codebook == codebook
        planter = Planter(tmp_path, index)
        original = photos.picture(1, (480, 600))
        planter.plant("a", original, 0)
        planter.plant("b", original.crop((60, 80, 430, 540)), 1)
        planter.plant("c", photos.picture(2, (480, 600)), 2)
        [ring] = planter.rings().rings
        assert who(ring) == ["a", "b"]
        crop = photos.jpeg(original.crop((20, 40, 400, 480)))
        assert sorted(match.photo.account for match in index.check(crop).matches) == ["a", "b"]
        index.rebuild()
        assert (index.status(verify=True).damaged, index.status().features_snapshot) == (0, "ok")
        with index.parts.catalog.read() as session:
            rows = session.sql.execute(select(schema.features.c.codebook, schema.features.c.record)).all()
    assert {name for name, _ in rows} == {codebook}
    lists = registry.codebook(codebook).lists
    highest = max(int(unpack(record, lists).lists.max()) for _, record in rows)
    assert lists / 4 < highest < lists


def test_a_codebook_that_is_not_known_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="no codebook is called 'mine'"):
        Index.create(tmp_path / "index", codebook="mine")
    assert not (tmp_path / "index").exists()


def test_a_scan_makes_an_index_of_the_codebook_and_refuses_another_one_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": shot(1)}})
    scan = ["scan", str(tmp_path / "photos"), "--index", str(tmp_path / "index"), "--workers", "1", "--quiet"]
    assert run([*scan, "--codebook", LARGE]) == 0
    assert run(scan) == 0
    assert run([*scan, "--codebook", registry.DEFAULT_CODEBOOK]) == 2
    assert f"coded by {LARGE}" in capsys.readouterr().err


def test_a_runner_that_is_not_known_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos.write_accounts(tmp_path / "photos", {"a": {"1.jpg": shot(1)}})
    scan = ["scan", str(tmp_path / "photos"), "--index", str(tmp_path / "index"), "--quiet"]
    assert run([*scan, "--runner", "smoke://signals"]) == 2
    assert "smoke" in capsys.readouterr().err


def test_rings_work_where_the_runner_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos.write_accounts(tmp_path / "photos", {account: {"1.jpg": shot(1)} for account in "ab"})
    index = ["--index", str(tmp_path / "index"), "--quiet"]
    assert run(["scan", str(tmp_path / "photos"), "--workers", "1", *index]) == 0
    capsys.readouterr()
    assert run(["rings", *index, "--format", "jsonl", "--runner", "in-process"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert run(["rings", *index, "--runner", "smoke://signals"]) == 2
    assert "smoke" in capsys.readouterr().err
