"""What all tests share: where the real photos lie, and skipping where they do not."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import hypothesis
import pytest

from imgmatch.cores import usable_cores

pytest_plugins = [
    "browsing",
    "planting",
    "serving",
    "hma_client",
    "once",
    "postgresql_server",
    "unsynced",
    "warm",
]

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests run beside each other: a thread of FAISS that waits must not spin on the core that another test needs.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The same values in each run, and no deadline: on a busy machine any example may take a second.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.load_profile("same")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Half as many processes again as there are cores: a fifth of the time tests wait for what they have started."""
    cores = usable_cores()
    return cores + cores // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SHARED.is_dir():
        return
    skip = pytest.mark.skip(reason="the folder ../shared is not here")
    for item in items:
        if item.get_closest_marker("shared"):
            item.add_marker(skip)


def pytest_collection_finish() -> None:
    """Thousands of tests and all libraries stay till the end: the garbage collector need not look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    return SHARED
