"""A check as one HTML page that needs nothing else: the pictures of every match side by side, and aligned.

This brings Jinja2 and NumPy: import it where a page is asked for, not before.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from imgmatch.formats.records import moment
from imgmatch.formats.shown import Album, Section, Shown, ShownCheck, ShownMatch, card_of, section_of
from imgmatch.formats.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from imgmatch.model import Evidence

__all__ = ["Shown", "ShownCheck", "ShownMatch", "check_page", "compare_page"]

_PIECES = 64
"""So many bits of the template's output are joined to one piece of the page."""


def check_page(
    checks: Iterable[ShownCheck], *, at: datetime | None = None, checked: str | None = None
) -> Iterator[str]:
    """One HTML document, in pieces; ``checks`` is read as they are taken, so not all of it needs to fit into memory.

    Args:
        checks: the photos, in the order they are shown.
        at: when they were checked, with a time zone; now, if not given.
        checked: what was checked, in words; the photo's name if it is only one.
    """
    shown = iter(checks)
    first = tuple(islice(shown, 2))
    named = checked is not None or len(first) != 1
    title = checked or ("Several photos" if named else first[0].result.photo)
    album = Album()
    sections = (section_of(n, check, album, named=named) for n, check in enumerate(chain(first, shown), start=1))
    yield from _document("Photo check", title, sections, at)


def compare_page(
    query_name: str,
    stored_name: str,
    evidence: Evidence,
    is_match: bool,  # noqa: FBT001 -- as a comparison has them
    query: Shown,
    stored: Shown,
    *,
    at: datetime | None = None,
) -> str:
    """One HTML document on one pair of photos; ``at`` is when they were compared, with a time zone, by default now."""
    card = card_of("m1", evidence, (query, query_name), (stored, stored_name), Album())
    verdict = "Copies of one picture" if is_match else "Not held to be copies of one picture"
    section = Section("c1", query_name, verdict, "match" if is_match else "none", (card,), named=False)
    return "".join(_document("Photo comparison", f"{query_name} and {stored_name}", iter((section,)), at))


def _document(kind: str, title: str, sections: Iterator[Section], at: datetime | None) -> Iterator[str]:
    contents: list[Section] = []

    def listed() -> Iterator[Section]:
        for section in sections:
            # The list of contents needs no pictures.
            contents.append(replace(section, cards=(), lone=None, fresh=[]))
            yield section

    stream = (
        environment()
        .get_template("page.html.j2")
        .stream(
            kind=kind,
            title=title,
            at=at or datetime.now(UTC),
            version=version("imgmatch"),
            sections=listed(),
            contents=contents,
            style_hash=policy_hash("page.css"),
            script_hash=policy_hash("page.js"),
        )
    )
    stream.enable_buffering(_PIECES)
    yield from stream


@cache
def environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("imgmatch.formats"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printed,
    )
    environment.filters |= {"moment": moment, "minute": _minute}
    return environment


def _minute(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _printed(value: Any) -> Any:  # noqa: ANN401 -- whatever a template prints
    """Nothing a stranger wrote reorders what is read; it is escaped after that."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def policy_hash(name: str) -> str:
    """The hash by which the page's policy lets in its own style or script, as it stands between the tags."""
    text = environment().get_template(name).render()
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
