"""What docs/serving.md shows can be used as it stands there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from serving import Served, picture

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


def fence(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_route_of_the_api_is_listed_with_its_scope(reading: Served) -> None:
    with reading.client() as http:
        paths: Mapping[str, Mapping[str, object]] = http.get("/api/v1/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/api/v1")
    }
    rows = re.findall(r"^\| (`[A-Z]+ /.*?) \|", PAGE, re.MULTILINE)
    listed = set()
    for row in rows:
        routes = re.findall(r"`([^`]+)`", row)
        method = routes[0].split()[0]
        for route in routes:
            path = route.removeprefix(method).strip().partition("?")[0]
            listed.add(f"{method} {path.replace('RING', '{ring}').replace('/N', '/{number}')}")
    assert listed == described


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("there is no systemd on this machine")
    unit = tmp_path / "imgmatch-serve.service"
    unit.write_text(fence("ini").replace("/opt/imgmatch/bin/imgmatch", shutil.which("true") or ""))
    done = subprocess.run([systemd, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "imgmatch-serve" in line]
    assert complaints == []


def test_the_picture_of_the_page_is_there() -> None:
    assert (ROOT / "docs" / "page.png").stat().st_size > 10_000


def test_the_call_that_is_shown_is_answered(server: Served) -> None:
    with server.client() as http:
        answer = http.post("/api/v1/check", files={"photo": ("suspect.jpg", picture(1, 50))})
    assert json.loads(answer.text)["complete"]
