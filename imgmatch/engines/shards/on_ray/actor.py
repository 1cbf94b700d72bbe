"""What runs on a node of the cluster: one shard, or one of those who hold the same one."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from imgmatch import registry
from imgmatch.catalog import migrations
from imgmatch.catalog.places import read_settings
from imgmatch.catalog.shards import read_shards
from imgmatch.catalog.tokens import own_token
from imgmatch.cluster.build import build_digest, told_build
from imgmatch.cluster.packing import NO_REPLIES, in_pieces, packed, unpacked
from imgmatch.engines.header import FORMAT_VERSION, Header, refuse_unknown_names
from imgmatch.engines.shards.division import Division
from imgmatch.engines.shards.shard import Shard
from imgmatch.errors import ImgmatchError, IndexDamagedError
from imgmatch.numeric import search_in_this_thread, use_one_thread

if TYPE_CHECKING:
    from imgmatch.catalog.shards import ShardRecord
    from imgmatch.cluster.packing import Message

ANSWER_PIECES = 6
"""A check's answer, of up to two thousand descriptors, is sent along in these."""

_ALL = 1 << 62
"""A row id that is beyond all."""


class ShardActor:
    """An actor of Ray, which several threads of it use. It opens the catalog by itself, and only reads it."""

    def __init__(self, home: str, number: int, token: str) -> None:
        """Begin to read; one that cannot reach the database now tries again when it is asked.

        Args:
            home: the URL of the database, without a password: the node knows it.
            number: of the shard, from 0.
            token: of the catalog.
        """
        self._home, self._number, self._token = home, number, token
        self._guard = threading.Lock()
        self._shard: Shard | None = None
        self._record: ShardRecord | None = None
        # One that Ray has started anew need not wait for a question to read its rows.
        threading.Thread(target=self._read, name="imgmatch-shard", daemon=True).start()

    def _read(self) -> None:
        search_in_this_thread()
        with contextlib.suppress(ImgmatchError):  # whoever asks is told
            shard, record = self._opened()
            if record is not None:
                wanted = {
                    "verb": "ready",
                    "shards": record.shards,
                    "version": record.version,
                    "through": [_ALL, _ALL],
                    "snapshots": record.snapshots,
                }
                shard.answer(wanted, b"")

    def answer(self, question: bytes, *body: bytes) -> tuple[bytes, ...]:
        """The answer to one question, whose head comes as a message, and whose body in pieces, as the answer does."""
        return tuple(in_pieces(packed([self._answered(question, b"".join(body))]), ANSWER_PIECES))

    def _answered(self, question: bytes, body: bytes) -> Message:
        search_in_this_thread()  # shards of one node would wake each other's threads
        try:
            ((head, _),) = unpacked(question)
            if head["build"] != build_digest():
                return {"strange": _node()}, told_build()
            return self._opened()[0].answer(head, body)
        except ImgmatchError as error:
            return {"error": str(error)}, b""
        except NO_REPLIES:
            return {"error": "what it was asked is no question"}, b""

    def _opened(self) -> tuple[Shard, ShardRecord | None]:
        with self._guard:
            if self._shard is None:
                use_one_thread()
                self._shard, self._record = opened_shard(self._home, self._number, self._token)
            return self._shard, self._record


def opened_shard(home: str, number: int, token: str) -> tuple[Shard, ShardRecord | None]:
    """A shard of the index in a database, which holds nothing yet, and how many the catalog says there are.

    Raises:
        IndexUnusableError: the database cannot be reached or read, or holds another index.
    """
    catalog = registry.open_catalog(home)
    try:
        migrations.refuse_newer(catalog.version())
        with catalog.read() as session:
            hashers, engine, codebook = read_settings(session)
            found, record = own_token(session), read_shards(session)
        _refuse_unless_same(found, token)
        header = Header(FORMAT_VERSION, hashers, engine, codebook, catalog=token)
        refuse_unknown_names("of the shards", header)
        if record is None:
            return Shard(catalog, header, number), None
        division = Division(record.shards, record.version)
        return Shard(catalog, header, number, record.snapshots, division), record
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
