"""Common pictures: default avatars, celebrities, memes. Anybody may carry them, so they tie nobody.

What tells them from a gang's picture is time: a gang opens its accounts within weeks, an avatar is taken by somebody
every week for years. So a picture is common when many accounts carry it and the middle half of them, by the time each
first showed it, spreads over months; or when so many carry it that no gang could.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.model import Purpose

if TYPE_CHECKING:
    from collections.abc import Collection

    from imgmatch.model import Photo

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class CommonCriteria:
    """From when a picture is taken for common.

    Attributes:
        accounts: so many must carry it,
        days: and the middle half of them must spread over so many days.
        always: from so many accounts on it is common however fast it spread.
    """

    accounts: int = 15
    days: float = 120.0
    always: int = 3_000

    def holds(self, photos: Collection[Photo], purposes: Collection[Purpose]) -> bool:
        """Whether a picture that these photos show, and that is on banks of these purposes, is common."""
        if Purpose.STOLEN in purposes:
            return False
        if Purpose.COMMON in purposes:
            return True
        first: dict[str, float] = {}
        for photo in photos:
            seen = photo.seen_at.timestamp()
            first[photo.account] = min(seen, first.get(photo.account, seen))
        if len(first) < self.accounts:
            return False
        early, late = np.percentile(list(first.values()), (25, 75))
        return len(first) >= self.always or (late - early) / _DAY >= self.days
