"""Recurrent layers, unrolled over time."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions.recurrent import States, Step, fragment_step, steps, unrolled
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_ORDER = (0, 1, 3, 2)
"""The gates of Caffe are input, forget, output, candidate; those of the fragment end otherwise."""


@dataclass(frozen=True, eq=False)
class _RecurrentInputs:
    """What a recurrent layer reads."""

    rows: Value
    """The sequence, of shape (time, batch, width)."""
    marks: Value
    """0 where the states start again, of shape (time, batch, 1)."""
    static: Value | None
    """An input of each step, of shape (batch, width)."""
    states: States | None
    """The states before the first step; None if they are 0."""
    size: int
    """The number of elements of a state."""

    @property
    def weights_after(self) -> int:
        """The position of the first weight after those of the inputs."""
        return 2 if self.static is None else 3


def _sequence(c: Call, state_count: int) -> _RecurrentInputs:
    """Return the inputs of a recurrent layer.

    Raises:
        Refusal: Their number or their shapes are not those of the layer.
    """
    p = c.parameter("recurrent_param")
    exposed = state_count if p.expose_hidden else 0
    if not 2 <= len(c.inputs) - exposed <= 3 or p.num_output < 1:
        c.invalid(f"it has {len(c.inputs)} bottoms and {p.num_output} outputs")
    x, cont = c.inputs[:2]
    if x.rank < 2 or cont.shape != x.shape[:2]:
        c.invalid(f"its bottoms have the shapes {[*x.shape]} and {[*cont.shape]}")
    time, batch, size = *x.shape[:2], int(p.num_output)
    rest = c.inputs[2:]
    static = rest[0] if len(rest) > exposed else None
    if static is not None:
        if not static.rank or static.shape[0] != batch:
            c.invalid(f"its static bottom has the shape {[*static.shape]} for {batch} entries")
        static = reshaped(c, static, (batch, prod(static.shape[1:])))
    states = [*rest[len(rest) - exposed :]] if exposed else None
    if states is not None:
        if any(state.shape != (1, batch, size) for state in states):
            c.invalid(f"its states have the shapes {[[*state.shape] for state in states]}")
        states = [reshaped(c, state, (batch, size)) for state in states]
    rows = reshaped(c, x, (time, batch, prod(x.shape[2:])))
    return _RecurrentInputs(rows, reshaped(c, cont, (time, batch, 1)), static, states, size)


def _input_filter(c: Call, sequence: _RecurrentInputs, rows: int, gates: int) -> Value:
    """Return the filter of the inputs of a step: of the sequence, then of the static one."""
    width = sequence.rows.shape[2]
    filters = [_reordered(c, c.weight(0, "input_filter", (rows, width)), gates)]
    if sequence.static is None:
        return filters[0]
    shape = rows, sequence.static.shape[1]
    filters.append(_reordered(c, c.weight(2, "static_filter", shape), gates))
    joined = c.op("concat", filters, axis=1)
    joined.name = f"{c.name}/joined_filter"
    return joined


def _hidden(c: Call, sequence: _RecurrentInputs, step: Step, count: int) -> tuple[Value, States]:
    """Return the hidden states of all steps, of shape (time, batch, size), and the last states."""
    inputs = steps(c, sequence.rows, 0, c.name)
    marks = steps(c, sequence.marks, 0, f"{c.name}.cont")
    states = sequence.states
    if states is None:
        shape = sequence.rows.shape[1], sequence.size
        c.allowance.take(shape, 4)
        start = c.graph.constant(np.zeros(shape, np.float32))
        start.filler = True
        states = [start] * count
    hidden = []
    for number, (value, mark) in enumerate(zip(inputs, marks, strict=True)):
        if number or sequence.states is not None:
            states = [c.op("mul", state, mark) for state in states]
        if sequence.static is not None:
            value = c.op("concat", [value, sequence.static], axis=1)
        _, states = unrolled(c, step, [value], states, f"{c.name}.{number}")
        hidden.append(states[0])
    return c.op("stack", hidden, axis=0), states


def _results(c: Call, output: Value, states: States) -> list[Value]:
    """Return the tops: the outputs of all steps and, if they are exposed, the last states."""
    if not c.parameter("recurrent_param").expose_hidden:
        return [output]
    return [output, *(reshaped(c, state, (1, *state.shape)) for state in states)]


@layer("LSTM")
def lstm(c: Call) -> list[Value]:
    """Read an LSTM as a chain of steps; where `cont` is 0, the states start again."""
    with c.graph.scope("lstm"):
        sequence = _sequence(c, 2)
        size, place = sequence.size, sequence.weights_after
        bias = _reordered(c, c.weight(1, "bias", (4 * size,)), 4)
        hidden_filter = c.weight(place, "hidden_filter", (4 * size, size))
        step = fragment_step(
            c,
            "lstm_step",
            [
                _input_filter(c, sequence, 4 * size, 4),
                _reordered(c, hidden_filter, 4),
                reshaped(c, bias, (1, 4 * size)),
                0.0,
            ],
        )
        return _results(c, *_hidden(c, sequence, step, 2))


@layer("RNN")
def rnn(c: Call) -> list[Value]:
    """Read a recurrent layer of `tanh` as a chain of steps, and `tanh` of what they compute."""
    with c.graph.scope("rnn"):
        sequence = _sequence(c, 1)
        size, place = sequence.size, sequence.weights_after
        step = fragment_step(
            c,
            "rnn_tanh_step",
            [
                _input_filter(c, sequence, size, 1),
                c.weight(place, "hidden_filter", (size, size)),
                c.weight(1, "bias", (1, size)),
                0.0,
            ],
        )
        hidden, states = _hidden(c, sequence, step, 1)
        time, batch, _ = hidden.shape
        rows = reshaped(c, hidden, (time * batch, size))
        output_filter = c.weight(place + 1, "output_filter", (size, size))
        bias = c.weight(place + 2, "output_bias", (1, size))
        output = c.op("tanh", c.op("linear", rows, output_filter, bias))
        return _results(c, reshaped(c, output, hidden.shape), states)


def _reordered(c: Call, weight: Value, gates: int) -> Value:
    """Return a weight with the rows of its gates in the order of the fragment."""
    if gates == 1:
        return weight
    return c.graph.derived(
        weight,
        ("gates", _ORDER),
        lambda data: np.concatenate([np.split(data, 4)[gate] for gate in _ORDER]),
    )
