from __future__ import annotations

from typing import TYPE_CHECKING

from imgmatch.cli.piped import piped_paths

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_piped_in_is_a_list_if_its_first_line_leads_somewhere(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    there = str(tmp_path / "1.jpg")
    assert piped_paths(f"\n{there}\r\nnone.jpg\n".encode()) == [there, "none.jpg"]
    assert piped_paths(b"https://x.example/1.jpg") == ["https://x.example/1.jpg"]
    for data in (b"", b"\n", b"<html>", there.encode() + b"\0"):
        assert piped_paths(data) is None
