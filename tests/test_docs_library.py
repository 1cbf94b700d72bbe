from __future__ import annotations

import doctest
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import photos
import pytest
from PIL import ImageOps

import imgmatch

if TYPE_CHECKING:
    from typing import Any


PAGE = Path(__file__).resolve().parents[1] / "docs" / "library.md"
MANIFEST = """account,photo,seen_at
lena,copies/lena.jpg,2026-01-03
anna,copies/anna.jpg,2026-01-05
kate,copies/kate.jpg,2026-01-09
"""
RING = {"ring": "r1", "accounts": [{"account": "tom"}, {"account": "tim"}], "groups": []}
PAIRS = "query,stored,copy\nsuspect.jpg,photos/mia/1.jpg,yes\nsuspect.jpg,photos/tom/1.jpg,no\n"


def draw(folder: Path) -> None:
    """The photos that the page says are there."""
    mia, tom = photos.picture(1), photos.picture(2)
    photos.write_accounts(folder / "photos", {"mia": {"1.jpg": mia}, "tom": {"1.jpg": tom}})
    for name, day in (("mia", 1_700_000_000), ("tom", 1_710_000_000)):
        os.utime(folder / "photos" / name / "1.jpg", (day, day))
    (folder / "copies").mkdir()
    for name, quality in (("lena", 60), ("anna", 40), ("kate", 20)):
        (folder / "copies" / f"{name}.jpg").write_bytes(photos.jpeg(mia, quality))
    (folder / "suspect.jpg").write_bytes(photos.jpeg(ImageOps.mirror(mia), 50))
    (folder / "broken.jpg").write_bytes(b"junk")
    (folder / "manifest.csv").write_text(MANIFEST)
    (folder / "pairs.csv").write_text(PAIRS)
    (folder / "old-reports").mkdir()
    (folder / "old-reports" / "march.json").write_text(json.dumps([RING]))


def examples() -> doctest.DocTest:
    """The examples of the page, as one session."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```pycon\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))
    return doctest.DocTestParser().get_doctest(blocks, {}, PAGE.name, str(PAGE), 0)


@pytest.mark.slow
def test_every_example_gives_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path)
    monkeypatch.chdir(tmp_path)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    failed, tried = runner.run(examples(), out=said.append, clear_globs=False)
    assert tried > 30
    assert failed == 0, "".join(said)


def test_the_page_shows_every_verb_of_the_index_and_every_function() -> None:
    shown = " ".join(example.source for example in examples().examples)
    verbs = {name for name, value in vars(imgmatch.Index).items() if callable(value) and name[0] != "_"}
    functions = {name for name in imgmatch.__all__ if name.islower()}
    assert {name for name in verbs | functions if not re.search(rf"\b{name}\b", shown)} == set()


def test_a_verb_of_the_command_line_is_a_method_or_a_function_of_the_same_name() -> None:
    commands: dict[str, Any] = {"demo": imgmatch.draw_demo, "hash": imgmatch.hash_photos, "compare": imgmatch.compare}
    commands["source"] = imgmatch.Index.sources
    commands |= {"audit": imgmatch.Index.people, "user": imgmatch.Index.people, "serve": imgmatch.Client}
    commands["bank"] = imgmatch.Index.bank_lists
    from imgmatch.cli.main import COMMANDS  # noqa: PLC0415 -- the table alone

    assert {name for name in COMMANDS if name not in commands and not hasattr(imgmatch.Index, name)} == set()
