"""A process that writes to a catalog as it is told: python writers.py SCHEME HOME TASK ARGUMENT NUMBER."""

from __future__ import annotations

import hashlib
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog.accounts import store_accounts
from imgmatch.catalog.fingerprints import intern_fingerprints
from imgmatch.errors import LeaseLostError
from imgmatch.model import NewPhoto

if TYPE_CHECKING:
    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.session import Session

TTL = 3.0
"""Seconds that a sign of life of these processes counts."""

LEASE = "publication"


def open_here(scheme: str, home: str | Path, patience: float = 60.0) -> Catalog:
    opened: Catalog = registry.load(registry.CATALOGS[scheme])(home, patience=patience, lease_ttl=TTL)
    return opened


def value(seed: object) -> bytes:
    return hashlib.sha256(str(seed).encode()).digest()


def learn(session: Session, account: str, word: str) -> None:
    """Add a word to what is known of an account: what was known is read and written again."""
    photo = NewPhoto(account, Path("/photo"), "photo", "p", attributes={word: word})
    store_accounts(session, [(photo, 0)])


def words(catalog: Catalog, writer: str, count: int) -> None:
    """Each in a transaction of its own; every tenth is taken back."""
    for number in range(count):
        with suppress(KeyError), catalog.write() as session:
            learn(session, "shared", f"{writer}-{number}")
            take_back(number % 10 == 9)


def fingerprints(catalog: Catalog, writer: str, count: int) -> None:
    """One to four in each transaction; every seventh is taken back."""
    for number in range(count):
        with suppress(KeyError), catalog.write() as session:
            intern_fingerprints(session, "phash", [value((writer, number, one)) for one in range(number % 4 + 1)])
            take_back(number % 7 == 6)


def take_back(doing: bool) -> None:  # noqa: FBT001 -- it says so
    if doing:
        raise KeyError


def counting(catalog: Catalog, file: str, count: int) -> None:
    """Count in a file, which no lock but the lease protects."""
    for _ in range(count):
        with catalog.lease(LEASE, wait=60):
            number = int(Path(file).read_text(encoding="ascii"))
            time.sleep(0.001)
            Path(file).write_text(str(number + 1), encoding="ascii")


def hold(catalog: Catalog, word: str, _: int) -> None:
    """Hold the lease until a line is read, then try to write under it."""
    with catalog.lease(LEASE) as lease:
        tell("held")
        sys.stdin.readline()
        try:
            with catalog.write(lease) as session:
                learn(session, "shared", word)
            tell("written")
        except LeaseLostError:
            tell("lost")


def half(catalog: Catalog, word: str, _: int) -> None:
    """Never end a transaction."""
    with catalog.write() as session:
        learn(session, "shared", word)
        tell("half")
        sys.stdin.readline()


def tell(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def migrate(catalog: Catalog, _: str, __: int) -> None:
    catalog.migrate()


TASKS = {task.__name__: task for task in (words, fingerprints, counting, hold, half, migrate)}

if __name__ == "__main__":
    _, scheme, home, task, argument, number = sys.argv
    catalog = open_here(scheme, home)
    TASKS[task](catalog, argument, int(number))
    catalog.close()
