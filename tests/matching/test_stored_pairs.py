"""Pairs of stored pictures, laid over each other by what the catalog keeps of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import photos
import pytest
from PIL import Image, ImageOps
from sqlalchemy import select

from imgmatch.catalog import schema
from imgmatch.catalog.features import FeatureRow, features_by_id, fingerprints_of_features
from imgmatch.demo.portraits import portrait
from imgmatch.describing.messages import Description, Job
from imgmatch.features import pair_model as rules
from imgmatch.index import Index
from imgmatch.matching.evidence import apart
from imgmatch.matching.stored_pairs import (
    LEAST_OUTLINED,
    NOWHERE,
    PairCandidate,
    PairJudge,
    StoredQuery,
    pair_model_name,
    stored_features,
    stored_query,
)
from imgmatch.model import NewPhoto
from imgmatch.registry import DEFAULT_CODEBOOK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.pair_scores import PairScore

WHOLE = portrait(11).resize((480, 600))
CROP = WHOLE.crop((60, 90, 440, 500))
TURNED = CROP.transpose(Image.Transpose.ROTATE_270)  # 90 degrees clockwise
MIRRORED = ImageOps.mirror(CROP)
BOTH = MIRRORED.transpose(Image.Transpose.ROTATE_270)
STRANGERS = [portrait(seed).resize((480, 600)) for seed in (12, 13)]
SHARE = 380 * 410 / (480 * 600)

# In this order their features are numbered: the whole picture comes after some of its copies and before others.
FILES = {"first": TURNED, "mirrored": MIRRORED, "whole": WHOLE, "both": BOTH, "crop": CROP} | {
    f"stranger{number}": picture for number, picture in enumerate(STRANGERS)
}


@dataclass(frozen=True)
class Kept:
    """What the catalog keeps of each picture, by its name."""

    index: Index
    folder: Path
    rows: dict[str, int]
    known: dict[int, FeatureRow]
    bits: dict[int, bytes]

    def asking(self, name: str, **changed: object) -> StoredQuery:
        row = self.rows[name]
        known = replace(self.known[row], **changed)  # type: ignore[arg-type]
        return stored_query(
            row,
            known,
            self.index.parts.hasher.estimated_orientations(np.frombuffer(self.bits[row], np.uint8)[None])[:, 0],
        )

    def claim(self, name: str, *, mirrored: bool, **changed: object) -> PairCandidate:
        row = self.rows[name]
        return PairCandidate(row, replace(self.known[row], **changed), self.bits[row], mirrored)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    folder = tmp_path_factory.mktemp("tying")
    with Index.create(folder / "index") as index:
        for name, picture in FILES.items():
            (folder / f"{name}.jpg").write_bytes(photos.jpeg(picture, 90))
            index.add([NewPhoto.at(folder / f"{name}.jpg", account=name)])
        with index.parts.catalog.read() as session:
            features, stored, accounts = schema.features.c, schema.photos.c, schema.accounts.c
            pictures = schema.photo_pictures.c
            query = (
                select(accounts.account, features.id)
                .join(schema.photos, stored.account_id == accounts.id)
                .join(schema.photo_pictures, pictures.photo_id == stored.id)
                .join(schema.features, features.pixels == pictures.pixels)
            )
            rows = {name: row for name, row in session.sql.execute(query)}  # noqa: C416 -- rows are not pairs
            known = features_by_id(session, rows.values())
            bits = fingerprints_of_features(session, index.parts.folder.header().hashers[0], rows.values())
        assert [rows[name] for name in FILES] == sorted(rows.values())
        yield Kept(index, folder, rows, known, bits)


def judged(kept: Kept, one: str, other: str, *, mirrored: bool) -> PairScore:
    asked, claim = kept.asking(one), kept.claim(other, mirrored=mirrored)
    (tie,) = PairJudge(DEFAULT_CODEBOOK).judge([(asked, [claim])])
    return tie


def score(tie: PairScore) -> float:
    return float(rules.shipped_for_pairs().probabilities(np.array([tie.log_odds]))[0])


@pytest.mark.parametrize(
    ("copy", "mirrored", "turn"), [("crop", False, 0), ("first", False, 90), ("mirrored", True, 0), ("both", True, 90)]
)
def test_a_tie_is_told_of_the_higher_picture_against_the_lower_one_whichever_was_asked_about(
    kept: Kept, copy: str, turn: int, *, mirrored: bool
) -> None:
    ties = [judged(kept, *names, mirrored=mirrored) for names in (("whole", copy), (copy, "whole"))]
    copy_is_higher = kept.rows[copy] > kept.rows["whole"]
    # The copy is turned clockwise; seen from the copy, the whole picture is turned back. Mirrored, both look alike.
    expected = turn if copy_is_higher or mirrored else -turn % 360
    for tie in ties:
        assert (tie.low, tie.high) == tuple(sorted((kept.rows["whole"], kept.rows[copy])))
        assert tie.mirrored == mirrored
        assert min((tie.rotation - expected) % 360, (expected - tie.rotation) % 360) <= 2
        of_copy, of_whole = tie.overlap_high, tie.overlap_low
        if not copy_is_higher:
            of_copy, of_whole = of_whole, of_copy
        assert of_copy == pytest.approx(1, abs=0.05)
        assert of_whole == pytest.approx(SHARE, abs=0.05)
        assert tie.agreement is not None
        assert tie.agreement > 0.8


@pytest.mark.parametrize("apart", [0, 8, 16, 24, 36])
def test_near_fingerprints_make_no_copies_of_pictures_that_share_nothing(kept: Kept, apart: int) -> None:
    """Laid frame on frame they have nothing in common, and that counts."""
    bits = np.frombuffer(kept.bits[kept.rows["whole"]], np.uint8).copy()
    bits[: apart // 8] ^= 0xFF
    bits[31] ^= (1 << apart % 8) - 1
    for other in ("stranger0", "stranger1"):
        asked, claim = kept.asking("whole"), kept.claim(other, mirrored=False)
        (tie,) = PairJudge(DEFAULT_CODEBOOK).judge([(asked, [replace(claim, bits=bits.tobytes(), rotation=0)])])
        assert score(tie) < 0.2


def test_outlines_are_told_of_each_picture_corner_by_corner_whichever_was_asked_about(kept: Kept) -> None:
    for names in (("whole", "both"), ("both", "whole")):
        tie = judged(kept, *names, mirrored=True)
        assert tie.log_odds >= LEAST_OUTLINED
        assert tie.outline_low is not None
        assert tie.outline_high is not None
        of_whole, of_copy = tie.outline_low, tie.outline_high
        if kept.rows["whole"] > kept.rows["both"]:
            of_whole, of_copy = of_copy, of_whole
        # Mirrored and turned a quarter, what lay left lies at the top, and what lay at the bottom on the right.
        corners = {(round(x), round(y)): place for place, (x, y) in enumerate(of_copy)}
        for x, y in corners:
            expected = ((60 + 380 * (1 - y)) / 480, (90 + 410 * (1 - x)) / 600)
            assert of_whole[corners[x, y]] == pytest.approx(expected, abs=0.01)
        assert len(corners) == 4


@pytest.mark.parametrize("name", ["first", "mirrored", "both", "crop", "stranger0", "stranger1"])
def test_only_pairs_that_may_be_copies_have_outlines_and_those_lie_within_their_pictures(kept: Kept, name: str) -> None:
    rule = rules.shipped_for_pairs()
    claims = [kept.claim(name, mirrored=way) for way in (True, False)]
    ties = PairJudge(DEFAULT_CODEBOOK, rule).judge([(kept.asking("whole"), claims)])
    assert any(tie.outline_low for tie in ties) != name.startswith("stranger")
    for tie in ties:
        assert (tie.outline_low is not None) == (tie.outline_high is not None) == (tie.log_odds >= LEAST_OUTLINED)
        corners = [*(tie.outline_low or ()), *(tie.outline_high or ())]
        assert all(0 <= share <= 1 for corner in corners for share in corner)
    strict = replace(rule, base=rule.base - max(tie.log_odds for tie in ties) - 0.01)
    doubted = PairJudge(DEFAULT_CODEBOOK, strict).judge([(kept.asking("whole"), claims)])
    assert {(tie.outline_low, tie.outline_high) for tie in doubted} == {(None, None)}


@pytest.mark.parametrize(("copy", "mirrored"), [("crop", False), ("first", False), ("mirrored", True), ("both", True)])
def test_a_crop_is_accepted_from_either_side_and_a_stranger_refused(kept: Kept, copy: str, *, mirrored: bool) -> None:
    accept = rules.shipped_for_pairs().accept
    assert score(judged(kept, "whole", copy, mirrored=mirrored)) >= accept
    assert score(judged(kept, copy, "whole", mirrored=mirrored)) >= accept
    for stranger in ("stranger0", "stranger1"):
        for way in (False, True):
            assert score(judged(kept, stranger, copy, mirrored=way)) < accept
            assert score(judged(kept, "whole", stranger, mirrored=way)) < accept


def test_each_claim_gets_one_tie_in_order_also_where_neither_picture_lies_in_the_other(kept: Kept) -> None:
    claims = [kept.claim(name, mirrored=way) for name in ("stranger0", "crop", "stranger1") for way in (True, False)]
    whole = kept.asking("whole")
    ties = PairJudge(DEFAULT_CODEBOOK).judge([(whole, claims), (kept.asking("crop"), []), (whole, claims[:1])])
    assert [(tie.low, tie.high) for tie in ties] == [
        tuple(sorted((whole.row, claim.row))) for claim in [*claims, claims[0]]
    ]
    assert [tie.log_odds > NOWHERE for tie in ties[2:4]] == [False, True]
    nowhere = ties[2]
    assert (nowhere.mirrored, nowhere.rotation) == (True, 0)
    assert (nowhere.overlap_low, nowhere.overlap_high, nowhere.agreement) == (None, None, None)
    assert PairJudge(DEFAULT_CODEBOOK).judge([]) == []


@pytest.mark.parametrize(("bare_query", "bare_stored"), [(True, False), (False, True), (True, True)])
def test_without_thumbnails_pictures_are_judged_by_their_points_alone(
    kept: Kept, *, bare_query: bool, bare_stored: bool
) -> None:
    asked = kept.asking("whole", **({"thumbnail": None} if bare_query else {}))
    judge = PairJudge(DEFAULT_CODEBOOK)
    ties = []
    for name in ("crop", "stranger0"):
        claim = kept.claim(name, mirrored=False, **({"thumbnail": None} if bare_stored else {}))
        ties += judge.judge([(asked, [claim])])
    assert [tie.agreement for tie in ties] == [None, None]
    assert ties[0].overlap_high == pytest.approx(1, abs=0.05)
    assert ties[0].log_odds > ties[1].log_odds
    assert score(ties[1]) < rules.shipped_for_pairs().accept


def test_stored_features_are_searched_for_with_their_places_and_what_their_codes_stand_for(kept: Kept) -> None:
    known = kept.known[kept.rows["whole"]]
    features = stored_features(known.record, known.codebook)
    assert 0 < len(features.points) == len(features.descriptors) <= 100
    assert features.descriptors.dtype == np.uint8
    assert (features.height / features.width) == pytest.approx(600 / 480, rel=0.01)
    found = kept.index.parts.features.search([features], 3)[0]
    assert found[0].row == kept.rows["whole"]


def test_a_picture_that_was_read_again_is_asked_for_with_all_that_was_read(kept: Kept) -> None:
    row = kept.rows["whole"]
    ((_, reply),) = kept.index.parts.runner.describe([0], lambda _: Job(kept.folder / "whole.jpg", query=True))
    assert isinstance(reply, Description)
    assert reply.first.asked is not None
    turned = np.frombuffer(reply.first.orientations["phash"], np.uint8).reshape(8, 32)
    again = stored_query(row, kept.known[row], turned, reply.first.asked)
    assert (again.again, kept.asking("whole").again) == (True, False)
    assert len(again.features.points) > len(kept.asking("whole").features.points)
    assert again.picture.size > kept.asking("whole").picture.size
    (tie,) = PairJudge(DEFAULT_CODEBOOK).judge([(again, [kept.claim("crop", mirrored=False)])])
    assert score(tie) >= rules.shipped_for_pairs().accept
    assert apart(again.turned, kept.bits[row]) == apart(kept.asking("whole").turned, kept.bits[row]) == 0


def test_another_rule_judges_where_one_was_fitted(kept: Kept) -> None:
    rule = replace(rules.shipped_for_pairs(), base=rules.shipped_for_pairs().base + 5)
    judge = PairJudge(DEFAULT_CODEBOOK, rule)
    assert judge.rule is rule
    assert PairJudge(DEFAULT_CODEBOOK).rule is rules.shipped_for_pairs()
    (tie,) = judge.judge([(kept.asking("whole"), [kept.claim("crop", mirrored=False)])])
    assert tie.log_odds == pytest.approx(judged(kept, "whole", "crop", mirrored=False).log_odds + 5, abs=0.01)


def test_the_name_of_the_rule_changes_with_its_file_and_with_the_codebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = pair_model_name("book")
    assert name == pair_model_name("book") != pair_model_name("other")
    assert name.startswith("book ")
    copy = tmp_path / "ties.npz"
    copy.write_bytes(rules.PAIR_MODEL_FILE.read_bytes())
    monkeypatch.setattr(rules, "PAIR_MODEL_FILE", copy)
    assert pair_model_name("book") == name
    copy.write_bytes(copy.read_bytes() + b"\0")
    assert pair_model_name("book") != name
