"""Recurrent layers as ONNX operators.

The inputs and the hidden states of a layer are a tensor for each step in NNEF, and one tensor of
all steps in ONNX.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.joined_parts import JoinedParts
from nnefkit.exchange.onnx.recurrent_layers import LAYER
from nnefkit.exchange.onnx.recurrent_steps import StepForm
from nnefkit.execution.engines.onnxruntime import primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.operations.joining import unstack


class RecurrentLowering:
    """The lowering of the recurrent layers of one graph."""

    def __init__(self) -> None:
        self._joined = JoinedParts()
        self._weights: dict[tuple[Any, ...], OnnxValue] = {}
        """What they are made of -> weights in the form of ONNX, which layers may share."""

    @property
    def lowerings(self) -> Mapping[str, Callable[..., Any]]:
        """The lowerings of layers, and of the operations that join their results."""
        return {LAYER: self._layer, **self._joined.lowerings}

    def _layer(
        self, b: Builder, inputs: list[OnnxValue], *given: list[OnnxValue], form: StepForm
    ) -> tuple[list[OnnxValue], list[OnnxValue]]:
        """Return the hidden states of all steps, and the last cell states.

        Args:
            b: The builder.
            inputs: The inputs of the steps, as the first direction reads them.
            *given: For each other input of the fragment, its value in each direction.
            form: The form of the steps.
        """
        names = [name for name in form.body.inputs if name != "input"]
        x, is_backward = self._sequence(b, inputs)
        count, (batch, size) = len(given[0]), given[0][0].shape
        # The directions of ONNX: of two, the second one starts at the last input.
        order = [*range(count)][:: -1 if is_backward else 1]
        ordered = {
            name: [values[place] for place in order]
            for name, values in zip(names, given, strict=True)
        }
        states = [self._initial(b, ordered[name]) for name in form.states]
        operands = [x, *self._filters(b, form, ordered), None, *states]
        while operands[-1] is None:
            operands.pop()
        shapes = [(len(inputs), count, batch, size), *[(count, batch, size)] * len(states)]
        attributes = _attributes(form, count, is_backward)
        every, *last = b.several(form.operator, operands, shapes, hidden_size=size, **attributes)
        parts, ends = unstack(b, every, axis=1), [unstack(b, value, axis=0) for value in last]
        hidden = []
        for place in range(count):
            number = order.index(place)
            from_end = is_backward if count == 1 else number == 1
            hidden += self._hidden(b, parts[number], ends[0][number], from_end)
        return hidden, [cells[order.index(place)] for cells in ends[1:] for place in range(count)]

    def _sequence(self, b: Builder, inputs: list[OnnxValue]) -> tuple[OnnxValue, bool]:
        """Return the inputs as one tensor, and whether the last one is first in it."""
        x = self._joined.whole(b, inputs, 0)
        if x is not None:
            return x, False
        x = self._joined.whole(b, inputs[::-1], 0)
        return (self._joined.stacked(b, inputs, 0), False) if x is None else (x, True)

    def _hidden(
        self, b: Builder, every: OnnxValue, last: OnnxValue, from_end: bool
    ) -> list[OnnxValue]:
        """Return the hidden states of a direction in the order in which they are computed."""
        states = unstack(b, every, axis=0)
        place = 0 if from_end else len(states) - 1
        states[place] = last
        self._joined.declare(last, every, 0, place)
        return states[::-1] if from_end else states

    # -- weights -------------------------------------------------------------------------------

    def _initial(self, b: Builder, states: list[OnnxValue]) -> OnnxValue | None:
        """Return the states of all directions before the first step; None if they are 0."""
        if all(state.data is not None for state in states):
            arrays = [np.asarray(state.data) for state in states]
            if not any(array.any() for array in arrays):
                return None
            return self._weight("states", states, lambda: np.stack(arrays))
        return self._joined.stacked(b, states, 0)

    def _filters(
        self, b: Builder, form: StepForm, given: Mapping[str, list[OnnxValue]]
    ) -> list[OnnxValue | None]:
        """Return the filters of the input and of the hidden state, and the biases, if any."""
        columns = given["input_filter"][0].shape[0]
        hidden_filter = self._merged(b, given, "filter")
        filters: list[OnnxValue | None] = [
            self._gates(b, form, [(value,) for value in values])
            for values in (given["input_filter"], hidden_filter)
        ]
        biases = [value for name, one in given.items() if name.endswith("_bias") for value in one]
        if all(bias.data is not None and not bias.data.any() for bias in biases):
            return [*filters, None]
        extents = {"input_bias": columns, "hidden_bias": columns}
        extents |= {"gates_bias": columns // 3 * 2, "candidate_bias": columns // 3}
        rows = {
            name: [_row(b, value, extents[name]) for value in values]
            for name, values in given.items()
            if name.endswith("_bias")
        }
        pairs = [*zip(rows["input_bias"], self._merged(b, rows, "bias"), strict=True)]
        return [*filters, self._gates(b, form, pairs)]

    def _merged(
        self, b: Builder, given: Mapping[str, list[OnnxValue]], kind: str
    ) -> list[OnnxValue]:
        """Return the weights of the hidden state, whose candidate may have its own, in one."""
        whole = given.get(f"hidden_{kind}")
        if whole is not None:
            return whole
        merged = []
        for pair in zip(given[f"gates_{kind}"], given[f"candidate_{kind}"], strict=True):
            arrays = [_data(value) for value in pair]
            if all(value.data is not None for value in pair):
                merged.append(self._weight("rows", pair, partial(np.concatenate, arrays)))
            else:
                merged.append(primitives.concat(b, pair, 0))
        return merged

    def _gates(
        self, b: Builder, form: StepForm, directions: Sequence[tuple[OnnxValue, ...]]
    ) -> OnnxValue:
        """Return weights with the gates along their first axis in the order of ONNX.

        Args:
            b: The builder.
            form: The form of the steps.
            directions: For each direction, weights to join along their first axis.
        """
        values = [value for parts in directions for value in parts]
        size = values[0].shape[0] // len(form.gates)
        rows = np.concatenate([np.arange(size) + gate * size for gate in form.gates])
        if all(value.data is not None for value in values):
            return self._weight(
                form.gates,
                values,
                lambda: np.stack([np.concatenate([_data(v)[rows] for v in d]) for d in directions]),
            )
        joined = []
        for parts in directions:
            sorted_parts = [primitives.take(b, part, rows, 0) for part in parts]
            part = primitives.concat(b, sorted_parts, 0)
            joined.append(b.reshape(part, (1, *part.shape)))
        return primitives.concat(b, joined, 0)

    def _weight(
        self, use: Any, values: Sequence[OnnxValue], make: Callable[[], Array]
    ) -> OnnxValue:
        """Return a weight that is made of others, the same one each time."""
        key = use, *map(id, values)
        if key not in self._weights:
            data = np.ascontiguousarray(make())
            names = [value.name for value in values if value.name]
            name = f"{names[0]}.{len(self._weights) + 1}" if names else ""
            self._weights[key] = OnnxValue(data.shape, data.dtype, name, data)
        return self._weights[key]


def _attributes(form: StepForm, count: int, is_backward: bool) -> dict[str, Any]:
    """Return the attributes of the operator for one direction or two."""
    attributes = {
        key: value * count if isinstance(value, tuple) else value
        for key, value in form.attributes.items()
    }
    if count > 1:
        return {**attributes, "direction": "bidirectional"}
    return {**attributes, "direction": "reverse"} if is_backward else attributes


def _data(value: OnnxValue) -> Array:
    return np.asarray(value.data)


def _row(b: Builder, bias: OnnxValue, columns: int) -> OnnxValue:
    """Return a bias with one axis; 0 is repeated."""
    if bias.rank:
        return b.reshape(bias, (columns,))
    return b.constant(np.zeros(columns, bias.dtype))
