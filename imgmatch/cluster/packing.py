"""Messages as they cross the network: one behind the other, plain bytes."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from imgmatch.framing import read_message, write_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Message = tuple["Mapping[str, Any]", bytes]
"""Head and body, as of :mod:`imgmatch.framing`."""

NO_REPLIES = (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, RecursionError)
"""What reading raises of bytes that are no replies."""


PIECE_BYTES = 64 << 10
"""What Ray sends along with a call or an answer, up to 100 KB; longer ones it keeps in a store, and fetches from there,
which takes a question and its answer from 2 ms to 11."""


def in_pieces(data: bytes, count: int) -> list[bytes]:
    """``count`` pieces (one or more) that make ``data``, of ``PIECE_BYTES`` at most; the last has all the rest."""
    ends = [min(PIECE_BYTES * number, len(data)) for number in range(count)]
    return [data[start:end] for start, end in zip(ends, [*ends[1:], len(data)], strict=True)]


def packed(messages: Iterable[Message]) -> bytes:
    """Messages one behind the other: what crosses the network is plain bytes."""
    stream = BytesIO()
    for head, body in messages:
        write_message(stream, head, body)
    return stream.getvalue()


def unpacked(data: bytes) -> list[Message]:
    """The messages in ``data``.

    Raises:
        EOFError: it is cut off.
        ValueError: it is something else.
    """
    stream = BytesIO(data)
    messages: list[Message] = []
    while stream.tell() < len(data):
        messages.append(read_message(stream))
    return messages
