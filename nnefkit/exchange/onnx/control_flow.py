"""Branches and loops: taken and unrolled, where it is known which and how often."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.source_graph import Value


@operator("If")
def if_(c: Call) -> list[Any]:
    """The branch that is known to be taken."""
    condition = c.values(0, "condition")
    branch = c.attribute("then_branch" if bool(np.asarray(condition)) else "else_branch")
    assert c.body is not None  # noqa: S101 - the reader gives it
    return list(c.body(branch))


@operator("Loop")
def loop(c: Call) -> list[Any]:
    """Unrolled, where it is known how often it turns."""
    turns = c.values(0, "number of turns")
    keep = c.values(1, "condition")
    body = c.attribute("body")
    if keep is not None and not bool(keep):
        return [*c.inputs[2:]]
    if turns is None or int(turns) > 256:
        c.refuse("it is not known how often it turns", "NNEF has no loops.")
    assert c.body is not None  # noqa: S101 - the reader gives it
    carried: list[Any] = [*c.inputs[2:]]
    scans: list[list[Any]] = [[] for _ in body.output[1 + len(carried) :]]
    condition = c.graph.constant(True, np.bool_)
    for turn in range(int(turns)):
        found = c.body(body, [c.graph.constant(turn, np.int64), condition, *carried])
        if not isinstance(found[0], Value) or found[0].data is None:
            c.refuse("whether it goes on is computed in it", "NNEF has no loops.")
        carried = found[1 : 1 + len(carried)]
        for scan, value in zip(scans, found[1 + len(carried) :], strict=True):
            scan.append(value)
        if not bool(found[0].data):
            break
    return [*carried, *(_stacked(c, scan, 0) for scan in scans)]


def _stacked(c: Call, parts: list[Any], axis: int) -> Any:
    if not parts:
        refuse_empty_tensor()
    if not all(isinstance(part, Value) for part in parts):
        return None
    return c.op("stack", parts, axis=axis)


@operator("Scan")
def scan(c: Call) -> list[Any]:
    """Unrolled, one turn for each item of an axis."""
    count = int(c.attribute("num_scan_inputs"))
    body = c.attribute("body")
    if c.opset < 9 or any(c.attribute("scan_output_directions") or []):
        c.refuse("scans in this form are not read", "Export with a newer opset.")
    states: list[Any] = [*c.inputs[: len(c.inputs) - count]]
    axes = c.attribute("scan_input_axes") or [0] * count
    turned = c.attribute("scan_input_directions") or [0] * count
    sources = []
    for index, axis, back in zip(range(len(states), len(c.inputs)), axes, turned, strict=True):
        parts = c.ops("unstack", c[index], axis=axis % c[index].rank)
        sources.append(parts[::-1] if back else parts)
    if len(sources[0]) > 256:
        c.refuse(f"it turns {len(sources[0])} times", "NNEF has no loops.")
    assert c.body is not None  # noqa: S101 - the reader gives it
    outputs: list[list[Any]] = [[] for _ in body.output[len(states) :]]
    for given in zip(*sources, strict=True):
        found = c.body(body, [*states, *given])
        states = found[: len(states)]
        for kept, value in zip(outputs, found[len(states) :], strict=True):
            kept.append(value)
    places = c.attribute("scan_output_axes") or [0] * len(outputs)
    stacked = [
        _stacked(c, kept, axis % (kept[0].rank + 1))
        for kept, axis in zip(outputs, places, strict=True)
    ]
    return [*states, *stacked]
