"""Options of ``imgmatch serve`` that say who is told of decisions and rings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from httpx import URL

    from imgmatch.web.settings import ServeSettings

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS = (
    click.option(
        "--webhook", metavar="URL", help="Tell this URL of each decision, signed with $IMGMATCH_WEBHOOK_SECRET."
    ),
    click.option(
        "--coop-url", metavar="URL", help="Report rings that are confirmed to this Coop, by the key $IMGMATCH_COOP_KEY."
    ),
    click.option("--coop-type", metavar="ID", default="", help="The item type that accounts have in Coop."),
    click.option("--coop-name-field", metavar="FIELD", help="The field of that type for the display name."),
    click.option("--coop-policy", metavar="ID", help="The policy of Coop that reports name as violated."),
    click.option("--public-url", metavar="URL", help="Where people open these pages, for links in reports."),
    click.option(
        "--report-new-rings",
        type=click.Choice(["coop", "webhook"]),
        multiple=True,
        help="Tell this one also of rings that a run has found and nobody has decided on; several times.",
    ),
)


def sink_options(command: Command) -> Command:
    """``--webhook`` and those beside it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_bad_sinks(settings: ServeSettings) -> None:
    """See that whoever is to be told can be.

    Raises:
        click.UsageError: a URL is none, or something is missing that goes with it.
    """
    from imgmatch.errors import ImgmatchError
    from imgmatch.web.settings import coop_key, webhook_secret

    _refuse_bad_url(settings.webhook, "--webhook")
    for url, option in ((settings.coop_url, "--coop-url"), (settings.public_url, "--public-url")):
        parsed = _refuse_bad_url(url, option)
        if parsed is not None and (parsed.userinfo or parsed.query or parsed.fragment):
            problem = "it takes no user, no password, no question mark and no #"
            raise click.BadParameter(problem, param_hint=option)
    if settings.coop_url is not None and not settings.coop_type:
        raise click.UsageError("--coop-url needs --coop-type, the id of the item type that accounts have there")
    for sink, url in (("coop", settings.coop_url), ("webhook", settings.webhook)):
        if sink in settings.report_new_rings and url is None:
            option = "--coop-url" if sink == "coop" else "--webhook"
            raise click.UsageError(f"--report-new-rings {sink} needs {option}")
    try:
        if settings.webhook is not None:
            webhook_secret()
        if settings.coop_url is not None:
            coop_key()
    except ImgmatchError as error:
        raise click.UsageError(str(error)) from None


def _refuse_bad_url(url: str | None, option: str) -> URL | None:
    import httpx

    if url is None:
        return None
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise click.BadParameter(f"{url!r} is no URL", param_hint=option)
    return parsed
