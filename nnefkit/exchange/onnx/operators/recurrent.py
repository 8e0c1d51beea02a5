"""Recurrent layers, unrolled.

A step of the usual form is a call of the same fragment as from other frameworks. Steps with other
activations, peepholes or coupled gates are composed of standard operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnefkit.exchange.compositions.recurrent import (
    States,
    Step,
    fragment_step,
    initial_states,
    steps,
    unrolled,
)
from nnefkit.exchange.onnx.call import INVALID, MICROSOFT, Call, operator
from nnefkit.exchange.onnx.operators.quantization import numbers_by_range
from nnefkit.exchange.reshaping import reshaped, sliced, to_scalar, transposed
from nnefkit.exchange.source_value import Argument, Value

_ACTIVATIONS = {
    "RNN": ["tanh"],
    "GRU": ["sigmoid", "tanh"],
    "LSTM": ["sigmoid", "tanh", "tanh"],
}
"""The default activations of each operator."""
_GATES = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}
"""The gates of ONNX in the order of the fragments."""


@dataclass(frozen=True)
class _RecurrentCell:
    """The weights of one direction."""

    c: Call
    size: int
    """The extent of the hidden state, and of each gate."""
    input_weights: Value
    hidden_weights: Value
    input_bias: Value | None
    hidden_bias: Value | None
    peepholes: Value | None
    activations: list[str]
    is_quantized: bool = False
    """Whether the hidden state is rounded to 256 levels before it is multiplied."""

    def carried(self, hidden: Value, bias: Value | None) -> Value:
        """Return the product of the hidden state and its weights."""
        if self.is_quantized:
            hidden = numbers_by_range(self.c, hidden)
        return self.linear(hidden, self.hidden_weights, bias)

    def linear(self, x: Value, weights: Value, bias: Value | None) -> Value:
        return self.c.op("linear", x, weights, *([] if bias is None else [bias]))

    def activated(self, index: int, x: Value) -> Value:
        return self.c.op(self.activations[index], x)

    def gate(self, value: Value, number: int) -> Value:
        """Return the part of a row that belongs to a gate."""
        return self.part(value, value.rank - 1, number, number + 1)

    def part(self, value: Value, axis: int, first: int, last: int) -> Value:
        return sliced(self.c, value, axis, first * self.size, last * self.size)


@operator("RNN", "GRU", "LSTM")
def recurrent(c: Call) -> list[Value | None]:
    """Read a layer of one or two directions."""
    x = c.ranked(0, 3)
    # The axis of the steps; in a single step and in the last states, the axis of the directions.
    axis = 1 if c.attribute("layout", 0) else 0
    _refuse_options(c, x.shape[axis])
    direction = c.attribute("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    size = int(c.attribute("hidden_size") or c[2].shape[-1])
    _check_shapes(c, count, size, axis)
    states = _initial_states(c, count, (x.shape[1 - axis], size), axis)
    name = next(filter(None, c.output_names), c.operator.lower())
    inputs = steps(c, x, axis, name)
    hidden: list[list[Value]] = []
    final: list[States] = []
    with c.graph.scope(c.operator.lower()):
        for number in range(count):
            step = _step_of(_cell(c, number, count, size))
            backward = direction == "reverse" or number == 1
            layer = f"{name}.l0" + "_reverse" * backward
            outputs, last = unrolled(c, step, inputs, states[number], layer, backward=backward)
            hidden.append(outputs)
            final.append(last)
        return _results(c, hidden, final, axis)


_QUANTIZED = "quantized"
"""A mark among the attributes of a layer whose weights are codes."""


@operator("DynamicQuantizeLSTM", domain=MICROSOFT)
def quantized_lstm(c: Call) -> list[Value | None]:
    """Read an LSTM whose weights are codes, and whose input and hidden state are quantized.

    They are rounded to 256 levels between their smallest and largest elements, as codes would be.
    """
    weights = [_decoded(c, c[index], c[first], c.get(first + 1)) for index, first in _SCALES]
    inputs = [numbers_by_range(c, c[0]), *weights, *c.inputs[3:8]]
    attributes = {**c.attributes, _QUANTIZED: True}
    names = c.input_names, c.output_names
    return recurrent(Call("LSTM", c.graph, inputs, attributes, c.opset, *names, c.node))


_SCALES = ((1, 8), (2, 10))
"""The inputs for weights, and the first of their scale and zero point."""


def _decoded(c: Call, codes: Value, scale: Value, zero: Value | None) -> Value:
    """Return the weights that codes of shape (directions, columns, rows) represent."""
    if scale.rank == 2:
        scale = reshaped(c, scale, (scale.shape[0], 1, scale.shape[1]))
    elif scale.rank:
        scale = reshaped(c, scale, (scale.shape[0], 1, 1))
    number = to_scalar(c, codes)
    if zero is not None:
        number = c.op("sub", number, reshaped(c, to_scalar(c, zero), scale.shape))
    return transposed(c, c.op("mul", number, scale), [0, 2, 1])


def _refuse_options(c: Call, count: int) -> None:
    lengths = c.constant(4, "sequence lengths")
    if lengths is not None and (lengths != count).any():
        c.refuse("its sequences have different lengths", "Export with sequences of one length.")
    if c.attribute("clip") is not None:
        c.refuse("it clips its gates", "Train or export without clipping.")
    if c.attribute("activation_alpha") or c.attribute("activation_beta"):
        c.refuse("its activations have parameters", "Use activations without parameters.")


def _check_shapes(c: Call, count: int, size: int, axis: int) -> None:
    """Refuse weights and states whose shapes do not fit the input and the hidden size."""
    x, rows = c[0], len(_GATES[c.operator]) * size
    state = (count, x.shape[1 - axis], size)
    if axis:
        state = (state[1], state[0], state[2])
    expected = {
        1: (count, rows, x.shape[2]),
        2: (count, rows, size),
        3: (count, 2 * rows),
        5: state,
        6: state,
        7: (count, 3 * size),
    }
    for index, shape in expected.items():
        given = c.get(index)
        if given is not None and given.shape != shape:
            c.refuse(f"its input {index} has shape {[*given.shape]} instead of {[*shape]}", INVALID)


def _initial_states(c: Call, count: int, shape: tuple[int, int], axis: int) -> list[States]:
    """Return the states before the first step, for each direction."""
    states: list[States] = [[] for _ in range(count)]
    for index in (5, 6) if c.operator == "LSTM" else (5,):
        given = c.get(index)
        if given is None:
            zeros = c.graph.constant(np.zeros(shape, np.float32))
            zeros.filler = True
            parts = [zeros] * count
        else:
            parts = initial_states(c, given, axis)
        for state, part in zip(states, parts, strict=True):
            state.append(part)
    return states


_SUPPORTED = ("tanh", "sigmoid", "relu", "softplus", "elu")


def _cell(c: Call, number: int, count: int, size: int) -> _RecurrentCell:
    """Return the weights of a direction."""

    def of_direction(index: int) -> Value | None:
        value = c.get(index)
        if value is None:
            return None
        return reshaped(c, sliced(c, value, 0, number, number + 1), value.shape[1:])

    def required(index: int) -> Value:
        return of_direction(index) or c[index]

    defaults = _ACTIVATIONS[c.operator]
    names = [name.lower() for name in c.attribute("activations") or defaults * count]
    activations = names[number * len(defaults) : (number + 1) * len(defaults)]
    for name in activations:
        if name not in _SUPPORTED:
            c.refuse(f"its activation is {name}", "Use sigmoid, tanh or relu.")
    bias, peepholes = of_direction(3), of_direction(7)
    input_bias = hidden_bias = None
    if bias is not None:
        half = bias.shape[0] // 2
        input_bias, hidden_bias = (
            reshaped(c, sliced(c, bias, 0, first, first + half), (1, half)) for first in (0, half)
        )
    if peepholes is not None:
        peepholes = reshaped(c, peepholes, (1, *peepholes.shape))
    weights = required(1), required(2)
    is_quantized = bool(c.attribute(_QUANTIZED))
    biases = input_bias, hidden_bias
    return _RecurrentCell(c, size, *weights, *biases, peepholes, activations, is_quantized)


# -- steps -----------------------------------------------------------------------------------------


def _step_of(cell: _RecurrentCell) -> Step:
    name = _fragment(cell)
    if name:
        return _usual_step(cell, name)
    step = {"RNN": _rnn_step, "GRU": _gru_step, "LSTM": _lstm_step}[cell.c.operator]
    return lambda x, states: step(cell, x, states)


_RESET_FIRST = "gru_reset_first_step"


def _fragment(cell: _RecurrentCell) -> str:
    """Return the name of the fragment for a step; empty if there is none."""
    c = cell.c
    if c.operator == "RNN":
        (name,) = cell.activations
        return f"rnn_{name}_step" if name in ("tanh", "relu") else ""
    if cell.activations != _ACTIVATIONS[c.operator] or cell.peepholes is not None:
        return ""
    if cell.is_quantized:
        return ""
    if c.operator == "GRU":
        return "gru_step" if c.attribute("linear_before_reset", 0) else _RESET_FIRST
    return "" if c.attribute("input_forget", 0) else "lstm_step"


def _usual_step(cell: _RecurrentCell, name: str) -> Step:
    order = _GATES[cell.c.operator]
    filters = [
        _reordered(cell, value, 0, order) for value in (cell.input_weights, cell.hidden_weights)
    ]
    biases: list[Argument] = [
        0.0 if bias is None else _reordered(cell, bias, 1, order)
        for bias in (cell.input_bias, cell.hidden_bias)
    ]
    if name == _RESET_FIRST:
        # The product for the candidate is another one than that for the gates.
        filters[1:] = _gates_and_candidate(cell, filters[1], 0)
        hidden_bias = biases[1]
        parts: Sequence[Argument] = [0.0, 0.0]
        if isinstance(hidden_bias, Value):
            parts = _gates_and_candidate(cell, hidden_bias, 1)
        biases[1:] = parts
    return fragment_step(cell.c, name, [*filters, *biases])


def _gates_and_candidate(cell: _RecurrentCell, value: Value, axis: int) -> list[Value]:
    """Return the parts of weights for the two gates, and for the candidate."""
    return [cell.part(value, axis, 0, 2), cell.part(value, axis, 2, 3)]


def _reordered(cell: _RecurrentCell, value: Value, axis: int, order: Sequence[int]) -> Value:
    """Return weights with the gates along an axis in another order."""
    c = cell.c
    if [*order] == [*range(len(order))]:
        return value
    if value.data is not None:
        rows = np.concatenate([np.arange(cell.size) + gate * cell.size for gate in order])
        return c.graph.derived(value, ("gates", axis, *order), lambda data: data.take(rows, axis))
    return c.op("concat", [cell.part(value, axis, gate, gate + 1) for gate in order], axis=axis)


def _rnn_step(cell: _RecurrentCell, x: Value, states: States) -> States:
    given = cell.linear(x, cell.input_weights, cell.input_bias)
    carried = cell.linear(states[0], cell.hidden_weights, cell.hidden_bias)
    return [cell.activated(0, cell.c.op("add", given, carried))]


def _gru_step(cell: _RecurrentCell, x: Value, states: States) -> States:
    c, (hidden,) = cell.c, states
    given = cell.linear(x, cell.input_weights, cell.input_bias)
    if c.attribute("linear_before_reset", 0):
        carried = cell.linear(hidden, cell.hidden_weights, cell.hidden_bias)
        update, reset = (_gru_gate(cell, given, carried, number) for number in (0, 1))
        memory = c.op("mul", reset, cell.gate(carried, 2))
    else:
        bias = cell.hidden_bias
        gates_bias = None if bias is None else cell.part(bias, 1, 0, 2)
        memory_bias = None if bias is None else cell.part(bias, 1, 2, 3)
        carried = cell.linear(hidden, cell.part(cell.hidden_weights, 0, 0, 2), gates_bias)
        update, reset = (_gru_gate(cell, given, carried, number) for number in (0, 1))
        weights = cell.part(cell.hidden_weights, 0, 2, 3)
        memory = cell.linear(c.op("mul", reset, hidden), weights, memory_bias)
    candidate = cell.activated(1, c.op("add", cell.gate(given, 2), memory))
    # (1 - update) candidate + update hidden
    return [c.op("add", candidate, c.op("mul", update, c.op("sub", hidden, candidate)))]


def _gru_gate(cell: _RecurrentCell, given: Value, carried: Value, number: int) -> Value:
    total = cell.c.op("add", cell.gate(given, number), cell.gate(carried, number))
    return cell.activated(0, total)


def _lstm_step(cell: _RecurrentCell, x: Value, states: States) -> States:
    c, (hidden, memory) = cell.c, states
    given = cell.linear(x, cell.input_weights, cell.input_bias)
    carried = cell.carried(hidden, cell.hidden_bias)
    total = c.op("add", given, carried)
    enter, leave, forget, candidate = (cell.gate(total, number) for number in range(4))
    enter = cell.activated(0, _with_peephole(cell, enter, 0, memory))
    if c.attribute("input_forget", 0):
        forget = c.op("sub", 1.0, enter)
    else:
        forget = cell.activated(0, _with_peephole(cell, forget, 2, memory))
    fresh = c.op("mul", enter, cell.activated(1, candidate))
    memory = c.op("add", c.op("mul", forget, memory), fresh)
    leave = cell.activated(0, _with_peephole(cell, leave, 1, memory))
    return [c.op("mul", leave, cell.activated(2, memory)), memory]


def _with_peephole(cell: _RecurrentCell, gate: Value, number: int, memory: Value) -> Value:
    if cell.peepholes is None:
        return gate
    c = cell.c
    return c.op("add", gate, c.op("mul", cell.gate(cell.peepholes, number), memory))


# -- results ---------------------------------------------------------------------------------------


def _results(
    c: Call, hidden: list[list[Value]], final: list[States], axis: int
) -> list[Value | None]:
    """Return the hidden states of all steps and the last states, if they are used."""
    results: list[Value | None] = [None] * 3
    if c.wants(0):
        results[0] = _all_steps(c, hidden, axis)
    for number in range(len(final[0])):
        if c.wants(number + 1):
            results[number + 1] = c.op("stack", [state[number] for state in final], axis=axis)
    return results


def _all_steps(c: Call, hidden: list[list[Value]], axis: int) -> Value:
    """Return the hidden states of all steps, with an axis for the directions."""
    if len(hidden) == 1:
        # The axis of the directions is after that of the steps, in both layouts.
        return c.op("unsqueeze", c.op("stack", hidden[0], axis=axis), axes=[axis + 1])
    each = [c.op("stack", [*directions], axis=axis) for directions in zip(*hidden, strict=True)]
    return c.op("stack", each, axis=axis)
