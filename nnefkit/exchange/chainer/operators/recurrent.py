"""Units of recurrent layers; Chainer unrolls the layers itself."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.reshaping import reshaped, sliced
from nnefkit.exchange.source_value import Value


def _gates(c: Call, x: Value, count: int, *, interleaved: bool = True) -> list[Value]:
    """Return the gates, which are interleaved along the second axis or follow each other."""
    if x.rank < 2 or x.shape[1] % count:
        c.invalid(f"its input has the shape {[*x.shape]}, not {count} numbers for each unit")
    if not interleaved:
        return c.ops("split", x, axis=1, ratios=[1] * count)
    units = x.shape[1] // count
    cells = reshaped(c, x, (x.shape[0], units, count, prod(x.shape[2:])))
    shape = (x.shape[0], units, *x.shape[2:])
    return [reshaped(c, gate, shape) for gate in c.ops("unstack", cells, axis=2)]


def _passed(c: Call, gate: Value, x: Value) -> Value:
    """Return what a gate lets pass."""
    return c.op("mul", c.op("sigmoid", gate), x)


def _first(c: Call, x: Value, count: int) -> Value:
    if x.rank < 2 or x.shape[0] < count:
        c.invalid(f"its state has the shape {[*x.shape]} for a batch of {count}")
    return sliced(c, x, 0, 0, count)


@function("LSTM")
def lstm(c: Call) -> list[Value]:
    """Read an LSTM unit: the next state of the cell, and the output."""
    previous, x = c.two()
    with c.graph.scope("lstm"):
        candidate, enter, forget, leave = _gates(c, x, 4)
        state = _first(c, previous, x.shape[0])
        kept = _passed(c, forget, state)
        new = c.op("add", _passed(c, enter, c.op("tanh", candidate)), kept)
        output = _passed(c, leave, c.op("tanh", new))
        # Sequences that have ended keep their states.
        rest = previous.shape[0] - x.shape[0]
        if rest:
            ended = sliced(c, previous, 0, x.shape[0], previous.shape[0])
            new = concat(c, [new, ended], 0)
        return [new, output]


@function("SLSTM")
def s_lstm(c: Call) -> list[Value]:
    """Read a unit that joins two LSTMs: the next state of the cell, and the output."""
    if len(c.inputs) != 4:
        c.invalid(f"it has {len(c.inputs)} inputs, not 4")
    with c.graph.scope("slstm"):
        terms, leaving = [], []
        for state, x in ((c[0], c[2]), (c[1], c[3])):
            candidate, enter, forget, leave = _gates(c, x, 4)
            terms += [_passed(c, enter, c.op("tanh", candidate)), _passed(c, forget, state)]
            leaving.append(leave)
        new = c.op("add_n", [terms[0], terms[2], terms[1], terms[3]])
        return [new, _passed(c, c.op("add", *leaving), c.op("tanh", new))]


@function("TreeLSTM")
def tree_lstm(c: Call) -> list[Value]:
    """Read a unit of a tree: the state of a node from those of its children, and the output."""
    *states, x = c.all()
    if not states:
        c.invalid("it has no states")
    with c.graph.scope("tree_lstm"):
        candidate, enter, leave, *forgets = _gates(c, x, 3 + len(states), interleaved=False)
        new = _passed(c, enter, c.op("tanh", candidate))
        for forget, state in zip(forgets, states, strict=True):
            new = c.op("add", new, _passed(c, forget, state))
        return [new, _passed(c, leave, c.op("tanh", new))]
