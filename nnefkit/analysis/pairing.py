"""Alignment of two runs: pairs of tensors, and the order of their axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from nnefkit.analysis.layouts import AxisLayout, Permutation, core, other_layouts
from nnefkit.analysis.metrics import Metrics, metrics
from nnefkit.analysis.recordings import Side
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.analysis.value_pairing import RunToPair, Unpaired, pair_by_values
from nnefkit.arguments import expected_mapping
from nnefkit.arrays import Array, Shape
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph

Axes = Mapping[str, Sequence[int]] | Literal["auto"] | None

PairedBy = Literal["name", "names", "origin", "values"]
"""How two tensors were paired: by equal names, by the given ones, by the ``origin`` of one, or by
their values."""


class Pairing(NamedTuple):
    """How two tensors were paired."""

    other: str
    """Name in the second run."""
    by: PairedBy = "name"
    confidence: float | None = None
    """From 0 to 1, of a pair by values."""


class Pairs(NamedTuple):
    """The tensors of two runs, by name."""

    both: dict[str, Pairing]
    """Name in the first -> name in the second, in the order of the first."""
    first_only: tuple[str, ...]
    second_only: tuple[str, ...]
    unpaired: tuple[Unpaired, ...] = ()
    """Why tensors were not paired by values, if that was tried."""


def pair(first: Side, second: Side, names: Mapping[str, str] | None, by_values: bool) -> Pairs:
    """Pair the tensors of two runs: by `names`, by name, by origin, and by values.

    Args:
        first: The first run.
        second: The second run.
        names: Name in the first -> name in the second.
        by_values: Whether to pair the tensors that are left by their values.

    Raises:
        UnknownNameError: `names` contains a tensor that a run does not have.
        InputError: No tensor has a counterpart.
    """
    if names is None:
        names = {}
    expected_mapping(names, "names", "names of the first to names of the second")
    _check_names(names.keys(), first.tensors)
    _check_names(names.values(), second.tensors)
    both = _pairs(first.tensors, second.tensors, names)
    both |= _by_origin(first, second, both)
    unpaired: tuple[Unpaired, ...] = ()
    if by_values:
        both, unpaired = _by_values(first, second, both)
    if not both:
        why = "".join(
            f" '{each.name}': {each.reason}." for each in [e for e in unpaired if not e.side][:3]
        )
        values = "by_values=True pairs tensors by their values."
        raise InputError(
            "the two runs have no tensor in common",
            hint="names={...} maps names of the first to names of the second"
            f"{'.' if by_values else f'; {values}'} The first has "
            f"{_some(first.tensors)}; the second has {_some(second.tensors)}.{why}",
        )
    matched = {each.other for each in both.values()}
    return Pairs(
        {name: both[name] for name in [*first.tensors, *both] if name in both},
        tuple(name for name in first.tensors if name not in both),
        tuple(name for name in second.tensors if name not in matched),
        unpaired,
    )


def _by_origin(first: Side, second: Side, both: Mapping[str, Pairing]) -> dict[str, Pairing]:
    """Pair tensors of which one is what the other was converted from."""
    left = [name for name in first.tensors if name not in both]
    matched = {each.other for each in both.values()}
    right = {name for name in second.tensors if name not in matched}
    origins = _origins(first.graph, left), _origins(second.graph, right)
    origin_of = {name: origin for origin, name in origins[0].items()}
    taken: set[str] = set()
    found: dict[str, Pairing] = {}
    for name in left:
        origin = origin_of.get(name, "")
        wanted = {origin, origins[1].get(name, ""), origins[1].get(origin, "")} - {""}
        others = right.intersection(wanted)
        if len(others) == 1 and taken.isdisjoint(others):
            taken |= others
            found[name] = Pairing(others.pop(), "origin")
    return found


def _origins(graph: Graph | None, names: Iterable[str]) -> dict[str, str]:
    """Return origin -> tensor, of origins that one tensor of the graph has."""
    if graph is None:
        return {}
    counts: dict[str, list[str]] = {}
    for name, tensor in graph.tensors.items():
        if tensor.origin:
            counts.setdefault(tensor.origin, []).append(name)
    known = set(names)
    return {o: owners[0] for o, owners in counts.items() if len(owners) == 1 and owners[0] in known}


def _by_values(
    first: Side, second: Side, both: dict[str, Pairing]
) -> tuple[dict[str, Pairing], tuple[Unpaired, ...]]:
    matched = {each.other for each in both.values()}
    runs = []
    for each, taken in ((first, set(both)), (second, matched)):
        order = dict.fromkeys([*each.tensors, *taken])
        positions = {name: i for i, name in enumerate(order)}
        left = [name for name in each.tensors if name not in taken]
        runs.append(RunToPair(each.tensors, left, positions))
    known = [(name, each.other) for name, each in both.items()]
    is_ordered = first.ordered and second.ordered
    pairs, unpaired = pair_by_values(runs[0], runs[1], known, ordered=is_ordered)
    found = {each.first: Pairing(each.second, "values", each.confidence) for each in pairs}
    return both | found, tuple(unpaired)


def _check_names(names: Iterable[str], run: Mapping[str, Any]) -> None:
    for name in names:
        if name not in run:
            raise UnknownNameError(
                f"there is no tensor '{name}' to compare",
                hint=did_you_mean(name, run) or f"The tensors are {_some(run)}.",
            )


def _pairs(
    first: Mapping[str, Any], second: Mapping[str, Any], names: Mapping[str, str]
) -> dict[str, Pairing]:
    taken = set(names.values())
    return {
        name: Pairing(names[name], "names") if name in names else Pairing(name)
        for name in first
        if name in names or (name in second and name not in taken)
    }


def _some(names: Mapping[str, Any], most: int = 4) -> str:
    first = list(names)[:most]
    rest = len(names) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest else "") if first else "none"


def check_axes(axes: Axes, names: Mapping[str, Any]) -> None:
    """Check the argument `axes` for tensors of some names.

    Raises:
        UnknownNameError: It names a tensor that is not compared.
        InputError: It is neither a mapping nor ``"auto"``.
    """
    if isinstance(axes, Mapping):
        for name in axes:
            if name not in names:
                raise UnknownNameError(
                    f"axes are given for '{name}', which is not compared",
                    hint=did_you_mean(name, names),
                )
    elif axes not in (None, "auto"):
        raise InputError(
            f'axes must be a mapping from tensor names to permutations or "auto", not {axes!r}'
        )


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


def nearest_layout(a: Array, b: Array, tolerance: Tolerance) -> tuple[Metrics, AxisLayout] | None:
    """Return the arrangement of the axes of `b` that best matches `a`; None if no shape matches.

    Channels first and channels last are tried before other orders, which have to match better.
    Axes of size 1 are added and dropped if no order alone matches the shapes.
    """
    candidates = [
        AxisLayout(axes) for axes in other_layouts(b.ndim) if _turned(b.shape, axes) == a.shape
    ]
    if not candidates and a.shape != b.shape:
        inner, wanted = core(b.shape), core(a.shape)
        same = [AxisLayout(None, unit_axes=True)] if inner == wanted else []
        candidates = same + [
            AxisLayout(axes, unit_axes=True)
            for axes in other_layouts(len(inner))
            if _turned(inner, axes) == wanted
        ]
    best: tuple[Metrics, AxisLayout] | None = None
    for layout in candidates:
        measured = metrics(a, layout.arranged(b, a.shape), tolerance)
        if best is None or _distance(measured) < _distance(best[0]):
            best = measured, layout
        if not measured.different:
            break
    return best


def _turned(shape: Shape, axes: Permutation) -> Shape:
    return tuple(shape[axis] for axis in axes)


def _distance(measured: Metrics) -> tuple[int, float]:
    return measured.mismatched, measured.rmse
