"""`compare`: two runs side by side, tensor by tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from nnefkit.analysis.causes import Agreement, Weights, altered, flow, unseen_before, weight_tensors
from nnefkit.analysis.compared_runs import Missing
from nnefkit.analysis.compared_tensor import ComparedTensor, ComparedTensors
from nnefkit.analysis.comparison import Comparison
from nnefkit.analysis.layouts import AxisLayout
from nnefkit.analysis.metrics import Metrics, metrics
from nnefkit.analysis.pairing import (
    Axes,
    Pairing,
    Pairs,
    check_axes,
    given_axes,
    nearest_layout,
    pair,
)
from nnefkit.analysis.recordings import Side, Source, numeric, side
from nnefkit.analysis.tolerance import Accepted, joined, tolerance_for
from nnefkit.analysis.value_pairing import Unpaired
from nnefkit.display.cards.comparison import Verdict
from nnefkit.errors import InputError
from nnefkit.graph import FrozenDict, Graph, expected_graph


def compare(
    a: Source,
    b: Source,
    *,
    tolerance: Accepted = None,
    names: Mapping[str, str] | None = None,
    axes: Axes = None,
    labels: tuple[str, str] | None = None,
    graph: Graph | None = None,
    by_values: bool = False,
    rtol: float | None = None,
    atol: float | None = None,
) -> Comparison:
    """Compare two runs, tensor by tensor, and find where they diverge.

    Args:
        a: The reference: a `Trace`, a mapping from tensor names to arrays, or recorded files: a
            saved trace, an ``.npz`` or ``.safetensors`` file, results that Polygraphy saved as
            ``.json``, or a folder with one file for each tensor: ``.npy``, ``.dat``, or ``.pb`` and
            ``.tensorproto`` with a tensor of ONNX.
        b: The run to compare with it, of the same kinds.
        tolerance: The allowed difference: a number (relative to the largest magnitude in the
            tensor), a `Tolerance`, or a mapping from dtypes to these. The default depends on the
            dtype: `nnefkit.analysis.tolerance.DEFAULTS`.
        names: Name in `a` -> name in `b`, for tensors whose names differ.
        axes: Name in `a` -> permutation of the axes of the tensor of `b` (NHWC read as NCHW is
            ``(0, 3, 1, 2)``); or ``"auto"``: where shapes (or values) differ, the order that fits
            best, which `ComparedTensor.axes` reports, also with axes of size 1 added or dropped.
        labels: Names of the two runs; by default their engines or files where these differ, else
            "a" and "b".
        graph: The graph that was run, for runs that do not know theirs: recorded files, outputs of
            another program. Its weights are not assumed to be those of the runs.
        by_values: Whether to pair tensors that have no counterpart of the same name (or origin, or
            in `names`) by their values: those that agree far better with each other than with any
            other tensor, in any order of axes, with or without axes of size 1. The comparison
            reports these pairs, their confidence, and what could not be paired.
        rtol: The relative part of a tolerance for all dtypes but logical. It refers to the largest
            magnitude in the tensor, not to each element as in `numpy.allclose`, and to the larger
            of both parts, not to their sum (see `Tolerance`).
        atol: Its absolute part.

    Returns:
        The comparison. Where a graph is known, it distinguishes tensors that introduce a difference
        from those that inherit it.

    Raises:
        InputError: A side cannot be compared, the two have no tensor in common, a tensor is not
            numeric, or an option is wrong.
        UnknownNameError: `names` or `axes` names a tensor that does not exist.
        StorageError: A file cannot be read.

    Example:
        >>> nk.compare({"x": np.ones(3), "y": np.ones(3)}, {"x": np.ones(3), "y": np.zeros(3)})["y"]
        <y: differs; largest difference 1, SNR 0 dB>
    """
    if labels is not None:
        labels = pair_of_strings(labels)
    tolerance = joined(tolerance, rtol, atol)
    first, second = side(a), side(b)
    pairs = pair(first, second, names, by_values)
    check_axes(axes, pairs.both)
    known, key = _order(first, second)
    if known is None and graph is not None:
        known = without_weights(expected_graph(graph))
    rows = [
        _compared(name, paired, first, second, tolerance, axes)
        for name, paired in pairs.both.items()
    ]
    if known is not None:
        other = second.graph if key == "name" else None
        rows = _explained(rows, known, key, other, (first, second))
    return Comparison(
        ComparedTensors(rows),
        _missing(pairs, first, second),
        labels or _labels(first, second),
        known,
        first.graph is not None and second.graph is not None,
        _unpaired(pairs, first, second),
        (first.tensors, second.tensors),
    )


def without_weights(graph: Graph) -> Graph:
    """Return a copy that holds no values of weights."""
    tensors = {name: replace(tensor, data=None) for name, tensor in graph.tensors.items()}
    return replace(graph, tensors=FrozenDict(tensors))


def pair_of_strings(labels: Any) -> tuple[str, str]:
    """Return the labels of two runs, checked.

    Raises:
        InputError: They are not two.
    """
    if isinstance(labels, (tuple, list)) and len(labels) == 2:
        return str(labels[0]), str(labels[1])
    raise InputError(
        f"labels must be two strings, one for each run, not {labels!r}",
        hint='For example: labels=("float weights", "8-bit weights").',
    )


def _missing(pairs: Pairs, first: Side, second: Side) -> Missing:
    """Return the tensors without a counterpart, except for weights, which no run changes."""
    weights = [weight_tensors(s.graph) if s.graph is not None else () for s in (first, second)]
    return Missing(
        tuple(name for name in pairs.first_only if name not in weights[0]),
        tuple(name for name in pairs.second_only if name not in weights[1]),
    )


def _unpaired(pairs: Pairs, first: Side, second: Side) -> tuple[Unpaired, ...]:
    weights = [weight_tensors(s.graph) if s.graph is not None else () for s in (first, second)]
    return tuple(each for each in pairs.unpaired if each.name not in weights[each.side])


def _order(first: Side, second: Side) -> tuple[Graph | None, Literal["name", "other"]]:
    """Return the graph to sort by, and which of the two names of a tensor is its name there."""
    return (first.graph, "name") if first.graph is not None else (second.graph, "other")


def _labels(first: Side, second: Side) -> tuple[str, str]:
    named = first.label and second.label and first.label != second.label
    return (first.label, second.label) if named else ("a", "b")


def _compared(
    name: str, paired: Pairing, first: Side, second: Side, accepted: Accepted, axes: Axes
) -> ComparedTensor:
    other = paired.other
    x, y = numeric(first.tensors[name], name), numeric(second.tensors[other], other)
    tolerance = tolerance_for(accepted, x.dtype, y.dtype)
    layout = AxisLayout(given_axes(axes, name, y.ndim))
    arranged = layout.arranged(y, x.shape)
    measured = metrics(x, arranged, tolerance) if x.shape == arranged.shape else None
    is_open = axes == "auto" or (paired.by == "values" and layout.axes is None)
    if is_open and (measured is None or not measured.ok):
        nearest = nearest_layout(x, y, tolerance)
        # Where the shapes match as they are, another order has to explain the whole difference,
        # unless that order is why the two were paired.
        if nearest is not None and (
            measured is None
            or nearest[0].ok
            or (paired.by == "values" and nearest[0].rmse < measured.rmse)
        ):
            measured, layout = nearest
    return ComparedTensor(
        name,
        other,
        _verdict(measured),
        measured,
        tolerance,
        (x.shape, y.shape),
        (str(x.dtype), str(y.dtype)),
        layout.axes,
        unit_axes=layout.unit_axes,
        paired_by=paired.by,
        confidence=paired.confidence,
    )


def _verdict(measured: Metrics | None) -> Verdict:
    if measured is None or not measured.ok:
        return "differs"
    return "within" if measured.different else "equal"


def _explained(
    rows: list[ComparedTensor],
    graph: Graph,
    key: Literal["name", "other"],
    second: Graph | None,
    sides: tuple[Side, Side],
) -> list[ComparedTensor]:
    """Sort rows by the graph, and add their operations and the causes of differences."""
    states = {getattr(row, key): _state(row) for row in rows}
    weights = Weights(graph, second, states, (sides[0].digests, sides[1].digests))
    lines = sides[0 if key == "name" else 1].lines
    differences = flow(graph, states, weights.names)
    numbers = {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
    others = {getattr(row, key): row.other for row in rows}

    def explain(row: ComparedTensor) -> ComparedTensor:
        name: str = getattr(row, key)
        if name not in numbers:
            return row
        op = graph.operations[numbers[name]]
        verdict: Verdict = row.verdict
        causes: tuple[str, ...] = ()
        suspects: tuple[str, ...] = ()
        change = ""
        if name in differences.inherits or name in differences.introduces:
            causes = weights.differing(op)
            change = altered(op, second.producers.get(others[name]) if second else None)
            # Weights and attributes that differ are a cause, whatever the inputs do.
            is_cause = name in differences.introduces or causes or change
            verdict = "introduces" if is_cause else "inherits"
        if name in differences.introduces:
            suspects = (*unseen_before(graph, name, states, weights.names), name)
        elif verdict == "introduces":
            suspects = (name,)
        return replace(
            row,
            verdict=verdict,
            operation=op.name,
            number=numbers[name],
            line=graph.line(op) or lines.get(name),
            output=name in graph.outputs,
            weight=name in weights.names,
            causes=causes,
            altered=change,
            suspects=suspects,
            weights_compared=verdict == "introduces" and weights.are_known(op),
        )

    order = {name: i for i, name in enumerate(numbers)}
    last = len(order)
    return sorted(map(explain, rows), key=lambda row: order.get(getattr(row, key), last))


def _state(row: ComparedTensor) -> Agreement:
    if not row.ok:
        return Agreement.DIFFERS
    return Agreement.EQUAL if row.verdict == "equal" else Agreement.WITHIN
