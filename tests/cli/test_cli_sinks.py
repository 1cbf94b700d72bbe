from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from coop_server import ACCOUNT_TYPE, KEY, CoopServer

from imgmatch.cli.main import run
from imgmatch.index import Index
from imgmatch.model import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COOP = ("--coop-url", "http://127.0.0.1:1", "--coop-type", ACCOUNT_TYPE)


@contextmanager
def reporting(index: Path, coop: CoopServer) -> Iterator[subprocess.Popen[str]]:
    """A server process that reports to it, once it answers."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "IMGMATCH_COOP_KEY": KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "imgmatch", "--log-json", "serve", "--index", str(index), "--port", "0",
         "--workers", "1", "--uploads", str(index.parent / "kept"), "--coop-url", coop.url,
         "--coop-type", ACCOUNT_TYPE],
        stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        port = next(json.loads(line)["port"] for line in process.stderr if "port" in json.loads(line))
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_report_that_a_kill_has_cut_off_is_made_again_and_then_no_more(world: Path) -> None:
    coop = CoopServer()
    coop.silent = True
    with Index.open(world) as index:
        reports = index.outbox.reports("coop", confirmed=True, found=False)
        with reporting(world, coop):
            mia = next(one.ring for one in index.queue().rings if one.first_account == "mia")
            index.decide(Verdict.CONFIRM, ring=mia, by="ana")
            coop.wait_for_calls(1)
        [cut] = reports.log(9)
        assert (cut["subject"], cut["attempts"], cut["delivered_at"]) == ("decision:1", 0, None)
        coop.silent = False
        with reporting(world, coop) as process:
            coop.wait_for(1)
            until = time.monotonic() + 60
            while reports.log(9)[0]["delivered_at"] is None and time.monotonic() < until:
                time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
        with reporting(world, coop) as process:
            time.sleep(5)
        [made] = reports.log(9)
    coop.close()
    assert (made["attempts"], made["next_at"], coop.calls, len(coop.reports)) == (1, None, 2, 1)
    assert made["answer"].startswith("201 ")
    assert "Coop: decision:1: 201" in said
    assert KEY not in said
    assert "lena" not in said


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--coop-url", "coop.example"), "is no URL"),
        (("--coop-url", "https://user:word@coop.example"), "it takes no user, no password"),
        (("--coop-url", "https://coop.example/?a=b"), "no question mark"),
        (("--coop-url", "https://coop.example"), "--coop-url needs --coop-type"),
        (("--report-new-rings", "coop"), "--report-new-rings coop needs --coop-url"),
        (("--report-new-rings", "webhook"), "--report-new-rings webhook needs --webhook"),
        (("--report-new-rings", "all"), "all"),
        (("--public-url", "ftp://x"), "is no URL"),
        (COOP, "Coop needs an API key to report with, in the environment variable IMGMATCH_COOP_KEY"),
    ],
)
def test_a_queue_that_cannot_be_reported_to_is_refused_before_anything_is_served(
    world: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    assert run(["serve", "--index", str(world), *arguments]) == 2
    assert text in capsys.readouterr().err


def test_a_key_that_is_none_is_not_repeated(
    world: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGMATCH_COOP_KEY", "secret with blanks")
    assert run(["serve", "--index", str(world), *COOP]) == 2
    said = capsys.readouterr().err
    assert "IMGMATCH_COOP_KEY is no API key" in said
    assert "blanks or the like" in said
    assert "secret" not in said
