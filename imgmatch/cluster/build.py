"""What a machine works with: two machines that differ in it may give different answers."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from imgmatch import registry
from imgmatch.features.pair_model import PAIR_MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

_ON_NODES = (
    "catalog",
    "cluster",
    "describing",
    "engines",
    "features",
    "hashers",
    "imaging",
    "joins",
    "matching",
    "model",
)
"""Packages that work on the nodes of a cluster, beside the modules of imgmatch itself."""

_LIBRARIES = ("faiss-cpu", "ImageHash", "Pillow", "pillow-heif", "scipy")

_DIGITS = 12


@cache
def own_build() -> Mapping[str, str]:
    """What is installed here, each under what a person calls it."""
    found = {
        "imgmatch": _version("imgmatch"),
        "source of imgmatch": _source_digest(),
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "NumPy": np.__version__,
        "OpenCV": cv2.__version__,
        "hashers": ", ".join(sorted(registry.HASHERS)),
        "pair model": hashlib.sha256(PAIR_MODEL_FILE.read_bytes()).hexdigest()[:_DIGITS],
    }
    return (
        found
        | {name: _version(name) for name in _LIBRARIES}
        | {f"codebook {name}": _codebook_digest(name) for name in registry.CODEBOOKS}
    )


def told_build() -> bytes:
    """What the node works with, as JSON."""
    return json.dumps(dict(own_build())).encode()


@cache
def build_digest() -> str:
    """A short text that is the same on two machines where :func:`own_build` is."""
    return hashlib.sha256(json.dumps(dict(own_build()), sort_keys=True).encode()).hexdigest()[:_DIGITS]


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """How another machine differs from this one, in words; empty where it does not."""
    return "; ".join(
        f"{name} {there.get(name, 'unknown')} (here {here.get(name, 'unknown')})"
        for name in dict.fromkeys([*here, *there])
        if there.get(name) != here.get(name)
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _source_digest() -> str:
    """Of the code that works on nodes: a version says nothing of a checkout that somebody works in."""
    home = Path(registry.__file__).parent
    files = [*home.glob("*.py"), *(file for name in _ON_NODES for file in (home / name).rglob("*.py"))]
    digest = hashlib.sha256()
    for file in sorted(files):
        text = file.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{file.relative_to(home).as_posix()} {len(text)}\n".encode() + text)
    return digest.hexdigest()[:_DIGITS]


def _codebook_digest(name: str) -> str:
    codebook = registry.codebook(name)
    digest = hashlib.sha256(codebook.name.encode())
    for field in fields(codebook):
        if isinstance(numbers := getattr(codebook, field.name), np.ndarray):
            digest.update(np.ascontiguousarray(numbers).tobytes())
    return digest.hexdigest()[:_DIGITS]
