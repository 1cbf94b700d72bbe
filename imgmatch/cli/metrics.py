"""``--metrics FILE``: what a command did, for Prometheus's node exporter to collect (its textfile collector)."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgmatch import own_files
from imgmatch.cli.options import check_folder
from imgmatch.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

metrics_option = click.option(
    "--metrics",
    "metrics_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was done here, as a textfile for Prometheus; it is replaced in one step.",
)


def check_metrics(path: Path | None) -> None:
    """See before the work that metrics can be written.

    Raises:
        MissingExtraError: what writes them is not installed.
        click.FileError: their folder is not there, or cannot be written.
    """
    if path is not None:
        _client()
        check_folder(path)


def write_metrics(
    path: Path | None, command: str, values: Mapping[str, float | Mapping[str, float]], *, shared: bool = False
) -> None:
    """One gauge for each value, named ``imgmatch_COMMAND_NAME``; a mapping is one gauge with a label ``of``.

    The time of writing is added as ``imgmatch_COMMAND_finished_timestamp_seconds``: alert on its age.

    Raises:
        MissingExtraError: what writes them is not installed.
        OSError: the file cannot be written.
    """
    if path is None:
        return
    client = _client()
    registry = client.CollectorRegistry()
    for name, value in values.items():
        said = f"What the last imgmatch {command} came to: {name.replace('_', ' ')}."
        if isinstance(value, (int, float)):
            client.Gauge(f"imgmatch_{command}_{name}", said, registry=registry).set(value)
        else:
            gauge = client.Gauge(f"imgmatch_{command}_{name}", said, ["of"], registry=registry)
            for label, number in value.items():
                gauge.labels(label).set(number)
    stamp = f"imgmatch_{command}_finished_timestamp_seconds"
    client.Gauge(stamp, f"When the last imgmatch {command} was done.", registry=registry).set(time.time())
    _replace(path, client.generate_latest(registry), own_files.kept_mode(path, shared=shared))


def _replace(path: Path, content: bytes, mode: int) -> None:
    """Write a file in one step, under the mode of the one it takes the place of, or of files of ours."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")  # the exporter reads *.prom alone
    try:
        with os.fdopen(own_files.create(new, mode), "wb") as file:
            file.write(content)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _client() -> ModuleType:
    try:
        import prometheus_client
    except ImportError:
        raise MissingExtraError('--metrics needs prometheus-client: pip install "imgmatch[metrics]"') from None
    return prometheus_client
