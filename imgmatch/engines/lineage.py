"""Whether the header and the engine files are of this catalog, in the state that it is in.

A catalog that was put back from an older copy gives row ids again that newer engine files hold already: what was
scanned since would never be read, and a photo would lead to the account of another one. So files that are not of this
catalog are made anew before anything is asked or written.
"""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from imgmatch.catalog.row_counts import last_given
from imgmatch.catalog.tokens import confirm_publication, make_own_token, own_token, publications
from imgmatch.engines.comparing import differing_buckets
from imgmatch.engines.header import FIRST_WITH_TOKENS, FORMAT_VERSION, Header, Snapshot
from imgmatch.engines.publishing import PUBLICATION, rebuild
from imgmatch.engines.rows import ENGINES
from imgmatch.engines.snapshots import read_token
from imgmatch.engines.sync import load_engine
from imgmatch.errors import IndexDamagedError, IndexReadOnlyError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.base import Catalog
    from imgmatch.catalog.session import Session
    from imgmatch.engines.base import Engine
    from imgmatch.engines.folder import Layout
    from imgmatch.engines.parts import Parts
    from imgmatch.engines.rows import EngineRows

_LOGGER = logging.getLogger(__name__)

_LOOKED_AGAIN = 5
"""How often the header is read again that another process has changed meanwhile."""

_COMPARED = 4_000
"""Row ids of an engine file without a token that are compared, the newest: a catalog put back gives those again."""


def ensure_own(parts: Parts) -> Header:
    """The header, which and whose engine files are of this catalog: if they were not, they are made anew.

    Raises:
        IndexDamagedError: they are not, and nothing can be written.
    """
    header, foreign = _looked_at(parts.folder, parts.catalog)
    if not foreign and header.catalog is not None:
        return header
    try:
        return _own(parts)
    except IndexReadOnlyError:
        if not foreign:
            return header
        said = "; ".join(foreign)
        raise IndexDamagedError(
            f"index {parts.name}: {said}; where the index can be written, imgmatch rebuild makes engine files"
            " anew from the catalog"
        ) from None


def _own(parts: Parts) -> Header:
    with parts.catalog.lease(parts.folder.noted_as(PUBLICATION), wait=math.inf) as lease:
        _, foreign = _looked_at(parts.folder, parts.catalog)
        if foreign:
            said = "; ".join(foreign)
            _LOGGER.warning("index %s: %s; engine files are made anew from the catalog", parts.name, said)
            rebuild(parts)
        with parts.catalog.write(lease) as session:
            token = make_own_token(session)
        return parts.folder.change_header(lambda header: replace(header, catalog=token))


def _looked_at(layout: Layout, catalog: Catalog) -> tuple[Header, list[str]]:
    """The header, and what it and the engine files are not of this catalog; whoever publishes meanwhile."""
    header = layout.header()
    for _ in range(_LOOKED_AGAIN):
        with catalog.read() as session:
            foreign = list(_foreign(session, layout, header))
        again = layout.header()
        if not foreign or again == header:
            break
        header = again
    return header, foreign


def _foreign(session: Session, layout: Layout, header: Header) -> Iterator[str]:
    if header.catalog is not None and header.catalog != own_token(session):
        yield "index.json is of another catalog"
    for rows in ENGINES:
        snapshot = rows.snapshot(header)
        if snapshot is None:
            continue
        if snapshot.token not in publications(session, layout.noted_as(rows.table)):
            yield f"{snapshot.file} is of another catalog, or of another state of this one"
        elif _file_token(layout, snapshot) not in {None, snapshot.token}:
            yield f"{snapshot.file} is not the file that index.json means"


def _file_token(layout: Layout, snapshot: Snapshot) -> str | None:
    """What the file itself says; ``None`` where it is missing or damaged, so that the catalog answers in its place."""
    try:
        return read_token(layout.snapshot_path(snapshot))
    except ValueError:
        return None


def adopt(layout: Layout, catalog: Catalog) -> Header:
    """Bring a header of an older format up to date: its engine files get the tokens that their checksums make.

    The catalog takes those for its own that it has given row ids enough for, of which it has as many rows as they hold,
    and the newest of these bit by bit: it was not put back from a copy of before. Others are left to
    :func:`ensure_own`, and what cannot be read is no longer named.

    Raises:
        IndexReadOnlyError: it cannot be written.
    """
    with catalog.lease(PUBLICATION, wait=math.inf) as lease:
        header = layout.header()
        if header.format >= FIRST_WITH_TOKENS:
            return header
        prints, features = (_with_token(layout, rows.snapshot(header)) for rows in ENGINES)
        header = replace(header, format=FORMAT_VERSION, snapshot=prints, features=features)
        for rows in ENGINES:
            with catalog.read() as session:
                token = _trusted(session, layout, header, rows)
            if token is not None:
                with catalog.write(lease) as session:
                    confirm_publication(session, layout.noted_as(rows.table), token)
        return layout.change_header(lambda _: header)


def _with_token(layout: Layout, snapshot: Snapshot | None) -> Snapshot | None:
    token = None if snapshot is None else _file_token(layout, snapshot)
    return None if snapshot is None or token is None else replace(snapshot, token=token)


def _trusted(session: Session, layout: Layout, header: Header, rows: EngineRows[Engine[Any]]) -> str | None:
    """The token of an engine file of before there were tokens, if it seems to be of this catalog as it is."""
    snapshot = rows.snapshot(header)
    if (
        snapshot is None
        or publications(session, layout.noted_as(rows.table))
        or snapshot.through > last_given(session, rows.table)
    ):
        return None
    engine = load_engine(rows, layout, header, verify=not rows.verified_by_reading)
    after = max(snapshot.through - _COMPARED, 0)
    try:
        same = engine is not None and not differing_buckets(session, rows, header, engine, after=after)
    except ValueError:  # the file is damaged
        return None
    return snapshot.token if same else None
