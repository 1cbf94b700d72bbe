"""The night over a world of 30,000 accounts, three times: ``make bench NAME=rings``, about an hour.

A world is drawn (``big_world.py``), scanned, and its rings are asked for; then the next night, and the one after. Said
is how many planted rings come back, how many of their accounts, what else is reported, which edits are missed, and
whether the second and the third report say what has changed and nothing else. The peer ties what fingerprints alone
tell (PDQ up to 31 bits, as the field does) and chains it, as its tools do.

Options: ``--scale 0.05`` for a small world, ``--folder PATH`` to keep the world and the index and use them again.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from big_world import LEAST_SCALE, BigWorld, draw_big_world, load_big_world
from common import QUICK, print_figures, say
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from imgmatch import registry
from imgmatch.actions.rings import find_rings, keep_report
from imgmatch.actions.scan import scan
from imgmatch.catalog.fingerprints import read_fingerprints
from imgmatch.catalog.lookups import photos_with
from imgmatch.formats.records import ring_record
from imgmatch.formats.text import as_json_line
from imgmatch.index import Index
from imgmatch.joins.near import near_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from big_world import PlantedRing

    from imgmatch.model import RingsReport

Accounts = frozenset[str]

PEER_BITS = 31
"""The field's rule for PDQ."""


def world_in(folder: Path, scale: float) -> BigWorld:
    """The world kept in a folder, or a new one."""
    try:
        return load_big_world(folder)
    except FileNotFoundError:
        return draw_big_world(folder, scale)


def scores(found: Sequence[Accounts], planted: Sequence[Accounts], excused: Accounts) -> dict[str, Any]:
    """How found rings stand to planted ones.

    A ring is found if a found one holds nothing but its accounts and at least two of them; exactly, if all of them. A
    found ring is false if it holds no two accounts of one planted ring, and merges if it holds accounts of two.
    ``excused`` are accounts that really share a picture, but not as a ring: of default avatars and celebrities.
    """
    of = {account: number for number, ring in enumerate(planted) for account in ring}
    best: Counter[int] = Counter()
    exact, merged, false, strangers = 0, 0, 0, 0
    for ring in found:
        touched = Counter(of[account] for account in ring if account in of)
        strangers += sum(account not in of for account in ring) if touched else 0
        merged += sum(count > 1 for count in touched.values()) > 1
        if not any(count > 1 for count in touched.values()):
            false += 1
            continue
        number, count = touched.most_common(1)[0]
        best[number] = max(best[number], count)
        exact += ring == planted[number]
    accounts = sum(len(ring) for ring in planted)
    return {
        "planted": len(planted),
        "reported": len(found),
        "found": len(best),
        "found_percent": round(100 * len(best) / len(planted), 2),
        "exact": exact,
        "accounts_found_percent": round(100 * sum(best.values()) / accounts, 2),
        "right_percent": round(100 * (len(found) - false) / max(len(found), 1), 2),
        "false": false,
        "false_of_avatars_and_celebrities": sum(
            len(ring & excused) > 1 and not any(account in of for account in ring) for ring in found
        ),
        "merging_two": merged,
        "strangers_in_rings": strangers,
    }


def missed(found: Sequence[Accounts], night: Sequence[PlantedRing], world: BigWorld) -> dict[str, int]:
    """The edits of those copies whose accounts are in no found ring, the most frequent first."""
    inside = set().union(*found) if found else set()
    photos = {photo for ring in night for picture in ring.pictures for photo in picture}
    owners = owner_of(world)
    lost = Counter(world.edits.get(photo, "the original") for photo in photos if owners.get(photo) not in inside)
    return dict(lost.most_common())


def owner_of(world: BigWorld) -> dict[str, str]:
    """Whose each photo is, over the three nights."""
    found: dict[str, str] = {}
    for manifest in world.manifests:
        with manifest.open(encoding="utf-8", newline="") as file:
            found |= {row["photo_id"]: row["account"] for row in csv.DictReader(file)}
    return found


def accounts_of(report: RingsReport) -> list[Accounts]:
    """The accounts of each reported ring."""
    return [frozenset(member.account for member in ring.accounts) for ring in report.rings]


def told(report: RingsReport, changes: Mapping[str, Any], before: Sequence[Accounts]) -> dict[str, Any]:
    """What a report says has changed, beside what did."""
    said = Counter(str(change) for ring in report.changed().rings for change in ring.changes)
    return {
        "said": dict(said) | {"gone": len(report.gone)},
        "was": {name: len(value) for name, value in changes.items()},
        "rings_said_to_have_changed": len(report.changed().rings),
        "rings_before": len(before),
    }


def chained(index: Index) -> list[Accounts]:
    """What fingerprints alone tie: PDQ in eight orientations, chained into components."""
    with index.parts.catalog.read() as session:
        blocks = list(read_fingerprints(session, "pdq"))
        ids = np.concatenate([ids for ids, _ in blocks])
        bits = np.concatenate([bits for _, bits in blocks])
        pairs = near_pairs(registry.hasher("pdq").estimated_orientations(bits), PEER_BITS)
        graph = coo_array((np.ones(len(pairs), np.int8), (pairs.left, pairs.right)), shape=(len(ids), len(ids)))
        _, labels = connected_components(graph, directed=False)
        account_of: dict[int, set[str]] = {}
        for row, photo in photos_with(session, ids.tolist()):
            account_of.setdefault(row, set()).add(photo.account)
    groups: dict[int, set[str]] = {}
    for row, label in zip(ids.tolist(), labels.tolist(), strict=True):
        groups.setdefault(label, set()).update(account_of.get(row, set()))
    return _joined([group for group in groups.values() if len(group) > 1])


def _joined(groups: Iterable[set[str]]) -> list[Accounts]:
    places: dict[str, int] = {}
    links = []
    for number, group in enumerate(groups):
        links += [(number, places.setdefault(account, len(places))) for account in group]
    if not links:
        return []
    count = 1 + max(number for number, _ in links)
    ends = np.array(links)
    size = count + len(places)
    graph = coo_array((np.ones(len(ends), np.int8), (ends[:, 0], count + ends[:, 1])), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    found: dict[int, set[str]] = {}
    for account, place in places.items():
        found.setdefault(int(labels[count + place]), set()).add(account)
    return [frozenset(each) for each in found.values()]


def bytes_of(report: RingsReport) -> str:
    """The report as other programs read it."""
    return "".join(as_json_line(ring_record(ring)) for ring in report.rings)


def night(index: Index, world: BigWorld, number: int, excused: Accounts) -> tuple[RingsReport, dict[str, Any]]:
    """The rings of one night, how they stand to the planted ones, and whether a second run gives the same bytes."""
    started = time.perf_counter()
    report = find_rings(index.parts)
    seconds = time.perf_counter() - started
    found = accounts_of(report)
    planted = [ring.accounts for ring in world.rings[number]]
    figures = scores(found, planted, excused) | {
        "photos": len(index),
        "night_seconds": round(seconds, 1),
        "pictures_searched": report.searched.pictures,
        "read_again": report.searched.read_again,
        "pairs_judged": report.searched.judged,
        "common": len(report.common),
        "expected_false": report.expected_false,
        "missed_edits": missed(found, world.rings[number], world),
    }
    started = time.perf_counter()
    again = find_rings(index.parts)
    figures["again_seconds"] = round(time.perf_counter() - started, 1)
    figures["again_byte_equal"] = bytes_of(again) == bytes_of(report)
    return report, figures


def run(folder: Path, scale: float) -> dict[str, Any]:
    """Three nights."""
    world = world_in(folder, scale)
    common = frozenset().union(*world.avatars, *world.celebrities)
    excused = frozenset(owner for photo, owner in owner_of(world).items() if photo in common)
    nights: list[dict[str, Any]] = []
    tonight = folder / "tonight.csv"  # one source, whose photos come and go
    with Index.open(folder / "index", create=True, workers=2) as index:
        before: list[Accounts] = []
        for number, manifest in enumerate(world.manifests):
            tonight.write_bytes(manifest.read_bytes())
            scanned = scan(index.parts, [tonight], prune=True)
            say(f"night {number + 1}: scanned in {scanned.seconds:.0f} s")
            report, figures = night(index, world, number, excused)
            figures |= {"scan_seconds": round(scanned.seconds), "skipped_by_scan": scanned.skipped}
            if number:
                figures["told"] = told(report, world.changes[number + 1], before)
            keep_report(index.parts, report)
            before = accounts_of(report)
            nights.append(figures)
            say(json.dumps(figures))
        peer = scores(chained(index), [ring.accounts for ring in world.rings[-1]], excused)
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"scale": world.scale, "nights": nights, "peak_mib": usage // 1024, "peer_pdq_31_chained": peer}


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=LEAST_SCALE if QUICK else 1.0)
    parser.add_argument("--quick", action="store_true", help="the smallest world")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.folder is not None:
        print_figures("rings", lambda: run(asked.folder, asked.scale))
        return
    with tempfile.TemporaryDirectory() as folder:
        print_figures("rings", lambda: run(Path(folder), asked.scale))


if __name__ == "__main__":
    main()
