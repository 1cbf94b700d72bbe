"""A receiver of reports that refuses what Coop refuses, as roostorg/coop has it at 1c1f54d (2026-08-21)."""

from __future__ import annotations

import json
import threading
import time
import uuid
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from serving import DAY_ONE, picture

from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from imgmatch.index import Index

KEY = "coop-key-0123456789abcdef"
ACCOUNT_TYPE = "a1b2c3"
_MOST_BYTES = 50_000_000


class CoopServer:
    """Keeps what it takes; ``status`` answers with something else, ``silent`` with nothing."""

    def __init__(self) -> None:
        self.reports: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.calls = 0
        self.status: int | None = None
        self.silent = False
        self.location = "http://127.0.0.1:1/"
        self.tail = b""
        coop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                coop.calls += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if coop.silent:
                    time.sleep(60)
                    return
                status, answer = coop.answer(self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Location", coop.location)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode() + coop.tail)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:  # noqa: ANN401 -- of any case
        if self.status is not None:
            return self.status, {"errors": [{"title": "no"}]}
        if path != "/api/v1/report" or headers["Content-Type"] != "application/json":
            return self._refusal(404, "no such route")
        if headers["X-API-KEY"] != KEY:
            return self._refusal(401, "Invalid API Key")
        report = json.loads(body)
        wrong = problems(report) + ([] if len(body) <= _MOST_BYTES else ["too large"])
        if wrong:
            return self._refusal(400, "; ".join(wrong))
        self.reports.append(report)
        return 201, {"reportId": str(uuid.uuid1())}

    def _refusal(self, status: int, why: str) -> tuple[int, dict[str, Any]]:
        self.refused.append(why)
        return status, {"errors": [{"title": why}]}

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """What was taken, once there is so much of it."""
        until = time.monotonic() + 60
        while len(self.reports) < count and time.monotonic() < until:
            assert not self.refused, self.refused
            time.sleep(0.02)
        return self.reports

    def wait_for_calls(self, count: int) -> None:
        until = time.monotonic() + 60
        while self.calls < count and time.monotonic() < until:
            time.sleep(0.02)
        assert self.calls >= count


def problems(report: Any) -> list[str]:  # noqa: ANN401 -- whatever came
    """What Coop would find wrong with a report."""
    if not isinstance(report, dict):
        return ["no object"]
    found = [f"{name} is missing" for name in ("reporter", "reportedAt", "reportedItem") if name not in report]
    if found:
        return found
    reporter, reason = report["reporter"], report.get("reportedForReason")
    if reporter.get("kind") != "user" or not all(isinstance(reporter.get(name), str) for name in ("typeId", "id")):
        found.append("reporter")
    if not isinstance(report["reportedAt"], str) or datetime.fromisoformat(report["reportedAt"]).tzinfo is None:
        found.append("reportedAt")
    if reason is not None:
        found += [name for name in ("policyId", "reason") if not isinstance(reason.get(name), str | None)]
    items = report.get("additionalItems", [])
    if not isinstance(items, list):
        return [*found, "additionalItems"]
    return found + [why for item in (report["reportedItem"], *items) for why in _wrong_with_item(item)]


def _wrong_with_item(item: dict[str, Any]) -> list[str]:
    found = [name for name in ("id", "typeId") if not isinstance(item.get(name), str)]
    found += [] if isinstance(item.get("data"), dict) else ["data"]
    found += ["both type and typeId"] if "type" in item else []
    found += [] if item.get("typeId") == ACCOUNT_TYPE else ["no such item type"]
    variant = item.get("typeSchemaVariant", "original")
    if variant == "original" and "displayName" not in item.get("data", {}):  # of the type that this Coop has
        found.append("the field 'displayName' is required")
    return found if variant in {"original", "partial"} else [*found, "typeSchemaVariant"]


def add(index: Index, account: str, seed: int, seen_at: datetime = DAY_ONE + timedelta(days=100)) -> None:
    """One more account that shows a picture of the world, and the run that finds it."""
    path = index.path.parent / f"{account}.jpg"
    path.write_bytes(picture(seed, 65))
    index.add([NewPhoto.at(path, account=account, seen_at=seen_at, photo_id=f"new-{account}")])
    index.rings()
