"""Recurrent cells: a step is a call of the same fragment as from other frameworks.

Steps with other activations than the usual ones are composed of standard operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.recurrent import fragment_step
from nnefkit.exchange.keras.call import Call
from nnefkit.exchange.keras.layers.activation import activated, function_name
from nnefkit.exchange.keras.model import LayerInfo
from nnefkit.exchange.keras.options import INVALID, Options
from nnefkit.exchange.keras.variable_slots import slots_of
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import Argument, Value

States = list[Value]
Step = Callable[[Value, States], States]
"""Input and states of a step -> the next states, of which one is the result."""


@dataclass(frozen=True)
class UnrolledCell:
    """A cell: the shapes of its states, and how it computes a step."""

    step: Step
    sizes: Sequence[int]
    """The number of elements of each state."""
    output: int = 0
    """Which of the states is the result of a step."""


@dataclass(frozen=True)
class _CellWeights:
    """The weights of a cell, of a number of gates."""

    kernel: Value
    recurrent: Value
    bias: Value | None
    units: int


def _weights(c: Call, options: Options, attribute: str, gates: int) -> _CellWeights:
    units = options.integer("units")
    kernel, recurrent = c.weight("kernel", attribute), c.weight("recurrent_kernel", attribute)
    bias = c.weight("bias", attribute) if options.flag("use_bias", True) else None
    is_right = kernel.rank == 2 and kernel.shape[1] == gates * units
    if not is_right or recurrent.shape != (units, gates * units):
        refuse(f"its weights are {[*kernel.shape]} and {[*recurrent.shape]}", INVALID)
    return _CellWeights(kernel, recurrent, bias, units)


def _rows(c: Call, kernel: Value, order: Sequence[int] = ()) -> Value:
    """Return a kernel with a row for each output, and its gates in another order."""

    def make(data: Array) -> Array:
        parts = np.split(data, len(order) or 1, axis=-1)
        joined = np.concatenate([parts[gate] for gate in order], -1) if order else data
        return np.ascontiguousarray(joined.T)

    return c.graph.derived(kernel, ("gates", *order) if order else ("transpose", 1, 0), make)


def _bias(c: Call, bias: Value | None, row: int, order: Sequence[int], size: int) -> Argument:
    """Return a row of a bias as ``[1, C]``, with its gates in another order; 0 without one."""
    if bias is None or bias.data is None:
        return 0.0
    data = bias.data.reshape(-1, bias.shape[-1])
    if row >= len(data) or data.shape[1] != size:
        refuse(f"its bias is {[*bias.shape]}", INVALID)

    def make(whole: Array) -> Array:
        parts = np.split(whole.reshape(-1, whole.shape[-1])[row], len(order) or 1)
        return np.concatenate([parts[gate] for gate in order] if order else parts)[None]

    if not data[row].any():
        return 0.0
    return c.graph.derived(bias, ("gates", "bias", row, *order), make)


# -- cells -----------------------------------------------------------------------------------------


def _is_usual(options: Options) -> bool:
    """Return whether the activations of a cell are those of the fragments."""
    is_tanh = function_name(options.get("activation", "tanh")) == "tanh"
    gate = function_name(options.get("recurrent_activation", "sigmoid"))
    return is_tanh and gate == "sigmoid"


def _lstm(c: Call, options: Options, attribute: str) -> UnrolledCell:
    weights = _weights(c, options, attribute, 4)
    kernel, recurrent = _rows(c, weights.kernel), _rows(c, weights.recurrent)
    bias = _bias(c, weights.bias, 0, (), 4 * weights.units)
    sizes = [weights.units] * 2
    if _is_usual(options):
        return UnrolledCell(fragment_step(c, "lstm_step", [kernel, recurrent, bias, 0.0]), sizes)
    inner, gate = options.get("activation", "tanh"), options.get("recurrent_activation", "sigmoid")

    def step(x: Value, states: States) -> States:
        hidden, cell = states
        with c.graph.scope("lstm_step"):
            total = c.op("linear", x, kernel, bias)
            total = c.op("add", total, c.op("matmul", hidden, recurrent, transposeB=True))
            enter, forget, new, leave = c.ops("split", total, axis=1, ratios=[1] * 4)
            kept = c.op("mul", activated(c, forget, gate), cell)
            added = c.op("mul", activated(c, enter, gate), activated(c, new, inner))
            cell = c.op("add", kept, added)
            return [c.op("mul", activated(c, leave, gate), activated(c, cell, inner)), cell]

    return UnrolledCell(step, sizes)


_GATES = (1, 0, 2)
"""Reset, update and candidate: the order of the fragments; Keras has the update first."""


def _gru(c: Call, options: Options, attribute: str) -> UnrolledCell:
    weights = _weights(c, options, attribute, 3)
    units = weights.units
    is_after = options.flag("reset_after", not c.is_keras_2)
    kernel = _rows(c, weights.kernel, _GATES)
    bias = _bias(c, weights.bias, 0, _GATES, 3 * units)
    if not _is_usual(options):
        return UnrolledCell(_unusual_gru(c, options, weights, is_after), [units])
    if is_after:
        recurrent = _rows(c, weights.recurrent, _GATES)
        other = _bias(c, weights.bias, 1, _GATES, 3 * units) if weights.bias is not None else 0.0
        return UnrolledCell(fragment_step(c, "gru_step", [kernel, recurrent, bias, other]), [units])
    gates, candidate = _reset_first(c, weights)
    given = [kernel, gates, candidate, bias, 0.0, 0.0]
    return UnrolledCell(fragment_step(c, "gru_reset_first_step", given), [units])


def _reset_first(c: Call, weights: _CellWeights) -> tuple[Value, Value]:
    """Return the recurrent kernels of the gates, and that of the candidate."""
    units = weights.units

    def gates(data: Array) -> Array:
        update, reset = data[:, :units], data[:, units : 2 * units]
        return np.ascontiguousarray(np.concatenate([reset, update], 1).T)

    def candidate(data: Array) -> Array:
        return np.ascontiguousarray(data[:, 2 * units :].T)

    return (
        c.graph.derived(weights.recurrent, ("gates", "reset and update"), gates),
        c.graph.derived(weights.recurrent, ("slice", "candidate"), candidate),
    )


def _unusual_gru(c: Call, options: Options, weights: _CellWeights, is_after: bool) -> Step:
    """Return a step with other activations, composed of standard operations."""
    units = weights.units
    inner, gate = options.get("activation", "tanh"), options.get("recurrent_activation", "sigmoid")
    kernel = _rows(c, weights.kernel, _GATES)
    bias = _bias(c, weights.bias, 0, _GATES, 3 * units)
    gates, candidate_kernel = _reset_first(c, weights)
    other: Argument = 0.0
    if is_after and weights.bias is not None:
        other = _bias(c, weights.bias, 1, _GATES, 3 * units)
    recurrent = _rows(c, weights.recurrent, _GATES)

    def step(x: Value, states: States) -> States:
        (hidden,) = states
        with c.graph.scope("gru_step"):
            parts = c.ops("split", c.op("linear", x, kernel, bias), axis=1, ratios=[1, 1, 1])
            if is_after:
                inner_parts = c.op("linear", hidden, recurrent, other)
                past = c.ops("split", inner_parts, axis=1, ratios=[1, 1, 1])
            else:
                product = c.op("matmul", hidden, gates, transposeB=True)
                past = c.ops("split", product, axis=1, ratios=[1, 1])
            reset = activated(c, c.op("add", parts[0], past[0]), gate)
            share = activated(c, c.op("add", parts[1], past[1]), gate)
            if is_after:
                added = c.op("mul", reset, past[2])
            else:
                kept = c.op("mul", reset, hidden)
                added = c.op("matmul", kept, candidate_kernel, transposeB=True)
            candidate = activated(c, c.op("add", parts[2], added), inner)
            change = c.op("mul", share, c.op("sub", hidden, candidate))
            return [c.op("add", candidate, change)]

    return step


def _simple(c: Call, options: Options, attribute: str) -> UnrolledCell:
    weights = _weights(c, options, attribute, 1)
    kernel, recurrent = _rows(c, weights.kernel), _rows(c, weights.recurrent)
    bias = _bias(c, weights.bias, 0, (), weights.units)
    stated = options.get("activation", "tanh")
    name = function_name(stated) if not isinstance(stated, dict) else ""
    if name in ("tanh", "relu"):
        fragment = f"rnn_{name}_step"
        given = [kernel, recurrent, bias, 0.0]
        return UnrolledCell(fragment_step(c, fragment, given), [weights.units])

    def step(x: Value, states: States) -> States:
        with c.graph.scope("rnn_step"):
            total = c.op("linear", x, kernel, bias)
            total = c.op("add", total, c.op("matmul", states[0], recurrent, transposeB=True))
            return [activated(c, total, stated)]

    return UnrolledCell(step, [weights.units])


def _stacked(cells: Sequence[UnrolledCell]) -> UnrolledCell:
    """Return cells of which each reads the result of the one before."""
    sizes = [size for cell in cells for size in cell.sizes]

    def step(x: Value, states: States) -> States:
        rest, following = list(states), []
        for cell in cells:
            own, rest = rest[: len(cell.sizes)], rest[len(cell.sizes) :]
            new = cell.step(x, own)
            x = new[cell.output]
            following += new
        return following

    return UnrolledCell(step, sizes, len(sizes) - len(cells[-1].sizes) + cells[-1].output)


CELLS: dict[str, Callable[[Call, Options, str], UnrolledCell]] = {
    "LSTMCell": _lstm,
    "GRUCell": _gru,
    "SimpleRNNCell": _simple,
}


def cell_of(c: Call, info: LayerInfo, attribute: str) -> UnrolledCell:
    """Return a cell by its configuration; its options are checked, too."""
    options = Options(info.config)
    if info.kind == "StackedRNNCells" and not info.problem:
        options.get("cells")
        children = slots_of(info).children
        if not children:
            refuse("it has no cells", INVALID)
        cells = [cell_of(c, child.layer, f"{attribute}/{child.attribute}") for child in children]
        options.check()
        return _stacked(cells)
    if info.kind not in CELLS or info.problem:
        refuse(f"its cell is a {info.class_name}", "Use a cell of Keras, or a layer.")
    cell = CELLS[info.kind](c, options, attribute)
    options.check()
    return cell
