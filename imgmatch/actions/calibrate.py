"""Calibrate scores on an operator's own decisions, and forecast how often a check will be wrong in this index."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from imgmatch.actions.check import check
from imgmatch.catalog.calibrations import Calibration, latest_calibration, store_calibration
from imgmatch.catalog.lookups import account_of, counts, every_photo_id, files_of
from imgmatch.describing.messages import Description, job_of
from imgmatch.errors import ConflictError
from imgmatch.features import pair_model as rules
from imgmatch.matching.verification import CheckOptions, Verifier, calibrated
from imgmatch.model import FORECAST_SAMPLE, Forecast, Kind, NamedPhoto, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from imgmatch.engines.parts import Parts
    from imgmatch.features.pair_model import PairModel
    from imgmatch.model import Labelled

LEAST_OF_EACH = 10
"""Copies, and strangers, without which a fit would be guesswork."""

TRUST = 0.02
"""How strongly the fit is held to what ships: as by some tens of pairs."""

SEED = 1
_ALL = 1_000_000


def calibrate(
    parts: Parts,
    pairs: Iterable[Labelled] = (),
    *,
    checks: int | None = None,
    false_per_1000: float | None = None,
    sample: int = FORECAST_SAMPLE,
) -> Forecast:
    """Fit the scores to ``pairs``, if there are any, and forecast the false answers of this index.

    Args:
        parts: of the index where it is kept, and whose photos are checked against each other.
        pairs: what people have decided.
        checks: checks a night; ``None`` takes as many as there are photos.
        false_per_1000: choose the score from which candidates are accepted so that so many false answers are to be
            expected; ``None`` leaves it.
        sample: how many stored photos to check for the forecast.

    Raises:
        ConflictError: there are too few pairs of one kind.
        IndexUnusableError: the index cannot be written.
    """
    with parts.catalog.read() as session:
        known = latest_calibration(session)
    rule = calibrated(rules.shipped(), known)
    labelled = list(pairs)
    fitted = known.pairs if known else 0
    if labelled:
        odds, copies = _log_odds(parts, rule, labelled)
        rule, fitted = replace(rule, calibration=_fit(odds, copies)), len(odds)
    scores, sampled = _answers(parts, rule, sample)
    if false_per_1000 is not None and sampled:
        rule = replace(rule, accept=_threshold(scores, sampled, false_per_1000))
    if labelled or false_per_1000 is not None:
        _keep(parts, rule, fitted)
    expected = float((1 - scores[scores >= rule.accept]).sum()) / max(sampled, 1)
    if checks is None:
        with parts.catalog.read() as session:
            checks = counts(session)["photos"]
    return Forecast(
        round(rule.accept, 4),
        fitted,
        len(labelled) - fitted if labelled else 0,
        sampled,
        round(1000 * expected, 3),
        checks,
        round(checks * expected, 2),
    )


def _keep(parts: Parts, rule: PairModel, pairs: int) -> None:
    slope, shift = rule.calibration.tolist()
    with parts.catalog.write() as session:
        store_calibration(session, Calibration(slope, shift, rule.accept, pairs))


def _log_odds(
    parts: Parts, rule: PairModel, pairs: Sequence[Labelled]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The pair model's own log odds for each usable pair, and whether it is one of copies."""
    jobs = [(pair.query, job_of(pair.query, query=True)) for pair in pairs]
    jobs += [(pair.stored, job_of(pair.stored)) for pair in pairs]
    replies = [reply for _, reply in parts.runner.describe(jobs, lambda item: item[1])]
    verifier = Verifier(parts.codebook, parts.hasher_name, rule)
    odds, copies = [], []
    for pair, query, stored in zip(pairs, replies[: len(pairs)], replies[len(pairs) :], strict=True):
        if isinstance(query, Description) and isinstance(stored, Description):
            found = verifier.pair_odds(query, stored, parts.hasher.profile.max_distance)
            if found is not None:
                odds.append(found)
                copies.append(pair.copy)
    return np.array(odds), np.array(copies, dtype=bool)


def _fit(odds: NDArray[np.float64], copies: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slope and shift of a logistic line (Platt, 1999), held to those that ship by ``TRUST``."""
    from scipy.optimize import minimize  # noqa: PLC0415 -- half a second that no other verb needs

    if min(copies.sum(), (~copies).sum()) < LEAST_OF_EACH:
        raise ConflictError(
            f"{copies.sum()} pairs of copies and {(~copies).sum()} of strangers are usable; "
            f"at least {LEAST_OF_EACH} of each are needed"
        )
    ships = rules.shipped().calibration
    sign = np.where(copies, 1.0, -1.0)

    def loss(line: NDArray[np.float64]) -> float:
        off = line - ships
        return float(np.logaddexp(0, -sign * (line[0] * odds + line[1])).mean() + TRUST * (off @ off))

    fitted = minimize(loss, ships, method="L-BFGS-B", bounds=((0.05, None), (None, None)))
    return np.asarray(fitted.x, np.float64)


def _answers(parts: Parts, rule: PairModel, sample: int) -> tuple[NDArray[np.float64], int]:
    """Scores of every candidate of other accounts that some stored photos get, and how many were asked about."""
    with parts.catalog.read() as session:
        ids = every_photo_id(session)
        chosen = sorted(random.Random(SEED).sample(ids, min(sample, len(ids))))  # noqa: S311 -- a sample, not a secret
        files = files_of(session, chosen)
        owners = account_of(session, chosen)
    photos = [NamedPhoto(photo_id, files[photo_id].path) for photo_id in chosen]
    wanted = CheckOptions(limit=_ALL, min_score=0.0)
    scores: list[float] = []
    asked = 0
    for result in check(parts, photos, wanted, rule=rule):
        asked += result.status in {Status.MATCH, Status.NO_MATCH}
        best: dict[str, float] = {}
        for match in result:
            if match.evidence.kind is not Kind.EXACT and match.photo.account != owners[result.photo]:
                best[match.photo.account] = max(match.evidence.score, best.get(match.photo.account, 0.0))
        scores += best.values()
    return np.array(scores), asked


def _threshold(scores: NDArray[np.float64], asked: int, false_per_1000: float) -> float:
    """The least score that keeps the expected false answers within bounds."""
    ordered = np.sort(scores)[::-1]
    expected = 1000 * np.cumsum(1 - ordered) / asked
    within = ordered[expected <= false_per_1000]
    return float(within[-1]) if len(within) else 1.0
