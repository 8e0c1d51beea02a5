"""Recurrent layers, unrolled over their steps; their directions, and layers for each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from nnefkit.exchange.compositions.recurrent import named, steps
from nnefkit.exchange.keras.architecture import layer_info
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.recurrent_cells import (
    CELLS,
    States,
    UnrolledCell,
    cell_of,
)
from nnefkit.exchange.keras.options import INVALID, Options
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Argument, Value

_LAYERS = {"LSTM": "LSTMCell", "GRU": "GRUCell", "SimpleRNN": "SimpleRNNCell"}


# -- layers ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sequence:
    """How a layer runs its cell over a sequence."""

    is_backward: bool
    returns_sequence: bool
    returns_state: bool
    has_zeros: bool
    """Whether the results of masked steps are 0."""
    unused: Options = field(repr=False)


def _sequence(options: Options) -> _Sequence:
    if options.flag("stateful"):
        refuse("its states live between runs", "Build it with stateful=False.")
    if options.flag("time_major"):
        refuse("its steps are the first axis", "Build it with time_major=False.")
    return _Sequence(
        options.flag("go_backwards"),
        options.flag("return_sequences"),
        options.flag("return_state"),
        options.flag("zero_output_for_mask"),
        options,
    )


@layer(*_LAYERS)
def recurrent(c: Call) -> Any:
    """Read a call of a fragment for each step, such as ``lstm_step``."""
    cell = CELLS[_LAYERS[c.operator]](c, c.options, "cell")
    return _run(c, cell, _sequence(c.options), c.name)


@layer("RNN")
def rnn(c: Call) -> Any:
    """Read the steps of a cell, or of several stacked ones."""
    info = layer_info(c.options.get("cell"), 1)
    return _run(c, cell_of(c, info, "cell"), _sequence(c.options), c.name)


def _initial(c: Call, cell: UnrolledCell, batch: int) -> States:
    given = c.argument(1, "initial_state")
    if given is None:
        c.allowance.take((batch, max(cell.sizes)), 4)
        return [
            c.graph.shared(f"zeros_{batch}_{size}", partial(np.zeros, (batch, size), np.float32))
            for size in cell.sizes
        ]
    states = [given] if isinstance(given, Value) else given
    shapes = [(batch, size) for size in cell.sizes]
    if not isinstance(states, (list, tuple)) or [getattr(s, "shape", ()) for s in states] != shapes:
        refuse(f"its initial states do not have the shapes {shapes}", INVALID)
    return [*states]


def _run(c: Call, cell: UnrolledCell, sequence: _Sequence, name: str) -> Any:
    """Return the results of a layer, and its last states if it returns them."""
    x = c.argument(0, "sequences")
    states = _initial(c, cell, x.shape[0]) if isinstance(x, Value) else []
    if isinstance(x, (list, tuple)):
        # The initial states may follow the sequence in a list.
        x, states = x[0], [*x[1:]] or _initial(c, cell, x[0].shape[0])
    if not isinstance(x, Value) or x.rank != 3 or len(states) != len(cell.sizes):
        refuse("its input is not a sequence of vectors", INVALID)
    mask = c.mask_of(x, 2)
    results, last = _steps(c, cell, sequence, x, states, mask, name)
    if sequence.returns_sequence:
        result = c.op("stack", results, axis=1)
        if mask is not None:
            c.set_mask(result, mask)
    else:
        result = last[0]
    return [result, *last[1:]] if sequence.returns_state else result


def _steps(
    c: Call,
    cell: UnrolledCell,
    sequence: _Sequence,
    x: Value,
    states: States,
    mask: Value | None,
    name: str,
) -> tuple[list[Value], list[Value]]:
    """Return the result of each step in order, and the last result with the last states."""
    inputs = steps(c, x, 1, name)
    masks: list[Value] = []
    if mask is not None:
        if mask.shape[:2] != x.shape[:2]:
            refuse(f"its mask is {[*mask.shape]} for a sequence of {[*x.shape]}", INVALID)
        masks = [reshaped(c, m, (x.shape[0], 1)) for m in c.ops("unstack", mask, axis=1)]
    order = [*range(len(inputs))]
    if sequence.is_backward:
        order.reverse()
    results: list[Value] = []
    for number in order:
        new = cell.step(inputs[number], states)
        result = new[cell.output]
        if masks:
            admits = masks[number]
            before: Argument = results[-1] if results and not sequence.has_zeros else 0.0
            result = c.op("select", admits, result, before, data_type="scalar")
            new = [
                c.op("select", admits, each, old, data_type="scalar")
                for each, old in zip(new, states, strict=True)
            ]
        states = new
        for letter, state in zip(_letters(len(states)), states, strict=True):
            named(c, state, f"{name}_{letter}{number}")
        results.append(result)
    return results, [results[-1], *states]


def _letters(count: int) -> Sequence[str]:
    return "hc"[:count] if count <= 2 else [f"s{number}_" for number in range(count)]


@layer("Bidirectional")
def bidirectional(c: Call) -> Any:
    """Read a layer in both directions, and the merge of their results."""
    forward = layer_info(c.options.get("layer"), 1)
    stated = c.options.get("backward_layer")
    backward = forward if stated is None else layer_info(stated, 1)
    mode = c.options.get("merge_mode", "concat")
    sides = []
    for info, attribute, turns in (
        (forward, "forward_layer", False),
        (backward, "backward_layer", stated is None),
    ):
        options = Options(info.config)
        if info.problem or info.kind not in (*_LAYERS, "RNN"):
            refuse(f"its layer is a {info.class_name}", "Use a recurrent layer of Keras.")
        if info.kind == "RNN":
            inner = layer_info(options.get("cell"), 2)
            cell = cell_of(c, inner, f"{attribute}/cell")
        else:
            cell = CELLS[_LAYERS[info.kind]](c, options, f"{attribute}/cell")
        sequence = _sequence(options)
        options.check()
        is_backward = not sequence.is_backward if turns else sequence.is_backward
        sides.append((cell, sequence, is_backward))
    return _both(c, sides, mode)


def _both(c: Call, sides: Sequence[tuple[UnrolledCell, _Sequence, bool]], mode: Any) -> Any:
    x = c.argument(0, "sequences")
    if not isinstance(x, Value) or x.rank != 3:
        refuse("its input is not a sequence of vectors", INVALID)
    mask = c.mask_of(x, 2)
    given = c.argument(1, "initial_state")
    parts, states = [], []
    for number, (cell, sequence, is_backward) in enumerate(sides):
        own = _Sequence(
            is_backward,
            sequence.returns_sequence,
            sequence.returns_state,
            sequence.returns_sequence,
            sequence.unused,
        )
        first = _initial(c, cell, x.shape[0]) if given is None else _half(given, number)
        name = f"{c.name}_{'backward' if number else 'forward'}"
        results, last = _steps(c, cell, own, x, first, mask, name)
        if own.returns_sequence:
            # Keras turns the results of the second layer round.
            parts.append(c.op("stack", results[::-1] if number else results, axis=1))
        else:
            parts.append(last[0])
        states += last[1:]
    result = _merged(c, parts, mode)
    if mask is not None and sides[0][1].returns_sequence and isinstance(result, Value):
        c.set_mask(result, mask)
    if not sides[0][1].returns_state:
        return result
    return [*(result if isinstance(result, list) else [result]), *states]


def _half(given: Any, number: int) -> States:
    states = list(given) if isinstance(given, (list, tuple)) else [given]
    half = len(states) // 2
    return states[half:] if number else states[:half]


def _merged(c: Call, parts: Sequence[Value], mode: Any) -> Any:
    if mode is None:
        return [*parts]
    if mode == "concat":
        return c.op("concat", [*parts], axis=parts[0].rank - 1)
    if mode in ("sum", "ave"):
        total = c.op("add", *parts)
        return total if mode == "sum" else c.op("div", total, 2.0)
    if mode != "mul":
        refuse(f"its merge mode is {mode!r:.40}", INVALID)
    return c.op("mul", *parts)


_MASKED = frozenset(("Softmax", "RNN", "Bidirectional", "TimeDistributed", *_LAYERS)).union(
    ("Attention", "AdditiveAttention", "MultiHeadAttention", "GroupedQueryAttention")
)
"""Layers that use masks."""


@layer("TimeDistributed")
def time_distributed(c: Call) -> Value:
    """Read a layer with the steps as a part of the batch."""
    x, info = c.tensor(0), layer_info(c.options.get("layer"), 1)
    if x.rank < 3:
        refuse(f"its input has rank {x.rank}", INVALID)
    if c.mask_of(x, 2) is not None and info.kind in _MASKED:
        refuse("it passes a mask on to its layer, step by step", "Build it without masks.")
    rows = reshaped(c, x, (x.shape[0] * x.shape[1], *x.shape[2:]), 0)
    result = c.read(info, f"{c.path}/layer", [rows], {})
    if not isinstance(result, Value):
        refuse("its layer has several results", "Distribute layers with one result.")
    return reshaped(c, result, (x.shape[0], x.shape[1], *result.shape[1:]), 1, [])
