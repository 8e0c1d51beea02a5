"""Which tensor of one side belongs to which of the other, and with which order of axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any, Literal, NamedTuple

from nnefkit.analysis.metrics import Metrics, metrics
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.arguments import expected_mapping
from nnefkit.arrays import Array
from nnefkit.errors import InputError, UnknownNameError, did_you_mean

Permutation = tuple[int, ...]
Axes = Mapping[str, Sequence[int]] | Literal["auto"] | None


class Pairs(NamedTuple):
    """How the names of two sides go together."""

    both: dict[str, str]
    """Name in the first -> name in the second, in the order of the first."""
    first_only: tuple[str, ...]
    second_only: tuple[str, ...]


def pair(
    first: Mapping[str, Any], second: Mapping[str, Any], names: Mapping[str, str] | None
) -> Pairs:
    """Pairs tensors by `names` (first -> second) where given there, else by the same name.

    Raises:
        UnknownNameError: `names` mentions a tensor that a side does not have.
        InputError: no tensor has a counterpart.
    """
    if names is None:
        names = {}
    expected_mapping(names, "names", "names of the first to names of the second")
    for wanted, side in ((names.keys(), first), (names.values(), second)):
        for name in wanted:
            if name not in side:
                raise UnknownNameError(
                    f"there is no tensor '{name}' to compare",
                    hint=did_you_mean(name, side) or f"There are {_some(side)}.",
                )
    taken = set(names.values())
    both = {
        name: names.get(name, name)
        for name in first
        if name in names or (name in second and name not in taken)
    }
    if not both:
        raise InputError(
            "the two have no tensor in common",
            hint="names={...} maps names of the first to names of the second. The first has "
            f"{_some(first)}; the second has {_some(second)}.",
        )
    matched = set(both.values())
    return Pairs(
        both,
        tuple(name for name in first if name not in both),
        tuple(name for name in second if name not in matched),
    )


def _some(names: Mapping[str, Any], most: int = 4) -> str:
    first = list(names)[:most]
    rest = len(names) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest else "") if first else "none"


def given_axes(axes: Axes, name: str, rank: int) -> Permutation | None:
    """The permutation that the caller gave for `name`.

    Raises:
        InputError: it is no permutation of the axes of a tensor of that rank.
    """
    if not isinstance(axes, Mapping) or name not in axes:
        return None
    permutation = tuple(axes[name])
    if sorted(permutation) != list(range(rank)):
        raise InputError(
            f"axes of '{name}' must be a permutation of {list(range(rank))}, not {axes[name]!r}"
        )
    return permutation


def nearest_layout(a: Array, b: Array, tolerance: Tolerance) -> tuple[Metrics, Permutation] | None:
    """The order of b's axes that brings it nearest to `a`, None if none has the shape of `a`.

    Channels first and channels last are tried before all other orders, which win only by being
    nearer.
    """
    best: tuple[Metrics, Permutation] | None = None
    for permutation in _layouts(b.ndim):
        if tuple(b.shape[axis] for axis in permutation) != a.shape:
            continue
        found = metrics(a, b.transpose(permutation), tolerance)
        if best is None or _distance(found) < _distance(best[0]):
            best = found, permutation
        if not found.different:
            break
    return best


def _layouts(rank: int) -> Iterator[Permutation]:
    if not 2 <= rank <= 5:
        return
    preferred = [(0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))] if rank > 2 else []
    yield from dict.fromkeys(preferred)
    # Any order of 5 axes would be 120 comparisons.
    if rank <= 4:
        rest = (p for p in permutations(range(rank)) if p not in preferred)
        yield from (p for p in rest if p != tuple(range(rank)))


def _distance(found: Metrics) -> tuple[int, float]:
    return found.mismatched, found.rmse
