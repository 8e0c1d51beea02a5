"""Steps of recurrent layers, whose gates other operators compute."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value


def _parts(c: Call, gates: Value, like: Value, count: int) -> list[Value]:
    """Return the gates of a step, each of the shape of a state."""
    if like.rank < 2 or gates.shape != (*like.shape[:-1], count * like.shape[-1]):
        c.invalid(f"its gates have the shape {[*gates.shape]}, its state {[*like.shape]}")
    return c.ops("split", gates, axis=like.rank - 1, ratios=[1] * count)


def _ended(c: Call, first: int, like: Value) -> Value | None:
    """Return whether the sequence of an entry has ended before this step; None if none has."""
    if not c.arguments.flag("sequence_lengths", True):
        return None
    lengths, step = c[first], c[first + 1]
    batch = like.shape[-2]
    if prod(lengths.shape) != batch or prod(step.shape) < 1:
        c.invalid(f"it has {prod(lengths.shape)} lengths of sequences for {batch} entries")
    if prod(step.shape) != 1:
        c.invalid(f"its step has the shape {[*step.shape]}")
    shape = (*(1,) * (like.rank - 2), batch, 1)
    if lengths.data is not None and step.data is not None:
        ended = np.asarray(step.data).reshape(-1)[0] >= np.asarray(lengths.data)
        return c.graph.constant(ended.reshape(shape)) if ended.any() else None
    counts = to_scalar(c, reshaped(c, lengths, shape))
    return c.op("ge", to_scalar(c, reshaped(c, step, ())), counts)


def _kept(c: Call, ended: Value | None, old: Value, new: Value) -> Value:
    """Return the new state, or where the sequence has ended the old one, or 0."""
    if ended is None:
        return new
    rest = 0.0 if c.arguments.flag("drop_states") else old
    if ended.data is not None and ended.data.all() and isinstance(rest, Value):
        return rest
    return c.op("select", ended, rest, new)


@operator("LSTMUnit")
def lstm_step(c: Call) -> list[Value]:
    """Read a step of an LSTM; the gates are input, forget, output and candidate."""
    hidden, cell, gates = c[0], c[1], c[2]
    if hidden.shape != cell.shape:
        c.invalid(f"its states have the shapes {[*hidden.shape]} and {[*cell.shape]}")
    ended = _ended(c, 3, cell)
    bias = c.arguments.number("forget_bias", 0.0)
    with c.graph.scope("lstm_unit"):
        enter, forget, leave, candidate = _parts(c, gates, cell, 4)
        if bias:
            forget = c.op("add", forget, c.decimal(bias))
        stored = c.op("mul", c.op("sigmoid", forget), cell)
        added = c.op("mul", c.op("sigmoid", enter), c.op("tanh", candidate))
        next_cell = c.op("add", stored, added)
        next_hidden = c.op("mul", c.op("sigmoid", leave), c.op("tanh", next_cell))
        return [_kept(c, ended, hidden, next_hidden), _kept(c, ended, cell, next_cell)]


@operator("GRUUnit")
def gru_step(c: Call) -> Value:
    """Read a step of a GRU; the gates are reset, update and candidate."""
    hidden, gates = c[0], c[1]
    ended = _ended(c, 2, hidden)
    with c.graph.scope("gru_unit"):
        _, update, candidate = _parts(c, gates, hidden, 3)
        share, new = c.op("sigmoid", update), c.op("tanh", candidate)
        kept, taken = c.op("mul", hidden, share), c.op("sub", 1.0, share)
        return _kept(c, ended, hidden, c.op("add", kept, c.op("mul", new, taken)))
