"""What an HMA client files with a photo: an id, a URI, and whatever JSON it likes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from imgmatch.web.hma.answers import abort, shown

_TEXTS = ("content_id", "content_uri")
_JSON = "json"
_IGNORED = "collab"
"""HMA fills it itself."""


def metadata_of(said: object) -> dict[str, str] | None:
    """It, as an entry keeps it.

    Raises:
        HTTPException: it is something else.
    """
    if said is None:
        return None
    if not isinstance(said, dict):
        abort(400, "metadata should be a json object")
    kept: dict[str, str] = {}
    for name, value in said.items():
        if value is None or name == _IGNORED:
            continue
        if name in _TEXTS and isinstance(value, str):
            kept[name] = value
        elif name == _JSON and isinstance(value, dict):
            kept[name] = _written(value)
        else:
            abort(400, f"Invalid metadata: {shown(name)}")
    return kept or None


def _written(value: dict[str, Any]) -> str:
    try:
        return json.dumps(value)
    except RecursionError:
        abort(400, "Invalid metadata: nested without end")


def metadata_record(kept: Mapping[str, str]) -> dict[str, Any]:
    """It, as HMA writes it; what other programs have filed is passed over."""
    found: dict[str, Any] = {name: kept.get(name) for name in _TEXTS}
    try:
        found[_JSON] = json.loads(kept[_JSON]) if _JSON in kept else None
    except ValueError:
        found[_JSON] = None
    return {**found, _IGNORED: None}
