"""Many results, printed one by one as they come."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from imgmatch.cli.options import write
from imgmatch.formats.text import as_csv, as_json, as_json_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from imgmatch.formats.records import Record

Streamed = TypeVar("Streamed")


def write_stream(
    results: Iterable[Streamed],
    form: str,
    record: Callable[[Streamed], Record],
    rows: Callable[[Streamed], Sequence[Record]],
    columns: Sequence[str],
    table: Callable[[Streamed], str],
) -> None:
    """Print each result in any format; only ``json``, one document, waits for the last.

    Raises:
        KeyboardInterrupt: it was interrupted; what was complete by then is printed.
    """
    with until_interrupted(results) as complete:
        match form:
            case "json":
                write(as_json([record(result) for result in complete]))
            case "jsonl":
                for result in complete:
                    write(as_json_line(record(result)))
            case "csv":
                for line in as_csv((row for result in complete for row in rows(result)), columns):
                    write(line)
            case _:
                for result in complete:
                    write(table(result))


@contextmanager
def until_interrupted(results: Iterable[Streamed]) -> Iterator[Iterator[Streamed]]:
    """Results up to an interruption, which is handed on when the block ends: what is complete is printed as a whole."""
    interruptions: list[KeyboardInterrupt] = []

    def passed_on() -> Iterator[Streamed]:
        try:
            yield from results
        except KeyboardInterrupt as error:
            interruptions.append(error)

    yield passed_on()
    if interruptions:
        raise interruptions[0]
