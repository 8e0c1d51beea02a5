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


@dataclass(frozen=True, eq=False)
class _ValueProfile:
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
    found = distinct = _distinct(scores)
    if ordered:
        anchors = [(first.positions[a], second.positions[b]) for a, b in known]
        found = _in_order(distinct, anchors)
    pairs = [ValuePair(a.name, b.name, confidence) for (a, b), confidence in found.items()]
    taken = {pair.first for pair in pairs}, {pair.second for pair in pairs}
    for side, each in enumerate(profiles):
        unpaired += [
            Unpaired(profile.name, side, _reason(profile, scores, distinct))
            for profile in each
            if profile.name not in taken[side]
        ]
    pairs.sort(key=lambda pair: first.positions[pair.first])
    return pairs, unpaired


def _profiles(run: RunToPair, side: int, unpaired: list[Unpaired]) -> list[_ValueProfile]:
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
        elif array.min() == array.max():
            reason = "all elements are equal" if array.flat[0] else "all elements are 0"
            unpaired.append(Unpaired(name, side, reason))
        elif not variance:
            unpaired.append(Unpaired(name, side, "values that underflow"))
        else:
            found.append(_ValueProfile(name, run.positions[name], array.shape, mean, variance))
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


class _Rivals:
    """The two largest correlations of a tensor with any others."""

    def __init__(self) -> None:
        self.largest = self.next = 0.0

    def add(self, score: float) -> None:
        if score > self.largest:
            self.largest, self.next = score, self.largest
        else:
            self.next = max(self.next, score)

    def besides(self, score: float) -> float:
        """Return the largest one but for `score`, which was added once."""
        return self.next if score == self.largest else self.largest


_Pair = tuple[_ValueProfile, _ValueProfile]


class _Scores:
    """The correlations of tensors that may be equal."""

    def __init__(self) -> None:
        self.pairs: dict[_Pair, float] = {}
        """Those that were computed, of at least `LEAST`."""
        self.of: dict[_ValueProfile, list[_Pair]] = {}
        """The pairs of each tensor."""
        self.crowded: set[_ValueProfile] = set()
        """Tensors that were not compared with all that they may be equal to."""
        self._rivals: dict[tuple[_ValueProfile, bool], _Rivals] = {}
        """Of a tensor: all, and those with tensors of the same shape."""

    def add(self, pair: _Pair, score: float) -> None:
        self.pairs[pair] = score
        for profile in pair:
            self.of.setdefault(profile, []).append(pair)
            self.add_rival(profile, score, _same_shape(pair))

    def add_rival(self, profile: _ValueProfile, score: float, same_shape: bool) -> None:
        for only_same in {False, same_shape}:
            self._rivals.setdefault((profile, only_same), _Rivals()).add(score)

    def rival(self, pair: _Pair) -> float:
        """Return the largest correlation of either tensor with another one.

        Tensors of other shapes do not rival a pair of equal shapes.
        """
        rivals = (self._rivals[profile, _same_shape(pair)] for profile in pair)
        return max(each.besides(self.pairs[pair]) for each in rivals)


def _scores(
    first: RunToPair, second: RunToPair, a: list[_ValueProfile], b: list[_ValueProfile]
) -> _Scores:
    """Return the correlation of each two tensors that may be equal."""
    groups: dict[tuple[int, ...], tuple[list[_ValueProfile], list[_ValueProfile]]] = {}
    for side, profiles in enumerate((a, b)):
        for profile in profiles:
            groups.setdefault(profile.core, ([], []))[side].append(profile)
    scores = _Scores()
    for group in groups.values():
        if all(group):
            _score_group(first, second, *group, scores)
    return scores


def _score_group(
    first: RunToPair,
    second: RunToPair,
    a: list[_ValueProfile],
    b: list[_ValueProfile],
    scores: _Scores,
) -> None:
    """Add the correlations of tensors that have the same sizes but for 1, in any order."""
    rest = _Rest(b, scores)
    for profile in a:
        bounds = _bounds(profile, rest.means, rest.variances)
        likely = np.argsort(-bounds, kind="stable")
        likely = likely[bounds[likely] >= LEAST]
        array = _array(first.tensors[profile.name]) if likely.size else None
        for index in likely[:_CANDIDATES]:
            other = b[int(index)]
            values = _array(second.tensors[other.name])
            if array is None or values is None:
                continue
            value = _correlation(array, values, profile, other)
            if value >= LEAST:
                scores.add((profile, other), value)
        rest.add(profile, likely[_CANDIDATES:], bounds)
    rest.finish()


class _Rest:
    """The pairs of a group whose correlations are not computed.

    Their bounds rival the other pairs, which become less certain by them, not more.
    """

    def __init__(self, group: list[_ValueProfile], scores: _Scores) -> None:
        self.means = np.array([each.mean for each in group])
        self.variances = np.array([each.variance for each in group])
        self._group, self._scores = group, scores
        self._shapes = sorted({each.shape for each in group})
        numbers = {shape: number for number, shape in enumerate(self._shapes)}
        self._numbers = np.array([numbers[each.shape] for each in group])
        self._largest: dict[tuple[int, ...], Array] = {}
        """Shape of tensors of the first run -> the largest bound of each tensor of the group."""

    def add(self, profile: _ValueProfile, indices: Array, bounds: Array) -> None:
        """Add the pairs of a tensor with some of the group, in the order of their bounds."""
        if not indices.size:
            return
        self._scores.crowded.add(profile)
        largest = self._largest.setdefault(profile.shape, np.zeros(len(self._group)))
        largest[indices] = np.maximum(largest[indices], bounds[indices])
        for number in np.unique(self._numbers[indices]):
            value = float(bounds[indices[self._numbers[indices] == number][0]])
            self._scores.add_rival(profile, value, self._shapes[number] == profile.shape)

    def finish(self) -> None:
        """Add all of them to the tensors of the group."""
        for shape, largest in self._largest.items():
            for index in np.flatnonzero(largest):
                other = self._group[int(index)]
                self._scores.crowded.add(other)
                self._scores.add_rival(other, float(largest[index]), shape == other.shape)


def _bounds(profile: _ValueProfile, means: Array, variances: Array) -> Array:
    """Return the largest correlation that means and variances allow with each of a group."""
    with np.errstate(all="ignore"):
        whole = profile.variance + variances + (profile.mean - means) ** 2
        bounds: Array = 2 * np.sqrt(profile.variance) * np.sqrt(variances) / whole
    return np.nan_to_num(bounds) + 1e-12


def _correlation(a: Array, b: Array, first: _ValueProfile, second: _ValueProfile) -> float:
    """Return the largest correlation for any order of the axes."""
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


def _distinct(scores: _Scores) -> dict[_Pair, float]:
    """Return the pairs that no other pair comes close to, with their confidence."""
    found: dict[_Pair, float] = {}
    for pair, score in scores.pairs.items():
        confidence = _confidence(score, scores.rival(pair))
        if confidence >= _DISTINCT and _is_significant(score, pair[0].elements):
            found[pair] = confidence
    taken: set[tuple[int, _ValueProfile]] = set()
    chosen: dict[_Pair, float] = {}
    for pair, confidence in sorted(found.items(), key=lambda item: -item[1]):
        if (0, pair[0]) not in taken and (1, pair[1]) not in taken:
            taken |= {(0, pair[0]), (1, pair[1])}
            chosen[pair] = confidence
    return chosen


def _same_shape(pair: _Pair) -> bool:
    return pair[0].shape == pair[1].shape


def _confidence(score: float, rival: float) -> float:
    # Sums of many elements are rounded: nearer than this to 1 is 1.
    distance, rival_distance = (max(1 - each, 1e-12) for each in (score, rival))
    return max(0.0, 1 - distance / rival_distance) if rival > 0 else score


def _is_significant(score: float, elements: int) -> bool:
    return math.atanh(min(score, 1 - 1e-15)) * math.sqrt(elements - 3) >= _SIGNIFICANT


def _in_order(found: dict[_Pair, float], known: list[tuple[int, int]]) -> dict[_Pair, float]:
    """Drop the uncertain pairs that are not in the order of the certain ones."""
    anchors = known + [
        (a.position, b.position) for (a, b), value in found.items() if value >= CONFIDENT
    ]
    return {
        (a, b): value
        for (a, b), value in found.items()
        if value >= CONFIDENT or all((a.position < x) == (b.position < y) for x, y in anchors)
    }


def _reason(profile: _ValueProfile, scores: _Scores, distinct: Mapping[_Pair, float]) -> str:
    pairs = scores.of.get(profile, [])
    if not pairs:
        if profile in scores.crowded:
            return f"more than {_CANDIDATES} tensors have a similar mean and deviation"
        return "no tensor has such values"
    if len(pairs) > 1:
        return f"{len(pairs):,} tensors have such values"
    (pair,) = pairs
    other = pair[1] if pair[0] is profile else pair[0]
    known = f"'{other.name}' has such values"
    if pair in distinct:
        return f"{known}, but not its place in the order of the other pairs"
    if not _is_significant(scores.pairs[pair], profile.elements):
        return f"{known}, but they are too few to be sure"
    return f"{known}, and so has another tensor"
