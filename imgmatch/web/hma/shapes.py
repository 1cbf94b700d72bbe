"""What the routes of HMA take and answer, for their description."""

from __future__ import annotations

from typing import Any

_SAID = {
    400: "What was sent cannot be used.",
    403: "Who asks may not do that, or it is not done here.",
    404: "There is no such thing.",
    413: "The photo is too large.",
    429: "Asked too often.",
}
_ALWAYS = {
    401: "Nobody has said who asks.",
    403: "Who asks may not do that.",
    503: "The index cannot be used yet or any more, or too many ask at once.",
}
_MESSAGE = {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]}
_JSON = "application/json"


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Errors that a route may answer with."""
    said = _ALWAYS | {status: _SAID[status] for status in statuses}
    return {
        status: {"description": text, "content": {_JSON: {"schema": _MESSAGE}}} for status, text in sorted(said.items())
    }


def json_form(example: dict[str, Any]) -> dict[str, Any]:
    """A body of JSON, by example."""
    return {"requestBody": {"content": {_JSON: {"schema": {"type": "object"}, "example": example}}}}


PHOTO_FORM: dict[str, Any] = {
    "requestBody": {
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"photo": {"type": "string", "format": "binary"}},
                    "required": ["photo"],
                }
            }
        }
    }
}
"""A form with a photo."""
