"""The verbs of an index over HTTP: what ``imgmatch serve`` answers, as the same values. An extra: ``client``."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from imgmatch.errors import (
    ConflictError,
    ImgmatchError,
    IndexLockedError,
    IndexUnusableError,
    MissingExtraError,
    NotAllowedError,
    NotFoundError,
    PhotoError,
    SkipReason,
    TooManyTriesError,
)
from imgmatch.formats import parsed
from imgmatch.model import Picture, QueueOrder, QueueState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    import httpx

    from imgmatch.model import (
        AccountView,
        Change,
        CheckResult,
        Comparison,
        Decision,
        Erasure,
        IndexStatus,
        Ring,
        RingQueue,
        Verdict,
    )

Key = TypeVar("Key", bound="str | tuple[str, int]")
PhotoLike = str | os.PathLike[str] | bytes
"""A file of this machine, or the bytes of one."""

_AT_ONCE, _AT_ONCE_BYTES = 16, 16 << 20
_UNNAMED = "-"


class Client:
    """An index that is served somewhere: its verbs, with the same values and the same errors.

    Whoever decides and erases is named by the token. Safe to use from several threads at once.

        with Client("https://imgmatch.example", token=os.environ["IMGMATCH_TOKEN"]) as client:
            for match in client.check("suspect.jpg"):
                print(match.photo.account, match.evidence.score)
    """

    def __init__(self, url: str, *, token: str | None = None, timeout: float = 60.0) -> None:
        """Talk to the server at this URL.

        Args:
            url: where it is, without ``/api``.
            token: what it knows us by; without one only a server of this machine that names nobody answers.
            timeout: seconds that an answer may take.

        Raises:
            MissingExtraError: httpx is not installed.
            ValueError: that is no URL.
        """
        try:
            import httpx  # noqa: PLC0415 -- an extra
        except ImportError:
            raise MissingExtraError('a client needs httpx: pip install "imgmatch[client]"') from None
        headers = {"Accept": "application/json"} | ({} if token is None else {"Authorization": f"Bearer {token}"})
        try:
            self._http = httpx.Client(base_url=f"{url.rstrip('/')}/api/v1", headers=headers, timeout=timeout)
        except httpx.InvalidURL as error:
            raise ValueError(f"{url!r} is no URL: {error}") from None
        self._unreachable = httpx.HTTPError

    # -- reading ------------------------------------------------------------------------------------------------

    def check(
        self,
        photo: PhotoLike,
        *,
        account: str | None = None,
        limit: int = 20,
        max_distance: int | None = None,
        related: bool = False,
        min_score: float | None = None,
        deadline: float | None = None,
    ) -> CheckResult | None:
        """Which accounts carry this photo; see :meth:`imgmatch.Index.check`.

        Args:
            photo: a file, or the bytes of one.
            account: leave out this account's own photos.
            limit: how many accounts at the most, the best first.
            max_distance: bits in which a copy's fingerprint may differ.
            related: also give what is no copy.
            min_score: what a copy scores at least.
            deadline: seconds; ``None`` waits for the answer.

        Returns:
            what was found; ``None`` where there was no answer within the deadline.
        """
        found = self._checked(
            [_Sent.of(photo)],
            account=account,
            limit=limit,
            max_distance=max_distance,
            related=related,
            min_score=min_score,
            deadline=deadline,
        )
        return found[0] if found else None

    def check_many(
        self,
        photos: Iterable[PhotoLike],
        *,
        account: str | None = None,
        limit: int = 20,
        max_distance: int | None = None,
        related: bool = False,
        min_score: float | None = None,
    ) -> Iterator[CheckResult]:
        """Which accounts carry each photo, in order; several are sent at once."""
        options = {"account": account, "limit": limit, "max_distance": max_distance, "related": related}
        waiting: list[_Sent] = []
        for photo in map(_Sent.of, photos):
            if waiting and (len(waiting) == _AT_ONCE or sum(map(len, waiting)) + len(photo) > _AT_ONCE_BYTES):
                yield from self._checked(waiting, **options, min_score=min_score)
                waiting = []
            waiting.append(photo)
        if waiting:
            yield from self._checked(waiting, **options, min_score=min_score)

    def _checked(self, photos: Sequence[_Sent], **options: Any) -> list[CheckResult]:  # noqa: ANN401 -- fields of a form
        files = [("photo", photo.file) for photo in photos]
        answer = self._read("POST", "/check", files=files, data=_given(options))
        found = map(parsed.parsed_check, answer["results"])
        return [replace(one, photo=photo.name) for one, photo in zip(found, photos, strict=bool(answer["results"]))]

    def check_fingerprint(
        self, fingerprint: str, *, account: str | None = None, limit: int = 20, max_distance: int | None = None
    ) -> CheckResult:
        """Which accounts carry a picture of this fingerprint; see :meth:`imgmatch.Index.check_fingerprint`."""
        query = {"fingerprint": fingerprint, "account": account, "limit": limit, "max_distance": max_distance}
        return parsed.parsed_check(self._read("POST", "/check/fingerprint", json=query))

    def compare(self, query: PhotoLike, stored: PhotoLike, *, max_distance: int | None = None) -> Comparison:
        """The evidence for two photos being copies of one picture; see :meth:`imgmatch.Index.compare`."""
        one, other = _Sent.of(query), _Sent.of(stored)
        files, data = [("query", one.file), ("stored", other.file)], _given({"max_distance": max_distance})
        found = parsed.parsed_comparison(self._read("POST", "/compare", files=files, data=data))
        return replace(found, query=one.name, stored=other.name)

    def account(self, account: str) -> AccountView:
        """One account, with all that is known of it; see :meth:`imgmatch.Index.account`."""
        return parsed.parsed_account(self._read("GET", "/account", params={"id": account}))

    def ring(self, ring: str) -> Ring:
        """One ring; see :meth:`imgmatch.Index.ring`."""
        return parsed.parsed_ring(self._read("GET", f"/rings/{_quoted(ring)}"))

    def queue(
        self,
        *,
        state: QueueState = QueueState.WAITING,
        order: QueueOrder = QueueOrder.NEW,
        search: str = "",
        change: Change | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> RingQueue:
        """A part of the queue of rings; see :meth:`imgmatch.Index.queue`."""
        params = _given(
            {"state": state, "order": order, "search": search, "change": change, "limit": limit, "after": after}
        )
        return parsed.parsed_queue(self._read("GET", "/rings", params=params))

    def decisions(self, *, limit: int = 50, before: int | None = None, by: str | None = None) -> list[Decision]:
        """What was decided, the latest first; see :meth:`imgmatch.Index.decisions`."""
        params = _given({"limit": limit, "before": before, "by": by})
        answer = self._read("GET", "/decisions", params=params)
        return [parsed.parsed_decision(record) for record in answer["decisions"]]

    def pictures(self, photo_ids: Iterable[Key], *, side: int = 640) -> dict[Key, Picture]:
        """Stored photos as they can be shown, without their size; see :meth:`imgmatch.Index.pictures`."""
        found: dict[Key, Picture] = {}
        for key in photo_ids:
            photo_id, frame = (key, None) if isinstance(key, str) else key
            try:
                answer = self._asked(
                    "GET", "/picture", params=_given({"photo_id": photo_id, "frame": frame, "side": side})
                )
            except NotFoundError:
                continue
            found[key] = Picture(answer.content, note=answer.headers.get("X-Imgmatch-Note"))
        return found

    def status(self) -> IndexStatus:
        """How much the index holds, and whether its files are whole; see :meth:`imgmatch.Index.status`."""
        return parsed.parsed_status(self._read("GET", "/status"))

    def banks(self) -> dict[str, int]:
        """How many pictures are on each list of known ones."""
        return {one["bank"]: one["entries"] for one in self._read("GET", "/banks") if one["entries"]}

    # -- writing ------------------------------------------------------------------------------------------------

    def decide(
        self,
        verdict: Verdict,
        *,
        ring: str | None = None,
        group: str | None = None,
        pair: tuple[str, str] | None = None,
        reason: str | None = None,
        expect: str | None = None,
    ) -> Decision:
        """Confirm, dismiss or mark as common a ring, a group or a pair of photos; see :meth:`imgmatch.Index.decide`."""
        query = {
            "verdict": str(verdict),
            "ring": ring,
            "group": group,
            "pair": pair,
            "reason": reason,
            "expect": expect,
        }
        return parsed.parsed_decision(self._read("POST", "/decisions", json=query))

    def undo(self, number: int, *, reason: str | None = None) -> Decision:
        """Take a decision back, by one more; see :meth:`imgmatch.Index.undo`."""
        return parsed.parsed_decision(self._read("POST", f"/decisions/{number}/undo", json={"reason": reason}))

    def add_photo(
        self, data: bytes, *, photo_id: str, account: str, name: str | None = None, seen_at: datetime | None = None
    ) -> str:
        """Add one photo, or replace the one of that id; see :meth:`imgmatch.Index.add_photo`."""
        form = _given({"account": account, "name": name, "seen_at": None if seen_at is None else seen_at.isoformat()})
        files = [("photo", _Sent.of(data).file)]
        return str(self._read("PUT", "/photo", params={"photo_id": photo_id}, files=files, data=form)["state"])

    def remove(self, *, photo_id: str) -> int:
        """Remove a photo that is merely no longer wanted; returns how many there were."""
        return int(self._read("DELETE", "/photo", params={"photo_id": photo_id})["removed"])

    def erase(self, *, account: str | None = None, photo_id: str | None = None, mask_reasons: bool = False) -> Erasure:
        """Remove an account or a photo everywhere, with proof; see :meth:`imgmatch.Index.erase`."""
        query = {"account": account, "photo_id": photo_id, "mask_reasons": mask_reasons}
        return parsed.parsed_erasure(self._read("POST", "/erasures", json=query, timeout=None))

    # -- calls --------------------------------------------------------------------------------------------------

    def _read(self, method: str, path: str, **options: Any) -> Any:  # noqa: ANN401 -- whatever JSON holds
        answer = self._asked(method, path, **options)
        try:
            return answer.json()
        except ValueError:
            raise IndexUnusableError(f"{self._http.base_url}: what answers there is no imgmatch") from None

    def _asked(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 -- as httpx has them
        try:
            answer = self._http.request(method, path, **options)
        except self._unreachable as error:
            raise IndexUnusableError(f"{self._http.base_url}: {error}") from error
        if answer.is_success:
            return answer
        raise _error_of(answer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_ERRORS: dict[int, type[ImgmatchError]] = {
    404: NotFoundError,
    409: ConflictError,
    423: IndexLockedError,
    503: IndexUnusableError,
    507: IndexUnusableError,
}


def _error_of(answer: httpx.Response) -> Exception:
    """What the server has answered, as the index itself would have raised it."""
    try:
        problem = answer.json()
        detail, reason = str(problem["detail"]), problem.get("reason")
    except (ValueError, KeyError, TypeError, AttributeError):
        detail, reason = f"the server answers {answer.status_code}", None
    match answer.status_code:
        case 401 | 403:
            return NotAllowedError(detail, is_unknown=answer.status_code == 401)  # noqa: PLR2004 -- Unauthorized
        case 429 | 503 if "retry-after" in answer.headers:
            wait = answer.headers["retry-after"]
            return TooManyTriesError(detail, retry_after=int(wait) if wait.isascii() and wait.isdigit() else 1)
        case 422 if reason is not None:
            return PhotoError(SkipReason(reason), detail.removeprefix(f"{reason}: "))
        case 422:
            return ValueError(detail)
        case status:
            return _ERRORS.get(status, ImgmatchError)(detail)


@dataclass(frozen=True, slots=True)
class _Sent:
    """A photo on its way: the name its answer carries here, and its bytes; elsewhere its path is nobody's business."""

    name: str
    data: bytes

    @classmethod
    def of(cls, photo: PhotoLike) -> _Sent:
        """The bytes of a file, or those that are here.

        Raises:
            PhotoError: there is no such file, or it cannot be read.
        """
        if isinstance(photo, bytes):
            return cls(_UNNAMED, photo)
        try:
            return cls(os.fspath(photo), Path(photo).read_bytes())
        except FileNotFoundError:
            raise PhotoError(SkipReason.MISSING, f"{os.fspath(photo)} is not there") from None
        except OSError as error:
            raise PhotoError(SkipReason.UNREADABLE, f"{os.fspath(photo)}: {error.strerror}") from None

    def __len__(self) -> int:
        return len(self.data)

    @property
    def file(self) -> tuple[str, bytes]:
        """As a form has it."""
        return Path(self.name).name.encode("utf-8", "backslashreplace").decode(), self.data


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _quoted(name: str) -> str:
    return quote(name, safe="")
