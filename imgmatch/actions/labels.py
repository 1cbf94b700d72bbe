"""Pairs that people have decided, read from a file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgmatch.errors import SourceError
from imgmatch.workers.messages import NamedPhoto

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("query", "stored", "copy")
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two photos and whether a person found them to be copies of one picture."""

    query: NamedPhoto
    stored: NamedPhoto
    copy: bool


def read_pairs(path: Path) -> tuple[list[Labelled], list[str]]:
    """Read a CSV file with columns ``query``, ``stored`` (paths, relative to the file) and ``copy`` (yes or no).

    Returns:
        the pairs, and one sentence for each line that is none.

    Raises:
        SourceError: the file cannot be read, or has not these columns.
    """
    pairs, problems = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (rows.fieldnames or ())]
            if missing:
                raise SourceError(f"{path}: line 1: no column {missing[0]}; a file of pairs has {', '.join(COLUMNS)}")
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
