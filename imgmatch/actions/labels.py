"""Pairs that people have decided, read from a file or from the decisions of an index."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch.catalog.decisions import read_decided_photos, read_decisions, verdicts_of
from imgmatch.catalog.lookups import files_of
from imgmatch.errors import SourceError
from imgmatch.model import Labelled, NamedPhoto, Verdict

if TYPE_CHECKING:
    from os import PathLike

    from imgmatch.catalog.decisions import DecidedPhoto
    from imgmatch.engines.parts import Parts

MOST_OF_ONE = 20
"""Pairs taken from one group of one decision: a large one must not drown the rest."""

PAIR_COLUMNS = ("query", "stored", "copy")
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read_pairs(file: str | PathLike[str]) -> tuple[list[Labelled], list[str]]:
    """Read a CSV file with columns ``query``, ``stored`` (paths, relative to the file) and ``copy`` (yes or no).

    Returns:
        the pairs, and one sentence for each line that is none.

    Raises:
        SourceError: the file cannot be read, or has not these columns.
    """
    path = Path(file)
    pairs, problems = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            rows = csv.DictReader(text)
            missing = [column for column in PAIR_COLUMNS if column not in (rows.fieldnames or ())]
            if missing:
                raise SourceError(
                    f"{path}: line 1: no column {missing[0]}; a file of pairs has {', '.join(PAIR_COLUMNS)}"
                )
            for row in rows:
                label = _WORDS.get((row["copy"] or "").strip().lower())
                if label is None or not row["query"] or not row["stored"]:
                    problems.append(f"{path}: line {rows.line_num}: query, stored or copy (yes or no) is missing")
                    continue
                query, stored = (NamedPhoto(name, path.parent / name) for name in (row["query"], row["stored"]))
                pairs.append(Labelled(query, stored, label))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return pairs, problems


def decided_pairs(parts: Parts) -> list[Labelled]:
    """What moderators have confirmed or dismissed, pair by pair, of photos that are still there; the last word counts.

    Photos of one fingerprint are left out: there is nothing to score.
    """
    with parts.catalog.read() as session:
        verdicts = verdicts_of(session, {decision.id for decision in read_decisions(session)})
        clusters: dict[tuple[int, int], list[DecidedPhoto]] = {}
        for decision, photo in read_decided_photos(session):
            clusters.setdefault((decision, photo.picture), []).append(photo)
        said: dict[tuple[str, str], bool] = {}
        for (decision, _), (first, *others) in sorted(clusters.items()):
            if verdicts.get(decision, Verdict.COMMON) != Verdict.COMMON:
                copy = verdicts[decision] == Verdict.CONFIRM
                different = (other for other in others if other.bits != first.bits and other.photo_id != first.photo_id)
                said |= {(first.photo_id, other.photo_id): copy for other in islice(different, MOST_OF_ONE)}
        files = files_of(session, {photo_id for pair in said for photo_id in pair})
    photos = {photo_id: NamedPhoto(photo_id, file.path) for photo_id, file in files.items()}
    return [
        Labelled(photos[one], photos[other], copy)
        for (one, other), copy in said.items()
        if one in photos and other in photos
    ]
