"""What runs on a node of the cluster: one shard, or one of those who hold the same one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog import migrations
from imgmatch.catalog.places import read_settings
from imgmatch.catalog.tokens import own_token
from imgmatch.cluster.build import build_digest, told_build
from imgmatch.cluster.packing import NO_REPLIES, packed, unpacked
from imgmatch.engines.header import FORMAT_VERSION, Header, refuse_unknown_names
from imgmatch.engines.shards.shard import Shard
from imgmatch.errors import ImgmatchError, IndexDamagedError
from imgmatch.numeric import use_one_thread

if TYPE_CHECKING:
    from imgmatch.cluster.packing import Message


class ShardActor:
    """An actor of Ray, which several threads of it use. It opens the catalog by itself, and only reads it."""

    def __init__(self, home: str, number: int, token: str) -> None:
        """Nothing is opened before the first question: one that cannot reach the database now may do so later.

        Args:
            home: the URL of the database, without a password: the node knows it.
            number: of the shard, from 0.
            token: of the catalog.
        """
        self._home, self._number, self._token = home, number, token
        self._guard = threading.Lock()
        self._shard: Shard | None = None

    def answer(self, question: bytes, body: bytes) -> bytes:
        """The answer to one question, whose head comes as a message."""
        return packed([self._answered(question, body)])

    def _answered(self, question: bytes, body: bytes) -> Message:
        try:
            ((head, _),) = unpacked(question)
            if head["build"] != build_digest():
                return {"strange": _node()}, told_build()
            return self._opened().answer(head, body)
        except ImgmatchError as error:
            return {"error": str(error)}, b""
        except NO_REPLIES:
            return {"error": "what it was asked is no question"}, b""

    def _opened(self) -> Shard:
        with self._guard:
            if self._shard is None:
                use_one_thread()
                self._shard = opened_shard(self._home, self._number, self._token)
            return self._shard


def opened_shard(home: str, number: int, token: str) -> Shard:
    """A shard of the index in a database, which holds nothing yet.

    Raises:
        IndexUnusableError: the database cannot be reached or read, or holds another index.
    """
    catalog = registry.open_catalog(home)
    try:
        migrations.refuse_newer(catalog.version())
        with catalog.read() as session:
            hashers, engine, codebook = read_settings(session)
            found = own_token(session)
        _refuse_unless_same(found, token)
        header = Header(FORMAT_VERSION, hashers, engine, codebook, catalog=token)
        refuse_unknown_names("of the shards", header)
        return Shard(catalog, header, number)
    except BaseException:
        catalog.close()
        raise


def _refuse_unless_same(found: str | None, token: str) -> None:
    if found != token:
        raise IndexDamagedError("the database holds another index by now: start its shards anew")


def _node() -> str:
    import ray  # noqa: PLC0415 -- an extra, which is where this runs

    context = ray.get_runtime_context()
    return f"{context.get_node_id()[:8]}"
