"""Hash lists for tests: read from bytes, and drawn by hypothesis with what each form can hold."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from imgmatch.exchange.lists import ListOptions, read_stream, write_list
from imgmatch.model import BadEntry, ListedHash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgmatch.exchange.lists import Listed

PDQ_BYTES = st.binary(min_size=32, max_size=32)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t\r'=+-@,;\"#"), max_size=40)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12)


def hashes(number: int, seed: int = 0) -> list[str]:
    """As many PDQ values in the field's writing."""
    drawn = random.Random(seed)
    return [drawn.randbytes(32).hex() for _ in range(number)]


def read(raw: str | bytes, form: str | None = None, **options: Any) -> list[Listed]:  # noqa: ANN401 -- as the options are
    """All that a list gives."""
    stream = io.BytesIO(raw.encode() if isinstance(raw, str) else raw)
    return list(read_stream(stream, ListOptions(form, **options)))


def written(entries: Iterable[ListedHash], form: str) -> str:
    """A list, as the product writes it."""
    stream = io.StringIO(newline="")
    write_list(entries, stream, form)
    return stream.getvalue()


def good(found: Iterable[Listed]) -> list[str]:
    """The hashes of what was read."""
    return [entry.pdq.hex() for entry in found if isinstance(entry, ListedHash)]


def bad(found: Iterable[Listed]) -> list[int]:
    """The lines or records that could not be used, in order."""
    return [entry.line for entry in found if isinstance(entry, BadEntry) and not entry.other]


def others(found: Iterable[Listed]) -> list[int]:
    """The lines or records of other kinds of hashes, in order."""
    return [entry.line for entry in found if isinstance(entry, BadEntry) and entry.other]


def reasons(found: Iterable[Listed]) -> list[str]:
    """Why entries cannot be used, in order."""
    return [entry.reason for entry in found if isinstance(entry, BadEntry)]
