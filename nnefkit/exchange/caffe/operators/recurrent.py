"""Recurrent layers, unrolled over time."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions.recurrent import fragment_step, steps, unrolled
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Argument, Value

_ORDER = (0, 1, 3, 2)
"""The gates of Caffe are input, forget, output, candidate; those of the fragment end otherwise."""


@layer("LSTM")
def lstm(c: Call) -> Value:
    """Read an LSTM as a chain of steps; where `cont` is 0, the states start again."""
    p = c.parameter("recurrent_param")
    if len(c.inputs) != 2 or p.expose_hidden:
        c.refuse(
            "it has a static input, or its states are inputs",
            "Use a layer with two bottoms: the sequence and the markers of its continuation.",
        )
    x, cont = c.inputs
    if x.rank < 2 or cont.shape != x.shape[:2]:
        c.invalid(f"its bottoms have the shapes {[*x.shape]} and {[*cont.shape]}")
    time, batch, width, size = *x.shape[:2], prod(x.shape[2:]), int(p.num_output)
    rows = reshaped(c, x, (time, batch, width))
    weights: list[Argument] = [
        _reordered(c, c.weight(0, "input_filter", (4 * size, width))),
        _reordered(c, c.weight(2, "hidden_filter", (4 * size, size))),
        reshaped(c, _reordered(c, c.weight(1, "bias", (4 * size,))), (1, 4 * size)),
        0.0,
    ]
    with c.graph.scope("lstm"):
        inputs = steps(c, rows, 0, c.name)
        marks = steps(c, reshaped(c, cont, (time, batch, 1)), 0, f"{c.name}.cont")
        step = fragment_step(c, "lstm_step", weights)
        c.allowance.take((batch, size), 4)
        start = c.graph.constant(np.zeros((batch, size), np.float32))
        start.filler = True
        states, hidden = [start, start], []
        for number, (value, mark) in enumerate(zip(inputs, marks, strict=True)):
            if number:
                states = [c.op("mul", state, mark) for state in states]
            _, states = unrolled(c, step, [value], states, f"{c.name}.{number}")
            hidden.append(states[0])
        return c.op("stack", hidden, axis=0)


def _reordered(c: Call, weight: Value) -> Value:
    """Return a weight with the rows of its gates in the order of the fragment."""
    return c.graph.derived(
        weight,
        ("gates", _ORDER),
        lambda data: np.concatenate([np.split(data, 4)[gate] for gate in _ORDER]),
    )
