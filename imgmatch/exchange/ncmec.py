"""Lists as NCMEC's hash sharing gives them: images and videos with their hashes by type, and what was deleted.

::

    <queryResult xmlns="…">
      <images maxTimestamp="…">
        <image>
          <member id="42">…</member> <timestamp>…</timestamp> <id>image1</id> <classification>A1</classification>
          <fingerprints> <md5>…</md5> <pdq>…</pdq> … </fingerprints>
          <feedback> <affirmativeFeedback type="pdq"> <members> <member id="7">…</member> </members> … </feedback>
        </image>
        <deletedImage> <member id="43">…</member> <id>image4</id> <timestamp>…</timestamp> </deletedImage>

An id is of a member, so an entry is called by both: ``42-image1``. What was deleted is named by its id alone. Every
hash that is not the PDQ value of an image counts as one of another kind.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from imgmatch.errors import SourceError
from imgmatch.exchange.bounded_xml import read_xml
from imgmatch.exchange.cells import seconds_of
from imgmatch.exchange.entries import (
    MOST_SAID,
    BrokenOffError,
    OtherKindError,
    WithdrawnRef,
    bad_entry,
    kept,
    kept_ref,
    pdq_bytes,
    started,
)
from imgmatch.model import PDQ, ListedHash

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imgmatch.exchange.entries import Listed, ListOptions

_DELETED = "deleted"
_IMAGES = frozenset({"image", "deletedimage"})
_RECORDS = _IMAGES | {"video", "deletedvideo"}
_ROOT, _LISTS = "queryresult", frozenset({"images", "videos"})
_PARTS = frozenset({"id", "timestamp", "classification"})
_HASH_DEPTH = 2
_BY_ATTRIBUTE = frozenset({"fingerprint", "hash"})
_FEEDBACK = {"affirmativefeedback": "affirmative", "negativefeedback": "negative"}


def read_ncmec(stream: BinaryIO, options: ListOptions) -> Iterator[Listed]:
    """Read NCMEC's XML.

    Args:
        stream: open for reading bytes, at its beginning, able to go back there.
        options: nothing of them matters.

    Raises:
        SourceError: it is no XML, declares a document type, or holds no such list.
    """
    del options
    reading = _Reading()
    try:
        for _ in read_xml(stream, reading):
            while reading.found:
                yield reading.found.popleft()
    except BrokenOffError as error:
        yield from reading.found
        yield bad_entry(reading.number + 1, error)
    else:
        if not reading.is_list:
            raise SourceError(f"no list of NCMEC's: the XML is one of {started(reading.root)}")


class _Reading:
    """Collects what stands in a record until it ends.

    Attributes:
        found: what the records gave, and nobody has taken yet.
        number: how many records have ended.
        is_list: whether this is a list at all.
        root: name of the outermost element.
    """

    def __init__(self) -> None:
        self.found: deque[Listed] = deque()
        self.number = 0
        self.is_list = False
        self.root = ""
        self._record: _Record | None = None
        self._depth = 0

    def opened(self, name: str, attributes: Mapping[str, str], depth: int) -> None:
        """Begin a record, or something in one."""
        if depth == 1:
            self.root = name
        self.is_list |= name in _LISTS or name in _RECORDS or (depth == 1 and name == _ROOT)
        if self._record is not None:
            self._record.opened(name, attributes, depth - self._depth)
        elif name in _RECORDS:
            self._record, self._depth = _Record(name), depth

    def closed(self, name: str, text: str, depth: int) -> None:
        """End a record, or something in one."""
        if self._record is None:
            return
        if depth > self._depth:
            self._note(self._record.closed(name, text, depth - self._depth))
            return
        record, self._record = self._record, None
        try:
            entry = record.entry()
        except ValueError as error:
            self._note(error)
        else:
            if entry is not None:
                self.found.append(entry)
        self.number += 1

    def _note(self, error: ValueError | None) -> None:
        if error is not None:
            self.found.append(bad_entry(self.number + 1, error))


class _Record:
    """One image or video. Depths are counted from it: its own parts are 1 deep."""

    def __init__(self, name: str) -> None:
        self._is_image = name in _IMAGES
        self._is_deleted = name.startswith(_DELETED)
        self._parts: dict[str, str] = {}
        self._member = ""
        self._is_in_hashes = False
        self._kind = ""
        self._pdq: list[str] = []
        self._others = 0
        self._feedback = ""
        self._opinions: list[tuple[str, str]] = []

    def opened(self, name: str, attributes: Mapping[str, str], depth: int) -> None:
        """Something begins in it."""
        if depth == 1:
            self._is_in_hashes = name == "fingerprints"
            self._feedback = ""
            if name == "member":
                self._member = attributes.get("id", "")
        elif self._is_in_hashes and depth == _HASH_DEPTH:
            self._kind = attributes.get("type", name).lower() if name in _BY_ATTRIBUTE else name
        elif name in _FEEDBACK:
            is_ours = attributes.get("type", PDQ).lower() == PDQ
            self._feedback = _FEEDBACK[name] if is_ours else ""

    def closed(self, name: str, text: str, depth: int) -> ValueError | None:
        """Something in it ends; returns what cannot be used of it."""
        if depth == 1:
            self._is_in_hashes = False
            if name in _PARTS:
                self._parts.setdefault(name, text)
        elif self._is_in_hashes and depth == _HASH_DEPTH:
            return self._add_hash(text)
        elif name == "member" and self._feedback and len(self._opinions) < MOST_SAID:
            self._opinions.append((kept(text) or "", self._feedback))
        return None

    def _add_hash(self, text: str) -> ValueError | None:
        if self._kind != PDQ or not self._is_image:
            self._others += 1
            what = "" if self._is_image else " of a video"
            return OtherKindError(f"Of the kind {started(self._kind)}{what}, which is left.")
        if self._pdq:
            return ValueError(f"The record has a second PDQ value: {started(text)}")
        self._pdq.append(text)
        return None

    def entry(self) -> ListedHash | WithdrawnRef | None:
        """What the record says; ``None`` where its hashes were counted as of other kinds.

        Raises:
            ValueError: it cannot be used.
        """
        own_id = self._parts.get("id", "")
        ref = kept_ref("-".join(filter(None, (self._member, own_id)))) if own_id else None
        if not self._pdq:
            return self._without_hash(ref)
        return ListedHash(
            pdq_bytes(self._pdq[0]),
            ref=ref,
            withdrawn=self._is_deleted,
            modified=self._modified(),
            category=kept(self._parts.get("classification", "")),
            opinions=tuple(self._opinions),
        )

    def _without_hash(self, ref: str | None) -> WithdrawnRef | None:
        if self._is_deleted:
            if not self._is_image:
                raise OtherKindError("A video was deleted, which is left.")
            if ref is None:
                raise ValueError("What was deleted has no id.")
            return WithdrawnRef(ref, self._modified())
        if not self._others:
            raise ValueError("The record has no hash.")
        return None

    def _modified(self) -> int | None:
        return seconds_of(self._parts.get("timestamp", ""))
