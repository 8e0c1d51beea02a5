"""The weights of two graphs side by side, by label."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from nnefkit.analysis.comparison import Comparison
from nnefkit.analysis.differences.alignment import GraphAlignment
from nnefkit.analysis.metrics import metrics
from nnefkit.analysis.pairing import nearest_layout
from nnefkit.analysis.side_by_side import compare
from nnefkit.analysis.tolerance import EXACT, Accepted
from nnefkit.analysis.weight_differences import grid_bits
from nnefkit.arrays import Array, check_mapped
from nnefkit.display.progress_bar import ProgressBar

_LARGEST = 1 << 22
"""Elements up to which other orders of the axes are tried."""
_UNLIKE = 3.0
"""Ratio in dB below which two arrays of one shape may be two orders of axes."""


@dataclass
class WeightChanges:
    """The weights of two graphs."""

    equal: int = 0
    """Number of weights with equal values."""
    differing: Comparison | None = None
    """Those with other values, by label; None if there are none."""
    relabeled: dict[str, str] = field(default_factory=dict)
    """Label in the first graph -> other label of the same weight in the second."""
    added: tuple[str, ...] = ()
    """Labels in the second graph without counterpart."""
    removed: tuple[str, ...] = ()
    grids: dict[str, int] = field(default_factory=dict)
    """Label -> bits of a grid that only the second one's values lie on, as rounded ones do."""
    unknown: tuple[str, ...] = ()
    """Labels of weights that could not be compared, as one side has no values."""


def weight_changes(
    alignment: GraphAlignment, labels: tuple[str, str], tolerance: Accepted, progress: bool | None
) -> WeightChanges:
    """Compare the weights of two graphs.

    Args:
        alignment: The alignment of their operations.
        labels: Names of the graphs.
        tolerance: The allowed difference; None allows none.
        progress: Whether to show a bar; None shows it if it takes more than a second.
    """
    first, second = alignment.first, alignment.second
    found = WeightChanges()
    pairs: dict[tuple[str, str], tuple[Array | None, Array | None]] = {}
    for a, op in enumerate(first.operations):
        if op.name == "variable" and a in alignment.forward:
            b = alignment.forward[a]
            tensors = (
                first.graph.tensors[first.results[a][0]],
                second.graph.tensors[second.results[b][0]],
            )
            keys = tensors[0].label or tensors[0].name, tensors[1].label or tensors[1].name
            if tensors[1].label and keys[0].lower() == keys[1].lower():
                keys = keys[0], keys[0]
            pairs[keys] = tensors[0].data, tensors[1].data
    found.relabeled = {a: b for a, b in pairs if a != b}
    found.removed = _alone(alignment, 0)
    found.added = _alone(alignment, 1)
    _compare(found, pairs, labels, tolerance, progress)
    return found


def _alone(alignment: GraphAlignment, side: int) -> tuple[str, ...]:
    structure = (alignment.first, alignment.second)[side]
    paired = (alignment.forward, alignment.backward)[side]
    tensors = structure.graph.tensors
    names = (
        structure.results[number][0]
        for number, op in enumerate(structure.operations)
        if op.name == "variable" and number not in paired
    )
    return tuple(dict.fromkeys(tensors[name].label or name for name in names))


def _compare(
    found: WeightChanges,
    pairs: dict[tuple[str, str], tuple[Array | None, Array | None]],
    labels: tuple[str, str],
    tolerance: Accepted,
    progress: bool | None,
) -> None:
    ours: dict[str, Array] = {}
    theirs: dict[str, Array] = {}
    names: dict[str, str] = {}
    axes: dict[str, tuple[int, ...]] = {}
    unknown = []
    delay = 0.0 if progress else float("inf") if progress is False else None
    with ProgressBar(len(pairs), "weights", "weight", delay=delay) as bar:
        for (label, other), (one, two) in pairs.items():
            bar.update(1)
            if one is None or two is None:
                unknown.append(label)
            elif _is_equal(one, two):
                found.equal += 1
            else:
                ours[label], theirs[other], names[label] = one, two, other
                bits = grid_bits(two)
                if bits is not None and (grid_bits(one) or bits + 1) > bits:
                    found.grids[label] = bits
                order = _order(one, two)
                if order is not None:
                    axes[label] = order
    found.unknown = tuple(unknown)
    if names:
        exact = EXACT if tolerance is None else tolerance
        found.differing = compare(
            ours, theirs, tolerance=exact, names=names, axes=axes, labels=labels
        )


def _is_equal(one: Array, two: Array) -> bool:
    if one is two:
        return True
    check_mapped(one, two)
    floats = one.dtype.kind == two.dtype.kind == "f"
    return one.shape == two.shape and np.array_equal(one, two, equal_nan=floats)


def _order(one: Array, two: Array) -> tuple[int, ...] | None:
    """Return the order of the axes of the second array that fits much better, if there is one."""
    if one.size != two.size or one.ndim != two.ndim or one.size > _LARGEST:
        return None
    measured = metrics(one, two).snr if one.shape == two.shape else -np.inf
    if measured > _UNLIKE:
        return None
    nearest = nearest_layout(one, two, EXACT)
    if nearest is None or nearest[1].unit_axes or not nearest[0].snr > max(measured, _UNLIKE) + 20:
        return None
    return nearest[1].axes
