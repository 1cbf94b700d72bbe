"""``imgmatch serve``."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY, create_server
from socket import socket as Socket  # noqa: N812 -- a class
from typing import TYPE_CHECKING

import click

from imgmatch.cli import log, options
from imgmatch.cli.hma import hma_options, refuse_bad_hosts
from imgmatch.cli.porter import Porter
from imgmatch.cli.sinks import refuse_bad_sinks, sink_options
from imgmatch.model import RING_VERDICTS

if TYPE_CHECKING:
    from fastapi import FastAPI

    from imgmatch.homes import Home
    from imgmatch.web.settings import ServeSettings

_MEGABYTE = 1 << 20
_BACKLOG = 2_048


@click.command(short_help="The page for moderators, and the API.")
@options.index_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8_000, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--host-name", "hosts", multiple=True, metavar="NAME", help="A name this server goes by; several times.")
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Server processes.")
@options.workers_option
@click.option(
    "--uploads",
    metavar="FOLDER",
    default="",
    help="Where photos are kept that were asked about.  [default: a folder of temporary files]",
)
@click.option(
    "--upload-hours",
    type=options.FiniteRange(0, 24 * 31, min_open=True),
    default=8,
    show_default=True,
    help="How long they stay.",
)
@click.option("--upload-mb", type=click.IntRange(1, 1_024), default=64, show_default=True, help="Size of one request.")
@click.option("--keep-photos", metavar="FOLDER", help="Keep the files of photos that programs add here.")
@click.option(
    "--waiting",
    type=click.IntRange(1, 10_000),
    default=64,
    show_default=True,
    help="Checks under way or waiting; more are sent away.",
)
@click.option(
    "--checks-a-minute", type=click.IntRange(1), help="How often one caller may ask about photos.  [default: no limit]"
)
@click.option(
    "--cover",
    type=click.Choice(["grey", "blur", "none"]),
    default="grey",
    show_default=True,
    help="How pictures are covered until asked for.",
)
@click.option("--reason", "reasons", multiple=True, metavar="TEXT", help="A reason to choose from; several times.")
@click.option(
    "--require-reason",
    type=click.Choice(RING_VERDICTS),
    multiple=True,
    help="This verdict takes a reason; several times.",
)
@sink_options
@hma_options
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="A reverse proxy whose word on the client counts; several times.",
)
@click.option(
    "--user-header", metavar="HEADER", help="The header in which such a proxy names the user who is logged in."
)
def serve(
    *,
    index_path: Home,
    host: str,
    port: int,
    hosts: tuple[str, ...],
    processes: int,
    workers: int,
    uploads: str,
    upload_hours: float,
    upload_mb: int,
    keep_photos: str | None,
    waiting: int,
    checks_a_minute: int | None,
    cover: str,
    reasons: tuple[str, ...],
    require_reason: tuple[str, ...],
    webhook: str | None,
    coop_url: str | None,
    coop_type: str,
    coop_name_field: str | None,
    coop_policy: str | None,
    public_url: str | None,
    report_new_rings: tuple[str, ...],
    fetch_hosts: tuple[str, ...],
    allow_private: bool,
    remember_minutes: float,
    flood_hashes: int,
    proxies: tuple[str, ...],
    user_header: str | None,
) -> int:
    """Serve the page for moderators and the API over HTTP.

    At this machine's own address, and while there is neither a user nor a token, whoever is on this machine may do
    everything. Anywhere else somebody must be named first: imgmatch user add, or imgmatch user token add. For HTTPS put
    a reverse proxy before it (docs/serving.md).
    """
    from imgmatch import Index

    _refuse_missing()
    from imgmatch.web.settings import REASONS, ServeSettings
    from imgmatch.web.uploads import Uploads, default_folder

    local = _is_local(host)
    _refuse_bad_proxies(proxies)
    if user_header is not None and not proxies:
        raise click.UsageError("--user-header counts only from a --proxy")
    settings = ServeSettings(
        index=index_path if isinstance(index_path, str) else str(index_path.absolute()),
        workers=workers,
        local=local,
        uploads=uploads,
        upload_hours=upload_hours,
        upload_bytes=upload_mb * _MEGABYTE,
        most_waiting=waiting,
        checks_a_minute=checks_a_minute,
        photos=keep_photos,
        blur=cover,
        reasons=reasons or REASONS,
        require_reason=require_reason,
        webhook=webhook,
        coop_url=coop_url,
        coop_type=coop_type,
        coop_name_field=coop_name_field,
        coop_policy=coop_policy,
        public_url=public_url,
        report_new_rings=report_new_rings,
        hosts=hosts,
        user_header=user_header,
        proxies=proxies,
        log_json=log.is_json(),
        fetch_hosts=fetch_hosts,
        allow_private=allow_private,
        remember_minutes=remember_minutes,
        flood_hashes=flood_hashes,
    )
    refuse_bad_sinks(settings)
    refuse_bad_hosts(settings)
    with Porter(partial(listening, host, port)) as porter, Index.open(index_path) as index:
        named = index.people.has_people()
        if not named and (not local or proxies or hosts or user_header):
            raise click.UsageError(
                "whoever reaches it could do everything: add a user (imgmatch user add NAME) or a token first"
            )
        settings = replace(
            settings, is_open=not named, uploads=uploads or str(default_folder(index.parts.header.catalog or ""))
        )
        Uploads(Path(settings.uploads), settings.upload_hours)  # to see that they can be kept
    _run(settings, porter.socket or listening(host, port), processes)
    return 0


def application() -> FastAPI:
    """What each server process runs; it may be a new one, that knows of nothing."""
    from imgmatch.web.app import create_app
    from imgmatch.web.settings import ServeSettings

    settings = ServeSettings.from_environment()
    if settings.log_json:
        log.log_json()
    elif not log.is_set():
        log.log_lines()
    return create_app(settings)


def _refuse_missing() -> None:
    from imgmatch.errors import MissingExtraError

    try:
        import argon2  # noqa: F401 -- to see whether it is there
        import fastapi  # noqa: F401 -- likewise
        import httpx  # noqa: F401 -- likewise
        import prometheus_client  # noqa: F401 -- likewise
        import python_multipart  # noqa: F401 -- likewise
        import uvicorn  # noqa: F401 -- likewise
    except ImportError as error:
        raise MissingExtraError(f'serve needs {error.name}: pip install "imgmatch[serve]"') from None


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_bad_proxies(proxies: tuple[str, ...]) -> None:
    for proxy in proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            raise click.BadParameter(f"{proxy!r} is no address and no network", param_hint="--proxy") from None


def listening(host: str, port: int) -> Socket:
    """A socket that listens there, for all server processes."""
    family = AF_INET6 if ":" in host else AF_INET
    try:
        bound = create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        raise click.ClickException(f"{host} cannot be listened at by port {port}: {reason}; see --port") from None
    bound.set_inheritable(True)
    # Connections have it from here. asyncio leaves it out on a socket that it has not made itself, and each answer
    # after the first of a connection would wait 40 ms.
    bound.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    return bound


def _run(settings: ServeSettings, socket: Socket, processes: int) -> None:
    import uvicorn

    settings.to_environment()
    config = uvicorn.Config(
        f"{__name__}:{application.__name__}",
        factory=True,
        workers=processes,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=30,
    )
    with socket:
        address, bound = socket.getsockname()[:2]
        shown = f"[{address}]" if ":" in address else address
        if not settings.local and not settings.proxies:
            log.say(
                "passwords and photos go over plain HTTP: put a reverse proxy before it, and name it by --proxy",
                level=logging.WARNING,
            )
        log.say(f"imgmatch serves {settings.index} at http://{shown}:{bound} (Ctrl-C ends it)", port=bound)
        with contextlib.suppress(KeyboardInterrupt):  # the signal that ended it, once all requests are answered
            if processes > 1:
                from uvicorn.supervisors import Multiprocess

                Multiprocess(config, sockets=[socket]).run()
            else:
                server = uvicorn.Server(config)
                server.run(sockets=[socket])
                if not server.started:
                    raise click.ClickException("the server could not be started")
    log.say("the server has ended")
