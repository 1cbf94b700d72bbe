"""Two sets of answers, field by field."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS = ("photo_id", "group", "ring", "account", "photo")
"""Fields by which items of a list are told from each other: the first that all of them have, and no two alike."""

PASSING = {"seconds", "photos_per_second", "decided_at", "files_searched"}
"""Fields that differ from run to run of one version: times and counts of files."""

MISSING = "(none)"

Values = dict[tuple[str, ...], Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not the same.

    Attributes:
        step: what was asked.
        record: of which item of the answer.
        field: the names that lead to the field, without ids.
        where: the ids on the way.
        before: its value.
        after: the other one.
    """

    step: str
    record: str
    field: str
    where: str
    before: Any
    after: Any

    @property
    def kind(self) -> str:
        """What differences are gathered by."""
        missing = " missing before" if self.before == MISSING else " missing after" if self.after == MISSING else ""
        return f"{re.sub(r' [0-9]+$', '', self.step)} / {self.field}{missing}"


@dataclass
class Compared:
    """All that was compared.

    Attributes:
        records: how many answers there are of each step, in both versions together.
        differing: how many of them are not equal.
        fields: how many fields were compared.
        differences: all of them.
    """

    records: Counter[str] = field(default_factory=Counter)
    differing: Counter[str] = field(default_factory=Counter)
    fields: int = 0
    differences: list[Difference] = field(default_factory=list)

    def kinds(self) -> dict[str, list[Difference]]:
        """The differences by kind, the most frequent first."""
        kinds: dict[str, list[Difference]] = defaultdict(list)
        for one in self.differences:
            kinds[one.kind].append(one)
        return dict(sorted(kinds.items(), key=lambda item: -len(item[1])))


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> Compared:
    """Compare every step of two versions."""
    found = Compared()
    for step in dict.fromkeys((*before, *after)):
        one, other = _by_key(before.get(step)), _by_key(after.get(step))
        for key in dict.fromkeys((*one, *other)):
            found.records[step] += 1
            count = len(found.differences)
            _compare(found, step, key, one.get(key), other.get(key))
            found.differing[step] += len(found.differences) > count
    return found


def _by_key(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """The records of a step by their ids, with the exit code and the order as two records more."""
    if answer is None:
        return {}
    records = answer["records"]
    key = _key_of(records)
    keyed = {str(record[key] if key else place): record for place, record in enumerate(records)}
    return {"": {"exit_code": answer["exit_code"], "order": list(keyed)}} | keyed


def _key_of(items: list[Any]) -> str | None:
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    return next(
        (
            key
            for key in KEYS
            if all(key in item for item in items) and len({item[key] for item in items}) == len(items)
        ),
        None,
    )


def _compare(found: Compared, step: str, record: str, before: Any, after: Any) -> None:  # noqa: ANN401 -- JSON
    if before is None or after is None:
        values = [MISSING if value is None else _in_short(value) for value in (before, after)]
        found.differences.append(Difference(step, record, "the whole answer", "", *values))
        return
    one, other = _flat(before), _flat(after)
    _same_order(one, other)
    gone: set[tuple[str, ...]] = set()
    for path in dict.fromkeys((*one, *other)):
        if any(path[: len(prefix)] == prefix for prefix in gone):
            continue
        found.fields += 1
        values = [one.get(path, MISSING), other.get(path, MISSING)]
        if values[0] == values[1]:
            continue
        if path[-1] == "present":
            gone.add(path[:-1])
        names = [part for part in path if not part.startswith("=")]
        ids = " ".join(part[1:] for part in path if part.startswith("="))
        found.differences.append(Difference(step, record, ".".join(names), ids, *values))


def _flat(value: Any, path: tuple[str, ...] = ()) -> Values:  # noqa: ANN401 -- JSON
    """Every field by the way to it; ids on the way begin with ``=``."""
    if isinstance(value, dict):
        inner = [_flat(item, (*path, name)) for name, item in value.items() if name not in PASSING]
        return {key: each for found in inner for key, each in found.items()}
    if isinstance(value, list) and (key := _key_of(value)):
        items: Values = {(*path, "order"): [str(item[key]) for item in value]}
        for item in value:
            to_item = (*path, f"={item[key]}")
            items[(*to_item, "present")] = _in_short(item)
            items |= _flat(item, to_item)
        return items
    return {path: value}


def _same_order(one: Values, other: Values) -> None:
    """Of two orders only what both have is compared: what one of them has not is a difference of its own."""
    for path in one.keys() & other.keys():
        if path[-1] == "order" and isinstance(one[path], list) and isinstance(other[path], list):
            both = set(one[path]) & set(other[path])
            one[path], other[path] = ([item for item in order if item in both] for order in (one[path], other[path]))
        elif path[-1] == "present":
            one[path] = other[path] = True


def _in_short(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if not isinstance(item, (list, dict))}


def table(found: Compared) -> list[str]:
    """Steps in the form of a Markdown table."""
    rows = ["| answers | compared | equal | differing |", "|---|---|---|---|"]
    total = [0, 0]
    for step, count in found.records.items():
        rows.append(f"| {step} | {count:,} | {count - found.differing[step]:,} | {found.differing[step]:,} |")
        total = [total[0] + count, total[1] + found.differing[step]]
    rows.append(f"| **all** | {total[0]:,} | {total[0] - total[1]:,} | {total[1]:,} |")
    return rows


def listed(found: Compared, most: int | None = None) -> list[str]:
    """Every difference with both values, kind by kind; of each kind ``most`` at the most."""
    lines = []
    for kind, differences in found.kinds().items():
        lines += ["", f"{kind}: {len(differences):,}"]
        lines += [
            f"  {one.record} {one.where}: {one.before!r} -> {one.after!r}".replace(" :", ":")
            for one in differences[:most]
        ]
        if most is not None and len(differences) > most:
            lines.append(f"  and {len(differences) - most:,} more")
    return lines
