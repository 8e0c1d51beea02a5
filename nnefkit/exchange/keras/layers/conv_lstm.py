"""LSTMs whose products are convolutions, unrolled over their steps."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.channels_last import convolution, same_padding
from nnefkit.exchange.compositions.recurrent import named, steps
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.activation import activated
from nnefkit.exchange.keras.layers.convolution import padding_of
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import transposed
from nnefkit.exchange.source_value import Value


@layer("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
def conv_lstm(c: Call) -> Any:
    """Read a `conv` of the input and one of the hidden state for each step."""
    count = int(c.operator[-2])
    x = c.x
    if x.rank != count + 3 or c.is_channels_first():
        refuse("its input does not have its channels last", "Use channels_last.")
    if c.options.flag("stateful"):
        refuse("its states live between runs", "Build it with stateful=False.")
    if c.mask_of(c.argument(0), 2) is not None or c.argument(1, "initial_state") is not None:
        refuse("it has a mask or initial states", "Build it without them.")
    c.options.get("zero_output_for_mask")
    cell = _ConvCell(c, count)
    inputs = [*enumerate(steps(c, x, 1, c.name))]
    if c.options.flag("go_backwards"):
        inputs.reverse()
    results: list[Value] = []
    states: list[Value] = []
    for number, part in inputs:
        states = cell.step(part, states)
        for letter, state in zip("hc", states, strict=True):
            named(c, state, f"{c.name}_{letter}{number}")
        results.append(states[0])
    returns_sequence = c.options.flag("return_sequences")
    result = c.op("stack", results, axis=1) if returns_sequence else results[-1]
    return [result, *states] if c.options.flag("return_state") else result


class _ConvCell:
    """A cell, with its weights."""

    def __init__(self, c: Call, count: int) -> None:
        self._c = c
        filters = c.options.integer("filters")
        size = c.options.positive("kernel_size", count)
        kernel, recurrent = c.weight("kernel", "cell"), c.weight("recurrent_kernel", "cell")
        if recurrent.shape != (*size, filters, 4 * filters) or kernel.shape[-1] != 4 * filters:
            refuse(f"its weights are {[*kernel.shape]} and {[*recurrent.shape]}", INVALID)
        order = [count + 1, count, *range(count)]
        self._size = size
        self._kernel, self._recurrent = (transposed(c, w, order) for w in (kernel, recurrent))
        self._bias = c.weight("bias", "cell") if c.options.flag("use_bias", True) else None
        self._stride = c.options.positive("strides", count, 1)
        self._dilation = c.options.positive("dilation_rate", count, 1)
        self._activation = c.options.get("activation", "tanh")
        self._gate = c.options.get("recurrent_activation", "hard_sigmoid")

    def step(self, x: Value, states: list[Value]) -> list[Value]:
        """Return the hidden and the cell state after a step; there are none before the first."""
        c = self._c
        padding = padding_of(c, x.shape[1:-1], self._size, self._stride, self._dilation)
        with c.graph.scope("conv_lstm_step"):
            total = convolution(
                c,
                x,
                self._kernel,
                self._bias,
                padding=padding,
                stride=self._stride,
                dilation=self._dilation,
            )
            if states:
                total = c.op("add", total, self._past(states[0]))
            enter, forget, new, leave = c.ops("split", total, axis=x.rank - 1, ratios=[1] * 4)
            entering = activated(c, enter, self._gate)
            cell = c.op("mul", entering, activated(c, new, self._activation))
            if states:
                kept = c.op("mul", activated(c, forget, self._gate), states[1])
                cell = c.op("add", kept, cell)
            bent = activated(c, cell, self._activation)
            return [c.op("mul", activated(c, leave, self._gate), bent), cell]

    def _past(self, hidden: Value) -> Value:
        ones = [1] * len(self._size)
        padding = same_padding(hidden.shape[1:-1], self._size, ones)
        return convolution(
            self._c,
            hidden,
            self._recurrent,
            None,
            padding=padding,
            stride=ones,
            dilation=ones,
        )
