"""Recurrent layers, unrolled: each step a few products that a reader can follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, sliced, transposed
from nnefkit.exchange.source_graph import Value

_LONGEST = 512
_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
_DEFAULTS = {
    "RNN": ["Tanh"],
    "GRU": ["Sigmoid", "Tanh"],
    "LSTM": ["Sigmoid", "Tanh", "Tanh"],
}
Activation = Callable[[Value], Any]


@dataclass
class _Cell:
    """The weights of one direction."""

    c: Call
    size: int
    input_weights: Value
    recurrent_weights: Value
    input_bias: Value | None
    recurrent_bias: Value | None
    peepholes: Value | None
    activations: list[Activation]

    def gates(self, x: Value, weights: Value, bias: Value | None) -> Value:
        return self.c.op("linear", x, weights, *([] if bias is None else [bias]))

    def part(self, value: Value, number: int) -> Value:
        return sliced(self.c, value, value.rank - 1, number * self.size, (number + 1) * self.size)

    def rows(self, value: Value, first: int, last: int) -> Value:
        return sliced(self.c, value, 0, first * self.size, last * self.size)


@operator("RNN", "GRU", "LSTM")
def recurrent(c: Call) -> list[Value | None]:
    """All steps of all directions."""
    batch_first = bool(c.attribute("layout", 0))
    x = transposed(c, c[0], [1, 0, 2]) if batch_first else c[0]
    steps, batch, _ = x.shape
    size = int(c.attribute("hidden_size") or c[2].shape[-1])
    direction = c.attribute("direction", "forward")
    count = 2 if direction == "bidirectional" else 1
    _refuse_options(c, steps, batch)
    states = [_initial(c, 5, count, batch, size, batch_first)]
    if c.operator == "LSTM":
        states.append(_initial(c, 6, count, batch, size, batch_first))
    inputs = [reshaped(c, part, (batch, x.shape[2])) for part in _parts(c, x)]
    every: list[list[Value]] = []
    last: list[list[Value]] = []
    with c.graph.scope(c.operator.lower()):
        for number in range(count):
            cell = _cell(c, number, count, size)
            backwards = direction == "reverse" or number == 1
            given = inputs[::-1] if backwards else inputs
            hidden, final = _run(cell, given, [state[number] for state in states])
            every.append(hidden[::-1] if backwards else hidden)
            last.append(final)
        return _outputs(c, every, last, batch_first)


def _refuse_options(c: Call, steps: int, batch: int) -> None:
    lengths = c.values(4, "sequence lengths")
    if lengths is not None and (lengths != steps).any():
        c.refuse("its sequences have lengths of their own", "Export with sequences of one length.")
    if steps > _LONGEST:
        c.refuse(
            f"it has {steps} steps, and NNEF has no loops",
            f"Up to {_LONGEST} steps are unrolled: give a shorter input shape.",
        )
    if c.attribute("clip") is not None:
        c.refuse("it clips its gates", "Train or export without clipping.")
    del batch


def _parts(c: Call, x: Value) -> list[Value]:
    if x.shape[0] == 1:
        return [x]
    parts: list[Value] = c.ops("split", x, axis=0, ratios=[1] * x.shape[0])
    return parts


def _initial(
    c: Call, index: int, count: int, batch: int, size: int, batch_first: bool
) -> list[Value]:
    given = c.get(index)
    if given is None:
        zeros = c.graph.constant(np.zeros((batch, size), np.float32))
        return [zeros] * count
    if batch_first:
        given = transposed(c, given, [1, 0, 2])
    return [reshaped(c, sliced(c, given, 0, i, i + 1), (batch, size)) for i in range(count)]


def _cell(c: Call, number: int, count: int, size: int) -> _Cell:
    def of(index: int) -> Value | None:
        value = c.get(index)
        if value is None:
            return None
        return reshaped(c, sliced(c, value, 0, number, number + 1), value.shape[1:])

    weights, recurrent_weights, bias, peepholes = of(1), of(2), of(3), of(7)
    assert weights is not None and recurrent_weights is not None  # noqa: S101, PT018
    biases: list[Value | None] = [None, None]
    if bias is not None:
        half = bias.shape[0] // 2
        biases = [
            reshaped(c, sliced(c, bias, 0, first, first + half), (1, half)) for first in (0, half)
        ]
    names = c.attribute("activations") or _DEFAULTS[c.operator] * count
    each = len(_DEFAULTS[c.operator])
    chosen = names[number * each : (number + 1) * each]
    alphas, betas = c.attribute("activation_alpha") or [], c.attribute("activation_beta") or []
    if alphas or betas:
        c.refuse("its activations have parameters", "Use activations without parameters.")
    activations = [_activation(c, name) for name in chosen]
    if peepholes is not None:
        peepholes = reshaped(c, peepholes, (1, *peepholes.shape))
    return _Cell(c, size, weights, recurrent_weights, biases[0], biases[1], peepholes, activations)


_FUNCTIONS = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "relu": "relu",
    "softplus": "softplus",
    "elu": "elu",
}


def _activation(c: Call, name: str) -> Activation:
    found = _FUNCTIONS.get(name.lower())
    if found is None:
        c.refuse(f"its activation is {name}", "Use sigmoid, tanh or relu.")
    return lambda x: c.op(found, x)


def _run(
    cell: _Cell, inputs: Sequence[Value], states: list[Value]
) -> tuple[list[Value], list[Value]]:
    step = {"RNN": _rnn_step, "GRU": _gru_step, "LSTM": _lstm_step}[cell.c.operator]
    hidden = []
    for x in inputs:
        states = step(cell, x, states)
        hidden.append(states[0])
    return hidden, states


def _rnn_step(cell: _Cell, x: Value, states: list[Value]) -> list[Value]:
    c = cell.c
    given = cell.gates(x, cell.input_weights, cell.input_bias)
    kept = cell.gates(states[0], cell.recurrent_weights, cell.recurrent_bias)
    return [cell.activations[0](c.op("add", given, kept))]


def _gru_step(cell: _Cell, x: Value, states: list[Value]) -> list[Value]:
    c, before = cell.c, states[0]
    gate, candidate = cell.activations
    given = cell.gates(x, cell.input_weights, cell.input_bias)
    if c.attribute("linear_before_reset", 0):
        kept = cell.gates(before, cell.recurrent_weights, cell.recurrent_bias)
        update, reset = (gate(c.op("add", cell.part(given, i), cell.part(kept, i))) for i in (0, 1))
        memory = c.op("mul", reset, cell.part(kept, 2))
    else:
        bias = cell.recurrent_bias
        two = None if bias is None else sliced(c, bias, 1, 0, 2 * cell.size)
        one = None if bias is None else cell.part(bias, 2)
        kept = cell.gates(before, cell.rows(cell.recurrent_weights, 0, 2), two)
        update, reset = (gate(c.op("add", cell.part(given, i), cell.part(kept, i))) for i in (0, 1))
        memory = cell.gates(
            c.op("mul", reset, before), cell.rows(cell.recurrent_weights, 2, 3), one
        )
    new = candidate(c.op("add", cell.part(given, 2), memory))
    # (1 - z) n + z h
    return [c.op("add", new, c.op("mul", update, c.op("sub", before, new)))]


def _lstm_step(cell: _Cell, x: Value, states: list[Value]) -> list[Value]:
    c, (before, memory) = cell.c, states
    gate, candidate, output = cell.activations
    given = cell.gates(x, cell.input_weights, cell.input_bias)
    kept = cell.gates(before, cell.recurrent_weights, cell.recurrent_bias)
    total = c.op("add", given, kept)
    i, o, f, n = (cell.part(total, number) for number in range(4))
    if cell.peepholes is not None:
        i = c.op("add", i, c.op("mul", cell.part(cell.peepholes, 0), memory))
        f = c.op("add", f, c.op("mul", cell.part(cell.peepholes, 2), memory))
    opened = gate(i)
    kept_share = c.op("sub", 1.0, opened) if c.attribute("input_forget", 0) else gate(f)
    fresh = c.op("mul", opened, candidate(n))
    memory = c.op("add", c.op("mul", kept_share, memory), fresh)
    if cell.peepholes is not None:
        o = c.op("add", o, c.op("mul", cell.part(cell.peepholes, 1), memory))
    return [c.op("mul", gate(o), output(memory)), memory]


def _outputs(
    c: Call, every: list[list[Value]], last: list[list[Value]], batch_first: bool
) -> list[Value | None]:
    """The hidden states of all steps, and the last states."""
    found: list[Value | None] = [None] * 3
    if c.wants(0):
        steps = [c.op("stack", [*parts], axis=0) for parts in zip(*every, strict=True)]
        whole = c.op("stack", steps, axis=0)
        found[0] = transposed(c, whole, [2, 0, 1, 3]) if batch_first else whole
    for number in range(len(last[0])):
        if c.wants(number + 1):
            states = c.op("stack", [state[number] for state in last], axis=0)
            found[number + 1] = transposed(c, states, [1, 0, 2]) if batch_first else states
    return found
