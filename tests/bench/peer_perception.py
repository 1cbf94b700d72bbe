"""Thorn's SIFT pairs, run by bench_edits.py in an environment of its own: it wants another OpenCV than imgmatch.

Reads lines of query,original and prints 1 or 0 for each.
"""

from __future__ import annotations

import sys
from pathlib import Path

from perception.local_descriptor_deduplication import deduplicate

pairs = [line.split(",") for line in Path(sys.argv[1]).read_text(encoding="utf-8").split()]
originals, queries = sorted({pair[1] for pair in pairs}), [pair[0] for pair in pairs]
found = {frozenset(pair[:2]) for pair in deduplicate(originals, queries)}
print("\n".join("1" if frozenset(pair) in found else "0" for pair in pairs))
