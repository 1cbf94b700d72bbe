"""What a server process counts, in the form that Prometheus reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from imgmatch import Index

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Requests and checks of one server process, and what waits for moderators."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self._requests = Counter("imgmatch_http_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "imgmatch_http_request_seconds",
            "How long answers took.",
            ("route", "method"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._checks = Gauge("imgmatch_checks_under_way", "Checks under way or waiting.", registry=self._registry)
        self._waiting = Gauge("imgmatch_rings_waiting", "Rings that nobody has decided on.", registry=self._registry)
        self._photos = Gauge("imgmatch_photos", "Photos in the index.", registry=self._registry)
        said = {
            "answering": "Of those that hold the shard, how many answer.",
            "replicas": "How many are to hold the shard.",
            "features": "Pictures that the shard holds.",
            "behind": "Row ids that the shard has not looked at yet.",
        }
        self._shards = {
            name: Gauge(f"imgmatch_shard_{name}", text, ("shard",), registry=self._registry)
            for name, text in said.items()
        }
        self._leases = Gauge("imgmatch_leases", "What is under way that must not run twice.", registry=self._registry)
        self._oldest = Gauge(
            "imgmatch_lease_oldest_seconds", "For how long the oldest of these is under way.", registry=self._registry
        )
        self._replies = Gauge(
            "imgmatch_shard_replies", "What became of replies of shards.", ("outcome",), registry=self._registry
        )

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is its pattern, never an id."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def text(self, index: Index, checks: int) -> bytes:
        """All of it."""
        self._checks.set(checks)
        self._waiting.set(index.queue(limit=1).waiting)
        self._photos.set(len(index))
        leases = index.leases()
        self._leases.set(len(leases))
        self._oldest.set(max((lease.seconds for lease in leases), default=0))
        self._set_shards(index)
        return generate_latest(self._registry)

    def _set_shards(self, index: Index) -> None:
        shards = index.shards()
        for name, gauge in self._shards.items():
            gauge.clear()
            for shard in shards:
                gauge.labels(shard.shard.split()[1]).set(getattr(shard, name))
        for outcome, count in index.parts.search.holders.counts.items():
            self._replies.labels(outcome).set(count)
