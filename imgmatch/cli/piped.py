"""What is piped in: one photo, or a list of paths and URLs."""

from __future__ import annotations

from pathlib import Path

from imgmatch.model.names import is_text

_LOOKED_AT = 4096
_OF_URL = "://"


def piped_paths(data: bytes) -> list[str] | None:
    """The paths and URLs that were piped in, if that is a list: text whose first line is a URL, or there."""
    if not is_text(data[:_LOOKED_AT]):
        return None
    lines = (line.rstrip("\r") for line in data.decode(errors="surrogateescape").split("\n"))
    paths = [line for line in lines if line.strip()]
    try:
        return paths if _OF_URL in paths[0] or Path(paths[0]).exists() else None
    except (OSError, ValueError):
        return None
