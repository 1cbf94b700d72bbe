"""Erasures under way, so that one that was cut off can be finished: what was asked for, and what is to be looked for.

Both are sealed: combined with noise that is drawn from a key in the same row. That keeps no secret while the row is
there. But it keeps what is erased out of every file as plain bytes, where a search for traces would find the very list
of what it looks for; and once the key is overwritten, as deleted rows are, what is left of the rest is noise.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from imgmatch import damage
from imgmatch.catalog import schema
from imgmatch.catalog.erasing import Erased
from imgmatch.model import account_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imgmatch.catalog.session import Session

_SEAL_BYTES = 32

_PIECE_BYTES = 4 << 20
"""A row holds so much of a portion: what a stranger calls his accounts must not make it longer than a row may be."""

_MORE, _LAST = b"+", b"."
"""What a piece begins with: whether more of its portion follows."""


class ErasureStage(StrEnum):
    """What an erasure has left to do."""

    REMOVING = "removing"
    """Rows are still there."""

    CLEARING = "clearing"
    """Rows are gone; engine files are to be written and the catalog is to be compacted, then files to be searched."""

    SEARCHED = "searched"
    """All is done, and traces were found: who erases the same again searches again."""


@dataclass(frozen=True, slots=True)
class BegunErasure:
    """An erasure that has not ended.

    Attributes:
        id: row id.
        seal: what its texts are sealed with.
        erased: what was asked for.
        masking: whether reasons of decisions are to be masked.
        stage: what is left to do.
        photos: how many photos it has removed so far.
    """

    id: int
    seal: bytes
    erased: Erased
    masking: bool
    stage: ErasureStage
    photos: int

    def is_of(self, erased: Erased) -> bool:
        """Whether this is what is asked for; of photos from before a moment, whatever the moment."""
        same = (self.erased.account, self.erased.photo_id) == (erased.account, erased.photo_id)
        return same and (self.erased.before is None) == (erased.before is None)


def has_begun(session: Session) -> bool:
    """Whether any erasure is under way, or was cut off."""
    return session.sql.scalar(select(schema.erasures.c.id).limit(1)) is not None


def count_begun(session: Session) -> int:
    """How many erasures are under way, or were cut off."""
    return session.sql.scalar(select(func.count()).select_from(schema.erasures)) or 0


def begun_erasures(session: Session) -> list[BegunErasure]:
    """All of them, the oldest first."""
    table = schema.erasures.c
    columns = (table.id, table.seal, table.named, table.stage, table.photos)
    found = []
    for row, seal, named, stage, photos in session.sql.execute(select(*columns).order_by(table.id)):
        try:
            account, photo_id, before, masking = json.loads(_sealed(seal, 0, named))
            erased = Erased(None if account is None else account_id(account), photo_id, before)
            found.append(BegunErasure(row, seal, erased, masking, ErasureStage(stage), photos))
        except (ValueError, TypeError):
            damage.note("erasures", "an erasure that was cut off cannot be finished by it: erase the same again")
    return found


def begin_erasure(session: Session, erased: Erased, *, masking: bool) -> BegunErasure:
    """Note that rows are being removed: anew, or in the row of an erasure of the same that has not ended."""
    table = schema.erasures
    known = next((one for one in begun_erasures(session) if one.is_of(erased)), None)
    seal = secrets.token_bytes(_SEAL_BYTES) if known is None else known.seal
    before = erased.before
    if known is not None:
        masking = masking or known.masking
        before = None if before is None else max(before, known.erased.before or before)
    whole = Erased(erased.account, erased.photo_id, before)
    named = _sealed(seal, 0, json.dumps([whole.account, whole.photo_id, whole.before, masking]).encode())
    values = {"seal": seal, "named": named, "stage": ErasureStage.REMOVING}
    if known is None:
        row = session.sql.execute(insert(table).values(photos=0, **values).returning(table.c.id)).scalar_one()
        return BegunErasure(row, seal, whole, masking, ErasureStage.REMOVING, 0)
    session.sql.execute(update(table).where(table.c.id == known.id).values(values))
    return BegunErasure(known.id, seal, whole, masking, ErasureStage.REMOVING, known.photos)


def add_portion(session: Session, begun: BegunErasure, gone: bytes, photos: int) -> None:
    """Note what the same transaction removes: what is to be looked for, and how many photos."""
    table, portions = schema.erasures, schema.erasure_portions
    counted = select(func.count()).select_from(portions).where(portions.c.erasure_id == begun.id)
    first = (session.sql.scalar(counted) or 0) + 1
    for number, start in enumerate(range(0, max(len(gone), 1), _PIECE_BYTES), first):
        piece = gone[start : start + _PIECE_BYTES]
        content = (_LAST if start + _PIECE_BYTES >= len(gone) else _MORE) + piece
        values = {"erasure_id": begun.id, "number": number, "gone": _sealed(begun.seal, number, content)}
        session.sql.execute(insert(portions).values(values))
    more = table.c.photos + photos
    session.sql.execute(update(table).where(table.c.id == begun.id).values(photos=more))


def read_portions(session: Session, begun: BegunErasure) -> Iterator[bytes]:
    """What was noted, portion by portion."""
    table = schema.erasure_portions.c
    query = select(table.number, table.gone).where(table.erasure_id == begun.id).order_by(table.number)
    pieces: list[bytes] = []
    for number, gone in session.sql.execute(query):
        content = _sealed(begun.seal, number, gone)
        pieces.append(content[1:])
        if content[:1] != _MORE:
            yield b"".join(pieces)
            pieces = []


def note_stage(session: Session, begun: BegunErasure, stage: ErasureStage) -> None:
    """Note what is left to do."""
    session.sql.execute(update(schema.erasures).where(schema.erasures.c.id == begun.id).values(stage=stage))


def end_erasure(session: Session, begun: BegunErasure) -> None:
    """Forget it: nothing is left to do."""
    session.sql.execute(delete(schema.erasures).where(schema.erasures.c.id == begun.id))


def _sealed(seal: bytes, place: int, content: bytes) -> bytes:
    """Content sealed, or what was sealed as it was; no two places of one seal have the same noise."""
    noise = hashlib.shake_256(seal + place.to_bytes(8)).digest(len(content))
    return (int.from_bytes(content) ^ int.from_bytes(noise)).to_bytes(len(content))
