"""Joining a cluster, or starting a private one, and asking its nodes what they work with."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from imgmatch.cluster.build import differences, own_build, told_build
from imgmatch.errors import ImgmatchError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "local"
"""The address of a private cluster on this machine alone."""

_STORE_BYTES = 256 << 20
"""Shared memory of a private cluster: what is in flight, which is bounded; it takes no more than it fills."""

_KNOCK_SECONDS = 20.0

_JOIN_TRIES = 3

_PAUSE_SECONDS = 2.0

_MOST_SAID = 300

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # no warning of what a later Ray will do
    "RAY_NUM_REDIS_GET_RETRIES": "2",  # a port that is no cluster's would be tried for a quarter of an hour
}


def ray_api() -> Any:  # noqa: ANN401 -- its types differ by version, and where it is not installed there are none
    """The module ``ray``.

    Raises:
        ImportError: it is not installed.
    """
    import ray.exceptions  # noqa: PLC0415 -- an extra
    import ray.util.scheduling_strategies  # noqa: PLC0415 -- likewise

    return ray


def prepare(address: str) -> None:
    """Set what Ray reads from the environment, before it is loaded."""
    os.environ.update(_QUIET)
    if address != LOCAL:
        return
    os.environ.pop("RAY_ADDRESS", None)
    # Whoever may speak to Ray may run what he likes: it listens on the loopback alone, and to those who know a token.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


@contextmanager
def joined(address: str, workers: int, folder: str | None) -> Iterator[None]:
    """A connection to the cluster at ``address`` for as long as the block lasts.

    Args:
        address: as ``ray.init`` takes it, or ``LOCAL``.
        workers: processors of a private cluster.
        folder: where a private cluster keeps its files.

    Raises:
        ImgmatchError: there is no such cluster, or it cannot be spoken to.
    """
    ray = ray_api()
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    try:
        if address == LOCAL:
            ray.init(
                LOCAL,
                num_cpus=workers,
                num_gpus=0,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                _temp_dir=folder,
                **quiet,
            )
        else:
            _knock(address)
            _join(address, quiet)
    except Exception as error:  # Ray raises all kinds: ConnectionError, RuntimeError, its own
        raise ImgmatchError(f"the Ray cluster at {address} cannot be reached: {last_line(error)}") from error
    try:
        # Ray sets a handler of its own. Whoever signals all processes means the one that this one works for.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if address == LOCAL and (ip := ray.util.get_node_ip_address()) not in {"127.0.0.1", "::1"}:
            raise ImgmatchError(f"this version of Ray would listen at {ip}, where others may reach it")
        yield
    finally:
        ray.shutdown()


def _join(address: str, options: dict[str, Any]) -> None:
    ray = ray_api()
    for left in reversed(range(_JOIN_TRIES if "://" in address else 1)):
        try:
            ray.init(address, **options)
        except (ConnectionError, RuntimeError):  # the head starts a process for each client, which may fail it once
            if not left:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _knock(address: str) -> None:
    """See that somebody listens at an address; Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.port is not None:  # Ray looks for other addresses itself, such as "auto"
        socket.create_connection((place.hostname or "", place.port), _KNOCK_SECONDS).close()


def refuse_strange_nodes(seconds: float, work: str) -> None:
    """See that every node that has processors works as this machine does.

    Args:
        seconds: in which every node answers.
        work: what messages call what nodes are for, such as ``describe photos``.

    Raises:
        ImgmatchError: a node does not, or does not say; all those are named.
    """
    ray = ray_api()
    pinned = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    asked = {
        ray.remote(num_cpus=0, scheduling_strategy=pinned(node_id, soft=False))(told_build).remote(): (node_id, name)
        for node_id, name in working_nodes().items()
    }
    if not asked:
        return
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
    strange = [
        f"node {name} {why}"
        for ref, (node_id, name) in asked.items()
        if (why := _strange(ref, seconds, work, has_answered=ref in done)) and node_id in working_nodes()
    ]
    if strange:
        raise ImgmatchError("; ".join([*strange, "install the same on every node"]))


def _strange(ref: Any, seconds: float, work: str, *, has_answered: bool) -> str:  # noqa: ANN401 -- Ray's reference
    """What is wrong with a node, in words; empty where nothing is."""
    ray = ray_api()
    if not has_answered:
        return f"did not answer within {seconds:g} seconds"
    try:
        other = differences(own_build(), json.loads(ray.get(ref)))
    except (ray.exceptions.RayError, ValueError, AttributeError) as error:
        return f"cannot {work}: {last_line(error)}"
    return f"has {other}" if other else ""


def working_nodes() -> dict[str, str]:
    """The nodes that are alive and have processors: what to call each, by its id."""
    ray = ray_api()
    return {
        node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']}, {node['NodeID'][:8]})"
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU")
    }


def free_room() -> str:
    """How many processors the cluster has, and how many nobody uses, in words."""
    ray = ray_api()
    has, free = (found.get("CPU", 0) for found in (ray.cluster_resources(), ray.available_resources()))
    return f"it has {has:g}, of which {free:g} are free"


def last_line(error: BaseException) -> str:
    """What an error says, without its traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:_MOST_SAID] if lines else type(error).__name__
