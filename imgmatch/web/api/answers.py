"""What the routes of the API may answer beside what is asked for, for the description of the API."""

from __future__ import annotations

from typing import Any

from imgmatch.web.api.schemas import Problem

_SAID = {
    401: "Nobody has said who asks.",
    403: "Who asks may not do that.",
    404: "There is no such thing.",
    409: "It contradicts what the index holds.",
    413: "The request is too large.",
    415: "That is no form or no JSON.",
    421: "The server does not go by that name.",
    422: "The request cannot be understood.",
    423: "Somebody else does what only one may do at a time.",
    429: "Asked too often.",
    503: "The index cannot be used, or too many ask at once.",
}
_ALWAYS = (401, 403, 413, 421, 503)


def problems(*more: int) -> dict[int | str, dict[str, Any]]:
    """The problems that every route may answer with, and these."""
    return {
        status: {"model": Problem, "description": _SAID[status], "content": {"application/problem+json": {}}}
        for status in sorted({*_ALWAYS, *more})
    }
