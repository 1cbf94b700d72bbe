"""Options of ``imgmatch serve`` for clients of HMA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgmatch.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from imgmatch.web.settings import ServeSettings

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS = (
    click.option(
        "--fetch-host",
        "fetch_hosts",
        multiple=True,
        metavar="HOST",
        help="A host that clients of HMA may have photos fetched from, by HTTPS unless it begins with http://;"
        " several times.",
    ),
    options.allow_private_option,
    click.option(
        "--remember-minutes",
        type=options.FiniteRange(0, 24 * 60),
        default=0,
        show_default=True,
        help="Remember photos that clients of HMA have hashed, so that lookups find crops of them; 0 is off.",
    ),
    click.option(
        "--flood-hashes",
        type=click.IntRange(1, 100_000),
        default=1_000,
        show_default=True,
        help="An entry of a bank that more different hashes hit within an hour is put in quarantine.",
    ),
)


def hma_options(command: Command) -> Command:
    """``--fetch-host`` and those beside it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def refuse_bad_hosts(settings: ServeSettings) -> None:
    """See that hosts are some, and that what fetches is installed.

    Raises:
        click.BadParameter: one is none.
        MissingExtraError: it is not.
    """
    from imgmatch.errors import MissingExtraError
    from imgmatch.web.hma.fetching import FetchHost

    for host in settings.fetch_hosts:
        try:
            FetchHost.of(host)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--fetch-host") from None
    if settings.fetch_hosts:
        try:
            import aiohttp  # noqa: F401 -- to see whether it is there
        except ImportError:
            raise MissingExtraError('--fetch-host needs aiohttp: pip install "imgmatch[serve,remote]"') from None
