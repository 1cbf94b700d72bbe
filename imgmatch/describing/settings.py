"""What the workers of a pool compute."""

from __future__ import annotations

from dataclasses import dataclass, field

from imgmatch import registry
from imgmatch.imaging.limits import Limits


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker computes and what a photo may cost.

    Attributes:
        hashers: names of the fingerprints.
        limits: see there.
        features: whether local features are computed as well.
        thumbnails: whether a small grey picture is kept beside them, to verify a match with.
        codebook: name of what local features are coded by.
    """

    hashers: tuple[str, ...] = registry.DEFAULT_HASHERS
    limits: Limits = field(default_factory=Limits)
    features: bool = True
    thumbnails: bool = True
    codebook: str = registry.DEFAULT_CODEBOOK
