"""What groups and rings are made with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imgmatch.clustering.common import CommonCriteria
from imgmatch.features import pair_model

if TYPE_CHECKING:
    from collections.abc import Mapping

_SLACK = 1e-6
"""By so much a bound on log odds is lowered, so that rounding leaves no pair out that its score lets in."""


@dataclass(frozen=True, slots=True)
class ClusteringOptions:
    """Thresholds, all of them settled; see :meth:`of`.

    Attributes:
        max_distance: bits in which the fingerprints of copies may differ.
        sure_distance: bits within which fingerprints are enough; pairs farther apart are aligned and compared, where
            features are kept.
        min_score: what a pair of pictures tied by features scores at least, 0..1.
        common: from when a picture is taken for common.
    """

    max_distance: int
    sure_distance: int
    min_score: float
    common: CommonCriteria

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> ClusteringOptions:
        """What :meth:`as_json` gave."""
        return cls(**dict(kept) | {"common": CommonCriteria(**kept["common"])})

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)

    @property
    def least_log_odds(self) -> float:
        """What the pair model gives a pair at least that ties pictures; a little less, for rounding."""
        if self.min_score <= 0:
            return -math.inf
        slope, shift = (float(one) for one in pair_model.shipped_for_pairs().calibration)
        log_odds = math.inf if self.min_score >= 1 else math.log(self.min_score / (1 - self.min_score))
        return (min(log_odds, 40.0) - shift) / slope - _SLACK
