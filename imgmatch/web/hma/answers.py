"""What HMA clients send and are told: JSON, numbers that may be strings, errors with a ``message``."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from imgmatch.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_SHOWN = 100
_TRUE = {"true", "1"}
_FALSE = {"false", "0"}


class HmaAnswer(Response):
    """JSON in ASCII: whatever a client sent and is told again, it can be written."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 -- whatever JSON can hold
        """The body."""
        return json.dumps(content, separators=(",", ":")).encode("ascii")


def abort(status: int, message: str) -> NoReturn:
    """End a request with this status and message."""
    raise HTTPException(status, message)


def shown(text: object) -> str:
    """What a client sent, as an error may repeat it."""
    return repr(text if isinstance(text, (str, int, float)) else type(text).__name__)[:_MOST_SHOWN]


@contextmanager
def as_hma_says() -> Iterator[None]:
    """Have what banks refuse answered as HMA does: a taken name is 403, a value that cannot be one 400."""
    try:
        yield
    except ConflictError as error:
        abort(403, str(error))
    except ValueError as error:
        abort(400, str(error))


async def json_body(request: Request) -> Any:  # noqa: ANN401 -- whatever JSON can hold
    """What the body says as JSON, whatever its type is said to be; ``None`` where there is no body.

    Raises:
        HTTPException: it is no JSON.
    """
    body = await request.body()
    if not body.strip():
        return None
    try:
        return read_json(body)
    except ValueError:
        abort(400, "the body is no JSON")


def read_json(text: str | bytes) -> Any:  # noqa: ANN401 -- whatever JSON can hold
    """What a text says as JSON.

    Raises:
        ValueError: it is no JSON, or nested without end.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested without end") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


async def json_object(request: Request) -> dict[str, Any]:
    """Likewise, of a body that is an object; no body is an empty one.

    Raises:
        HTTPException: it is something else.
    """
    found = await json_body(request)
    if found is None:
        return {}
    if not isinstance(found, dict):
        abort(400, "the body is no JSON object")
    return found


JsonBody = Annotated[Any, Depends(json_body)]
JsonObject = Annotated[dict[str, Any], Depends(json_object)]


def ratio_of(value: object) -> float:
    """A share of traffic: a number, or a string that is one.

    Raises:
        HTTPException: it is none from 0 to 1.
    """
    try:
        number = float(value) if isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 1:
        abort(400, f"enabled_ratio is a number from 0 to 1, not {shown(value)}")
    return number


def whole_number_of(value: object, name: str) -> int:
    """A whole number, or a string that is one; fractions are cut off, as HMA does.

    Raises:
        HTTPException: it is none.
    """
    try:
        if isinstance(value, (int, float, str)):
            return int(value)
    except (ValueError, OverflowError):
        pass
    abort(400, f"{name} is a whole number, not {shown(value)}")


def flag_of(value: object, name: str) -> bool:
    """Yes or no, however it is written.

    Raises:
        HTTPException: it is neither.
    """
    text = str(value).lower() if isinstance(value, (bool, int, float, str)) else ""
    if text in _TRUE | _FALSE:
        return text in _TRUE
    abort(400, f"{name} is true or false, not {shown(value)}")


def note_of(value: object) -> str | None:
    """A note; an empty one is none.

    Raises:
        HTTPException: it is no text. How long one may be, its bank knows.
    """
    if not value:
        return None
    if not isinstance(value, str):
        abort(400, "note should be a string")
    return value
