"""Recurrent layers, unrolled over time.

The weights of all layers are one vector: for each layer and direction those of the input and those
of the hidden state, and then all biases in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from nnefkit.exchange.compositions.recurrent import (
    States,
    fragment_step,
    initial_states,
    layer,
    steps,
)
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, sliced, to_scalar
from nnefkit.exchange.source_value import Argument, Value

_GATES = {"rnn_relu": 1, "rnn_tanh": 1, "lstm": 4, "gru": 3}
_PARTS = "parts of a vector"
_MAX_STEPS = 20_000


@operator("_rnn_param_concat", "_npi_rnn_param_concat")
def joined_parameters(c: Call) -> Value:
    """Read `concat` of weights, which the layer takes apart again."""
    c.integer("dim", 0)
    rows = [reshaped(c, value, (prod(value.shape),)) for value in c.inputs]
    joined = c.op("concat", rows, axis=0)
    c.graph.notes[f"{_PARTS} {id(joined)}"] = (joined, rows)
    return joined


@dataclass
class _WeightVector:
    """The vector of all weights, and how far it is used."""

    c: Call
    vector: Value
    place: int = 0

    def take(self, shape: Sequence[int]) -> Value:
        """Return the next part of the vector in a shape."""
        start, size = self.place, prod(shape)
        self.place += size
        if self.place > self.vector.shape[0]:
            self.c.invalid(f"it has {self.vector.shape[0]:,} weights, which are too few")
        _, parts = self.c.graph.notes.get(f"{_PARTS} {id(self.vector)}", (None, []))
        for part in parts:
            if start == 0 and part.shape[0] == size:
                return reshaped(self.c, part, shape)
            start -= part.shape[0]
            if start < 0:
                break
        cut = sliced(self.c, self.vector, 0, self.place - size, self.place)
        return reshaped(self.c, cut, shape)


@dataclass(frozen=True)
class _Sizes:
    mode: str
    width: int
    """The extent of the input."""
    hidden: int
    layers: int
    directions: int


@operator("RNN", "_npx_rnn")
def recurrent(c: Call) -> list[Value]:
    """Read an RNN, an LSTM or a GRU as a chain of steps, a call of a fragment each."""
    x = to_scalar(c, c.ranked(3))
    sizes = _sizes(c, x)
    vector = c.ranked(1, index=1)
    first = [_states(c, index, x, sizes) for index in range(2, 4 if sizes.mode == "lstm" else 3)]
    total = x.shape[0] * sizes.layers * sizes.directions
    if total > _MAX_STEPS:
        c.refuse(
            f"it has {total:,} steps in all of its layers, and NNEF has no loops",
            f"At most {_MAX_STEPS:,} are unrolled: use shorter sequences.",
        )
    weights = _weights(c, vector, sizes)
    xs = steps(c, x, 0, c.name)
    last: list[States] = []
    with c.graph.scope(sizes.mode):
        each = [*zip(*first, strict=True)]
        for number in range(sizes.layers):
            place = number * sizes.directions
            part = slice(place, place + sizes.directions)
            directions = [fragment_step(c, f"{sizes.mode}_step", one) for one in weights[part]]
            xs, final = layer(c, directions, xs, each[part], f"{c.name}.l{number}")
            last += final
        results = [c.op("stack", xs, axis=0)]
        if c.flag("state_outputs"):
            results += [
                c.op("stack", [state[i] for state in last], axis=0) for i in range(len(first))
            ]
    return results


def _sizes(c: Call, x: Value) -> _Sizes:
    mode = c.text("mode", "", [*_GATES])
    hidden, layers = c.integer("state_size"), c.integer("num_layers")
    directions = 2 if c.flag("bidirectional") else 1
    c.real("p", 0.0)
    if c.has("projection_size"):
        c.refuse("it projects its hidden states", "Use layers without a projection.")
    for name in ("lstm_state_clip_min", "lstm_state_clip_max"):
        if c.has(name):
            c.refuse("it clips its cell states", "Use layers without clipping.")
    c.flag("lstm_state_clip_nan")
    if c.flag("use_sequence_length"):
        c.refuse("its sequences have different lengths", "Use sequences of one length.")
    if hidden < 1 or not 1 <= layers <= 1000:
        c.invalid(f"it has {layers} layers of {hidden} hidden elements")
    return _Sizes(mode, x.shape[2], hidden, layers, directions)


def _states(c: Call, index: int, x: Value, sizes: _Sizes) -> list[Value]:
    shape = (sizes.layers * sizes.directions, x.shape[1], sizes.hidden)
    state = c.shaped(index, shape, "initial state")
    return initial_states(c, to_scalar(c, state))


def _weights(c: Call, vector: Value, sizes: _Sizes) -> list[list[Argument]]:
    """Return the weights of each direction of each layer as the fragments take them."""
    rest = _WeightVector(c, vector)
    rows = _GATES[sizes.mode] * sizes.hidden
    found: list[list[Argument]] = []
    for number in range(sizes.layers):
        width = sizes.hidden * sizes.directions if number else sizes.width
        found += [
            [rest.take((rows, width)), rest.take((rows, sizes.hidden))]
            for _ in range(sizes.directions)
        ]
    for weights in found:
        weights += [rest.take((1, rows)), rest.take((1, rows))]
    if rest.place != vector.shape[0]:
        c.invalid(f"it has {vector.shape[0]:,} weights, not {rest.place:,}")
    return found
