"""Branches with a constant condition, and loops with a constant trip count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.onnx.call import Call, Result, operator
from nnefkit.exchange.refusal import UNREAD, Unread, refuse_empty_tensor
from nnefkit.exchange.source_value import Value

_MAX_ITERATIONS = 256
_NO_LOOPS = "NNEF has no loops; only loops with a constant trip count can be unrolled."


@operator("If")
def if_(c: Call) -> list[Result]:
    """Read the branch that is taken."""
    condition = c.required_constant(0, "condition")
    return c.read_graph(c.attribute("then_branch" if bool(condition) else "else_branch"))


@operator("Loop")
def loop(c: Call) -> list[Result]:
    """Unroll a loop."""
    count, condition = c.constant(0, "trip count"), c.constant(1, "condition")
    body = c.attribute("body")
    carried: list[Result] = [*c.inputs[2:]]
    if condition is not None and not bool(condition):
        return carried
    if count is None or int(count) > _MAX_ITERATIONS:
        c.refuse("its trip count is not constant, or too large", _NO_LOOPS)
    scanned: list[list[Result]] = [[] for _ in body.output[1 + len(carried) :]]
    true = c.graph.constant(True, np.bool_)
    for iteration in range(int(count)):
        number = c.graph.constant(iteration, np.int64)
        condition_out, *results = c.read_graph(body, [number, true, *carried])
        if not isinstance(condition_out, Value) or condition_out.data is None:
            c.refuse("the body computes its condition", _NO_LOOPS)
        carried = results[: len(carried)]
        _append(scanned, results[len(carried) :])
        if not bool(condition_out.data):
            break
    return [*carried, *(_stacked(c, parts, 0) for parts in scanned)]


@operator("Scan")
def scan(c: Call) -> list[Result]:
    """Unroll a loop over the slices of its inputs."""
    if c.opset < 9 or any(c.attribute("scan_output_directions") or []):
        c.refuse("scans in this form are not supported", "Export with a newer opset.")
    body = c.attribute("body")
    count = int(c.attribute("num_scan_inputs"))
    carried: list[Result] = [*c.inputs[: len(c.inputs) - count]]
    slices = _scan_inputs(c, count)
    scanned: list[list[Result]] = [[] for _ in body.output[len(carried) :]]
    for inputs in zip(*slices, strict=True):
        results = c.read_graph(body, [*carried, *inputs])
        carried = results[: len(carried)]
        _append(scanned, results[len(carried) :])
    axes = c.attribute("scan_output_axes") or [0] * len(scanned)
    stacked = [_stacked(c, parts, axis) for parts, axis in zip(scanned, axes, strict=True)]
    return [*carried, *stacked]


def _scan_inputs(c: Call, count: int) -> list[list[Value]]:
    """Return the slices of the last `count` inputs, in the order of the iterations."""
    axes = c.attribute("scan_input_axes") or [0] * count
    directions = c.attribute("scan_input_directions") or [0] * count
    slices = []
    for index, axis, backward in zip(range(count), axes, directions, strict=True):
        x = c[len(c.inputs) - count + index]
        axis = c.front_axis(axis, x.rank)
        if x.shape[axis] > _MAX_ITERATIONS:
            c.refuse(f"it has {x.shape[axis]} iterations", _NO_LOOPS)
        parts = c.ops("unstack", x, axis=axis)
        slices.append(parts[::-1] if backward else parts)
    return slices


def _append(scanned: Sequence[list[Result]], results: Sequence[Result]) -> None:
    for parts, value in zip(scanned, results, strict=True):
        parts.append(value)


def _stacked(c: Call, parts: Sequence[Result], axis: int) -> Value | Unread:
    if not parts:
        refuse_empty_tensor()
    values = [part for part in parts if isinstance(part, Value)]
    if len(values) < len(parts):
        return UNREAD
    return c.op("stack", values, axis=c.front_axis(axis, values[0].rank + 1))
