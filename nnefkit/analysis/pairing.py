"""Alignment of two runs: pairs of tensors, and the order of their axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """The tensors of two runs, by name."""

    both: dict[str, str]
    """Name in the first -> name in the second, in the order of the first."""
    first_only: tuple[str, ...]
    second_only: tuple[str, ...]


def pair(
    first: Mapping[str, Any], second: Mapping[str, Any], names: Mapping[str, str] | None
) -> Pairs:
    """Pair tensors by `names` (first -> second) if they are in it, else by the same name.

    Raises:
        UnknownNameError: `names` contains a tensor that a run does not have.
        InputError: No tensor has a counterpart.
    """
    if names is None:
        names = {}
    expected_mapping(names, "names", "names of the first to names of the second")
    _check_names(names.keys(), first)
    _check_names(names.values(), second)
    both = _pairs(first, second, names)
    if not both:
        raise InputError(
            "the two runs have no tensor in common",
            hint="names={...} maps names of the first to names of the second. The first has "
            f"{_some(first)}; the second has {_some(second)}.",
        )
    matched = set(both.values())
    return Pairs(
        both,
        tuple(name for name in first if name not in both),
        tuple(name for name in second if name not in matched),
    )


def _check_names(names: Iterable[str], run: Mapping[str, Any]) -> None:
    for name in names:
        if name not in run:
            raise UnknownNameError(
                f"there is no tensor '{name}' to compare",
                hint=did_you_mean(name, run) or f"The tensors are {_some(run)}.",
            )


def _pairs(
    first: Mapping[str, Any], second: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, str]:
    taken = set(names.values())
    return {
        name: names.get(name, name)
        for name in first
        if name in names or (name in second and name not in taken)
    }


def _some(names: Mapping[str, Any], most: int = 4) -> str:
    first = list(names)[:most]
    rest = len(names) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest else "") if first else "none"


def given_axes(axes: Axes, name: str, rank: int) -> Permutation | None:
    """Return the permutation in `axes` for the tensor `name`; None if there is none.

    Raises:
        InputError: It is not a permutation of the axes of a tensor of that rank.
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
    """Return the order of the axes of `b` that best matches `a`; None if no shape matches.

    Channels first and channels last are tried before other orders, which have to match better.
    """
    best: tuple[Metrics, Permutation] | None = None
    for permutation in _layouts(b.ndim):
        if tuple(b.shape[axis] for axis in permutation) != a.shape:
            continue
        measured = metrics(a, b.transpose(permutation), tolerance)
        if best is None or _distance(measured) < _distance(best[0]):
            best = measured, permutation
        if not measured.different:
            break
    return best


def _layouts(rank: int) -> Iterator[Permutation]:
    if not 2 <= rank <= 5:
        return
    preferred = [(0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1))] if rank > 2 else []
    yield from dict.fromkeys(preferred)
    # All orders of 5 axes would take 120 comparisons.
    if rank <= 4:
        rest = (p for p in permutations(range(rank)) if p not in preferred)
        yield from (p for p in rest if p != tuple(range(rank)))


def _distance(measured: Metrics) -> tuple[int, float]:
    return measured.mismatched, measured.rmse
