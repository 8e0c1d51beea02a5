"""Pairs of tensors whose names differ, found by their values.

Two tensors are paired if their values agree as closely as those of no other tensor: by Lin's
concordance correlation, ``2 cov(a, b) / (var a + var b + (mean a - mean b)^2)``, which is 1 for
equal values only; a scaled or shifted tensor does not pass for the original. Axes may be in another
order, and axes of size 1 added or dropped. What cannot be told apart is left out, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nnefkit.analysis.layouts import layouts, without_unit_axes
from nnefkit.arrays import Array, as_array, check_mapped

LEAST = 0.95
"""Least correlation of a pair."""
CONFIDENT = 0.999
"""Pairs of this confidence need not be in the order of the others."""
_DISTINCT = 0.5
"""Least confidence of a pair."""
_SIGNIFICANT = 5.5
"""Least number of standard deviations (of Fisher's transformed correlation) from chance."""
_FEWEST = 8
"""Least number of elements that can be told from others."""
_CANDIDATES = 16
"""Number of tensors that one is compared with, those first whose mean and deviation are nearest."""


class ValuePair(NamedTuple):
    """Two tensors of equal, or nearly equal, values."""

    first: str
    second: str
    confidence: float
    """From 0 to 1: how much nearer they are to equal than either is to any other tensor,
    ``(correlation - next) / (1 - next)``."""


class Unpaired(NamedTuple):
    """A tensor that was not paired."""

    name: str
    side: int
    """0: of the first run; 1: of the second."""
    reason: str
    """Why, in words."""


@dataclass(frozen=True)
class _Profile:
    """Properties of a tensor that no order of its axes changes."""

    name: str
    position: int
    shape: tuple[int, ...]
    mean: float
    variance: float

    @property
    def core(self) -> tuple[int, ...]:
        return tuple(sorted(size for size in self.shape if size != 1))

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


class RunToPair(NamedTuple):
    """The tensors of one run that are to be paired."""

    tensors: Mapping[str, Any]
    names: Sequence[str]
    """Names of those that are not paired yet."""
    positions: Mapping[str, int]
    """Position of each tensor in the run."""


def pair_by_values(
    first: RunToPair, second: RunToPair, known: Iterable[tuple[str, str]], *, ordered: bool
) -> tuple[list[ValuePair], list[Unpaired]]:
    """Pair tensors by their values.

    Args:
        first: The first run.
        second: The second run.
        known: Names of the pairs that are known already.
        ordered: Whether the positions are those in a graph, or of the computation.
    """
    unpaired: list[Unpaired] = []
    profiles = [_profiles(run, side, unpaired) for side, run in enumerate((first, second))]
    scores = _scores(first, second, *profiles)
    found = _distinct(scores)
    if ordered:
        anchors = [(first.positions[a], second.positions[b]) for a, b in known]
        found = _in_order(found, anchors)
    pairs = [ValuePair(a.name, b.name, confidence) for (a, b), confidence in found.items()]
    taken = {pair.first for pair in pairs}, {pair.second for pair in pairs}
    for side, each in enumerate(profiles):
        unpaired += [
            Unpaired(profile.name, side, _reason(profile, side, scores))
            for profile in each
            if profile.name not in taken[side]
        ]
    pairs.sort(key=lambda pair: first.positions[pair.first])
    return pairs, unpaired


def _profiles(run: RunToPair, side: int, unpaired: list[Unpaired]) -> list[_Profile]:
    found = []
    for name in run.names:
        array = _array(run.tensors[name])
        if array is None or array.size < _FEWEST:
            reason = "no numbers" if array is None else "too few elements"
            unpaired.append(Unpaired(name, side, reason))
            continue
        with np.errstate(all="ignore"):
            mean = float(array.mean(dtype=np.float64))
            variance = float(array.var(dtype=np.float64))
        if not math.isfinite(variance):
            unpaired.append(Unpaired(name, side, "NaN, Inf or values that overflow"))
        elif not variance or array.min() == array.max():
            reason = "all elements are equal" if array.flat[0] else "all elements are 0"
            unpaired.append(Unpaired(name, side, reason))
        else:
            found.append(_Profile(name, run.positions[name], array.shape, mean, variance))
    return found


def _array(values: Any) -> Array | None:
    if isinstance(values, np.ma.MaskedArray):
        return None
    try:
        array = as_array(values)
    except ValueError:
        return None
    if array.dtype.kind not in "fiub":
        return None
    check_mapped(array)
    return array


_Scores = dict[tuple[_Profile, _Profile], float]


def _scores(first: RunToPair, second: RunToPair, a: list[_Profile], b: list[_Profile]) -> _Scores:
    """Return the correlation of each two tensors that may be equal."""
    groups: dict[tuple[int, ...], list[_Profile]] = {}
    for profile in b:
        groups.setdefault(profile.core, []).append(profile)
    scores: _Scores = {}
    for profile in a:
        group = groups.get(profile.core, [])
        if not group:
            continue
        bounds = _bounds(profile, group)
        likely = np.argsort(-bounds, kind="stable")
        likely = likely[bounds[likely] >= LEAST]
        if not likely.size:
            continue
        array = _array(first.tensors[profile.name])
        for rank, index in enumerate(likely):
            other = group[int(index)]
            # The bound stands in for what is not computed: it makes pairs less certain, not more.
            value = float(bounds[index])
            if rank < _CANDIDATES and array is not None:
                value = _correlation(array, _array(second.tensors[other.name]), profile, other)
            if value >= LEAST:
                scores[profile, other] = value
    return scores


def _bounds(profile: _Profile, group: list[_Profile]) -> Array:
    """Return the largest correlation that means and variances allow with each of a group."""
    means = np.array([each.mean for each in group])
    variances = np.array([each.variance for each in group])
    with np.errstate(all="ignore"):
        whole = profile.variance + variances + (profile.mean - means) ** 2
        bounds: Array = 2 * np.sqrt(profile.variance) * np.sqrt(variances) / whole
    return np.nan_to_num(bounds) + 1e-12


def _correlation(a: Array, b: Array | None, first: _Profile, second: _Profile) -> float:
    """Return the largest correlation for any order of the axes."""
    if b is None:
        return 0.0
    a, b = without_unit_axes(a), without_unit_axes(b)
    whole = first.variance + second.variance + (first.mean - second.mean) ** 2
    centered = a.astype(np.float64) - first.mean
    other = b.astype(np.float64) - second.mean
    best = 0.0
    for axes in layouts(other.ndim):
        turned = other.transpose(axes)
        if turned.shape == centered.shape:
            covariance = float(np.einsum("i,i->", centered.ravel(), turned.ravel())) / a.size
            best = max(best, 2 * covariance / whole)
    return min(best, 1.0)


def _distinct(scores: _Scores) -> dict[tuple[_Profile, _Profile], float]:
    """Return the pairs that no other pair comes close to, with their confidence."""
    rivals: dict[tuple[int, _Profile], list[tuple[float, tuple[_Profile, _Profile]]]] = {}
    for pair, score in scores.items():
        for side in (0, 1):
            rivals.setdefault((side, pair[side]), []).append((score, pair))
    found: dict[tuple[_Profile, _Profile], float] = {}
    for pair, score in scores.items():
        others = [
            other_score
            for side in (0, 1)
            for other_score, other in rivals[side, pair[side]]
            if other is not pair and not (_same_shape(pair) and not _same_shape(other))
        ]
        confidence = _confidence(score, max(others, default=0.0))
        if confidence >= _DISTINCT and _is_significant(score, pair[0].elements):
            found[pair] = confidence
    taken: set[tuple[int, _Profile]] = set()
    chosen: dict[tuple[_Profile, _Profile], float] = {}
    for pair, confidence in sorted(found.items(), key=lambda item: -item[1]):
        if (0, pair[0]) not in taken and (1, pair[1]) not in taken:
            taken |= {(0, pair[0]), (1, pair[1])}
            chosen[pair] = confidence
    return chosen


def _same_shape(pair: tuple[_Profile, _Profile]) -> bool:
    return pair[0].shape == pair[1].shape


def _confidence(score: float, rival: float) -> float:
    # Sums of many elements are rounded: nearer than this to 1 is 1.
    distance, rival_distance = (max(1 - each, 1e-12) for each in (score, rival))
    return max(0.0, 1 - distance / rival_distance) if rival > 0 else score


def _is_significant(score: float, elements: int) -> bool:
    return math.atanh(min(score, 1 - 1e-15)) * math.sqrt(elements - 3) >= _SIGNIFICANT


def _in_order(
    found: dict[tuple[_Profile, _Profile], float], known: list[tuple[int, int]]
) -> dict[tuple[_Profile, _Profile], float]:
    """Drop the uncertain pairs that are not in the order of the certain ones."""
    anchors = known + [
        (a.position, b.position) for (a, b), value in found.items() if value >= CONFIDENT
    ]
    return {
        (a, b): value
        for (a, b), value in found.items()
        if value >= CONFIDENT or all((a.position < x) == (b.position < y) for x, y in anchors)
    }


def _reason(profile: _Profile, side: int, scores: _Scores) -> str:
    alike = [pair[1 - side].name for pair in scores if pair[side] is profile]
    if not alike:
        return "no tensor has such values"
    if len(alike) == 1:
        return f"'{alike[0]}' has such values, and so has another tensor"
    return f"{len(alike):,} tensors have such values"
