"""Weights: variables and constants, which are stored in the form in which they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.execution.layout.forms import Form, arranged, extents, identity, turns
from nnefkit.execution.layout.views import Line, arranged_line
from nnefkit.graph import FrozenDict, Graph, Operation, Tensor
from nnefkit.graph.unused_names import Names


class Reordering(NamedTuple):
    """Another order of the elements along one axis."""

    axis: int
    order: Array

    def of(self, data: Array) -> Array:
        """Return data in this order."""
        if self.axis >= data.ndim or data.shape[self.axis] != self.order.size:
            return data
        result = np.take(data, self.order, self.axis)
        result.flags.writeable = False
        return result

    def of_line(self, line: Line) -> Line:
        """Return quantization in this order."""
        changed = {
            key: self.of(np.asarray(value, object)).tolist()
            for key, value in line.items()
            if isinstance(value, (list, tuple))
        }
        return FrozenDict({**line, **changed}) if changed else line


class WeightForm(NamedTuple):
    """How a weight is read."""

    form: Form
    reordering: Reordering | None = None

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for equal readings."""
        other = self.reordering
        return self.form, None if other is None else (other.axis, other.order.tobytes())


class Weight:
    """A variable or a constant, and the ways in which it is read."""

    def __init__(self, op: Operation, tensor: Tensor) -> None:
        self.op = op
        self.tensor = tensor
        self.shape: Shape = tensor.shape or ()
        self.readings: dict[tuple[Any, ...], WeightForm] = {}
        self.names: dict[tuple[Any, ...], str] = {}
        """Key of a reading -> name of the tensor that is read."""

    def add(self, reading: WeightForm) -> None:
        """Add a way in which it is read."""
        self.readings.setdefault(reading.key, reading)

    def stored(self) -> Sequence[WeightForm]:
        """Return the readings that are stored: of those that differ in axes of extent 1, the first.

        The others are reshaped when they are read. A weight that is read as it is comes first.
        """
        own = identity(len(self.shape)), None
        readings = sorted(self.readings.values(), key=lambda reading: reading.key != own)
        found: list[WeightForm] = []
        for reading in readings or [WeightForm(identity(len(self.shape)))]:
            if self.base(reading, found) is None:
                found.append(reading)
        return found

    def base(self, reading: WeightForm, stored: Sequence[WeightForm]) -> WeightForm | None:
        """Return a stored reading that differs only in axes of extent 1."""
        for other in stored:
            is_same = other.key[1] == reading.key[1]
            if is_same and not turns(other.form, reading.form, self.shape):
                return other
        return None

    def introduced(
        self, reading: WeightForm, name: str, labels: Names, *, is_first: bool
    ) -> tuple[Operation, Tensor]:
        """Return the operation and the tensor for a reading."""
        op, tensor, form = self.op, self.tensor, reading.form
        attribs: dict[str, Any] = {**op.attribs, "shape": [*extents(form, self.shape)]}
        label = tensor.label
        if label is not None and not is_first:
            label = attribs["label"] = labels.unused(f"{label}_{name.rpartition('_')[2]}")
        data, line = tensor.data, tensor.quantization
        if form != identity(len(self.shape)):
            data = None if data is None else arranged(data, form)
            line = None if line is None else arranged_line(line, form)
        if reading.reordering is not None:
            data = None if data is None else reading.reordering.of(data)
            line = None if line is None else reading.reordering.of_line(line)
        if op.name == "constant" and len(op.attribs["value"]) > 1 and data is not None:
            attribs["value"] = data.reshape(-1).tolist()
        is_same = reading.key == (identity(len(self.shape)), None) and is_first
        if is_same:
            return op, tensor
        shape = tuple(attribs["shape"])
        (parameter,) = op.outputs
        outputs = FrozenDict({parameter: type(op.outputs[parameter])(name)})
        new = replace(op, outputs=outputs, attribs=FrozenDict(attribs))
        return new, replace(
            tensor, name=name, shape=shape, data=data, label=label, quantization=line
        )


def labels_of(graph: Graph) -> Names:
    """Return the labels of a graph, which files are named after."""
    labels = Names(fold_case=True)
    for label in {op.attribs["label"] for op in graph.operations if op.name == "variable"}:
        labels.unused(label)
    return labels
