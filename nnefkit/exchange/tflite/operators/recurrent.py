"""Recurrent layers, unrolled; their states are variables that live between runs (4.8).

A step of the usual form is a call of the same fragment as from other frameworks. Steps with
peepholes, projections, clips, coupled gates or normalized gates are composed of standard
operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnefkit.exchange.compositions.recurrent import States, Step, fragment_step, steps, unrolled
from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator

_GATES = 4
"""Input, forget, candidate and output: the order of the weights, and of the fragments."""
_TANH = 4
_LAYER_NORM_EPSILON = 1e-8


# -- plain layers ----------------------------------------------------------------------------------


@operator("UNIDIRECTIONAL_SEQUENCE_RNN", "RNN")
def rnn(c: Call) -> Value:
    """Read a layer whose next state is an activation of a sum of products."""
    x = c[0]
    weight, recurrent, bias, state = c.ranked(1, 2), c.ranked(2, 2), c[3], c.ranked(4, 2)
    row = reshaped(c, bias, (1, weight.shape[0]))

    def step(part: Value, states: States) -> States:
        with c.graph.scope("rnn_step"):
            total = c.op("linear", part, weight, row)
            total = c.op("add", total, c.op("matmul", states[0], recurrent, transposeB=True))
            return [c.activated(total)]

    if c.operator == "RNN":
        (last,) = step(x, [state])
        hidden = [last]
        result = last
    else:
        axis = 0 if c.option("time_major") else 1
        _check_batch(c, x, axis, state)
        inputs = steps(c, x, axis, c.name)
        hidden, (last,) = unrolled(c, step, inputs, [state], c.name)
        result = c.op("stack", hidden, axis=axis)
    c.keep(4, last)
    return result


def _check_batch(c: Call, x: Value, axis: int, state: Value) -> None:
    if x.rank != 3 or x.shape[1 - axis] != state.shape[0]:
        c.refuse(
            f"its input has the shape {[*x.shape]}, its state {[*state.shape]}",
            "Convert the network with the batch that it is used with.",
        )


# -- LSTM ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Lstm:
    """The weights of an LSTM; None for those that are not given."""

    weights: Sequence[Value | None]
    recurrent: Sequence[Value | None]
    peepholes: Sequence[Value | None]
    """Of the input, forget and output gates."""
    biases: Sequence[Value | None]
    projection: Value | None
    projection_bias: Value | None
    scales: Sequence[Value | None]
    """By which normalized gates are multiplied."""
    cell_clip: float
    projection_clip: float

    @property
    def is_plain(self) -> bool:
        """Whether the fragment computes a step."""
        extra = [*self.peepholes, self.projection, self.projection_bias, *self.scales]
        gates = [*self.weights, *self.recurrent, *self.biases]
        is_clipped = bool(self.cell_clip or self.projection_clip)
        is_whole = all(each is not None for each in gates)
        return is_whole and not is_clipped and all(each is None for each in extra)


@operator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(c: Call) -> Value:
    """Read an LSTM with all of its options."""
    x, hidden, cell = c[0], c.ranked(18, 2), c.ranked(19, 2)
    if c.option("diagonal_recurrent_tensors"):
        c.refuse("its recurrent weights are diagonals", "Convert it with whole matrices.")
    if int(c.option("fused_activation_function")) != _TANH:
        c.refuse("its activation is not tanh", "Use the usual activations of an LSTM.")
    layer = _Lstm(
        [c.get(index) for index in range(1, 5)],
        [c.get(index) for index in range(5, 9)],
        [c.get(index) for index in range(9, 12)],
        [c.get(index) for index in range(12, 16)],
        c.get(16),
        c.get(17),
        [c.get(index) for index in range(20, 24)],
        float(c.option("cell_clip", 0.0)),
        float(c.option("proj_clip", 0.0)),
    )
    axis = 0 if c.option("time_major") else 1
    _check_batch(c, x, axis, hidden)
    if any(each is None for each in (*layer.weights[1:], *layer.recurrent[1:], *layer.biases[1:])):
        c.refuse("some of its weights are missing", INVALID)
    with c.graph.scope("lstm"):
        step = _plain_step(c, layer) if layer.is_plain else _step(c, layer)
        inputs = steps(c, x, axis, c.name)
        outputs, last = unrolled(c, step, inputs, [hidden, cell], c.name)
        result = c.op("stack", outputs, axis=axis)
    c.keep(18, last[0])
    c.keep(19, last[1])
    return result


def _plain_step(c: Call, layer: _Lstm) -> Step:
    """Return a step by the fragment, with the weights of all gates in one tensor."""
    weights = c.op("concat", [w for w in layer.weights if w is not None], axis=0)
    recurrent = c.op("concat", [w for w in layer.recurrent if w is not None], axis=0)
    bias = c.op("concat", [b for b in layer.biases if b is not None], axis=0)
    row = reshaped(c, bias, (1, *bias.shape))
    return fragment_step(c, "lstm_step", [weights, recurrent, row, 0.0])


def _step(c: Call, layer: _Lstm) -> Step:
    """Return a step composed of standard operations."""

    def gate(number: int, x: Value, hidden: Value, cell: Value | None) -> Value:
        weight, recurrent = layer.weights[number], layer.recurrent[number]
        assert weight is not None  # noqa: S101 - checked before
        assert recurrent is not None  # noqa: S101
        total = c.op("matmul", x, weight, transposeB=True)
        total = c.op("add", total, c.op("matmul", hidden, recurrent, transposeB=True))
        peephole = {0: 0, 1: 1, 3: 2}.get(number)
        factors = None if peephole is None else layer.peepholes[peephole]
        if factors is not None and cell is not None:
            total = c.op("add", total, c.op("mul", cell, _row(c, factors)))
        scale, bias = layer.scales[number], layer.biases[number]
        if scale is not None:
            mean, variance = c.ops("moments", total, axes=[1])
            deviation = c.op("sqrt", c.op("add", variance, _LAYER_NORM_EPSILON))
            total = c.op("div", c.op("sub", total, mean), deviation)
            total = c.op("mul", total, _row(c, scale))
        return total if bias is None else c.op("add", total, _row(c, bias))

    def step(x: Value, states: States) -> States:
        hidden, cell = states
        with c.graph.scope("lstm_step"):
            forget = c.op("sigmoid", gate(1, x, hidden, cell))
            if layer.weights[0] is None:
                enter = c.op("sub", 1.0, forget)
            else:
                enter = c.op("sigmoid", gate(0, x, hidden, cell))
            candidate = c.op("tanh", gate(2, x, hidden, None))
            kept = c.op("mul", forget, cell)
            new = _clipped(c, c.op("add", kept, c.op("mul", enter, candidate)), layer.cell_clip)
            leave = c.op("sigmoid", gate(3, x, hidden, new))
            output = c.op("mul", leave, c.op("tanh", new))
            return [_projected(c, layer, output), new]

    return step


def _row(c: Call, x: Value) -> Value:
    return reshaped(c, x, (1, *x.shape))


def _clipped(c: Call, x: Value, limit: float) -> Value:
    """Return a tensor clamped to a limit; 0 stands for none."""
    return c.op("clamp", x, -c.decimal(limit), c.decimal(limit)) if limit > 0 else x


def _projected(c: Call, layer: _Lstm, x: Value) -> Value:
    if layer.projection is None:
        return x
    if layer.projection_bias is None:
        result = c.op("matmul", x, layer.projection, transposeB=True)
    else:
        result = c.op("linear", x, layer.projection, _row(c, layer.projection_bias))
    return _clipped(c, result, layer.projection_clip)


# -- filters with a memory -------------------------------------------------------------------------


@operator("SVDF")
def svdf(c: Call) -> Value:
    """Read a layer of filters over features and time, with a memory of the last inputs."""
    x, features, times = c.ranked(0, 2), c.ranked(1, 2), c.ranked(2, 2)
    state, (rank,) = c.ranked(4, 2), c.positive("rank")
    filters, memory = times.shape
    batch = x.shape[0]
    if features.shape[0] != filters or filters % rank or state.shape != (batch, filters * memory):
        c.refuse(
            f"its state has the shape {[*state.shape]} for {filters} filters and {memory} steps",
            INVALID,
        )
    units = filters // rank
    with c.graph.scope("svdf"):
        new = c.op("matmul", x, features, transposeB=True)
        column = reshaped(c, new, (batch, filters, 1))
        past = reshaped(c, state, (batch, filters, memory))
        whole = column
        if memory > 1:
            whole = c.op("concat", [sliced(c, past, 2, 1, memory), column], axis=2)
        weighted = c.op("mul", whole, reshaped(c, times, (1, filters, memory)))
        sums = c.op("sum_reduce", weighted, axes=[2])
        total = c.op("sum_reduce", reshaped(c, sums, (batch, units, rank)), axes=[2])
        result = reshaped(c, total, (batch, units))
        if c.get(3) is not None:
            result = c.op("add", result, _row(c, c[3]))
    c.keep(4, reshaped(c, whole, state.shape))
    return c.activated(result)
