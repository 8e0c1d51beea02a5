"""Views: tensors that have the elements of another one, with their axes in another order.

The results of `transpose`, `squeeze` and `unsqueeze` are views. The new graph has none of these
operations unless two operations need different forms of one tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from nnefkit.execution.layout.forms import NEW, Form, arranged, identity, through
from nnefkit.graph import FrozenDict, Graph, Operation

MOVING = frozenset(("transpose", "squeeze", "unsqueeze"))
"""Operations whose results are views of their inputs."""

Line = Mapping[str, Any]


class AxisView(NamedTuple):
    """A tensor as a view of another one."""

    root: str
    form: Form
    """For each axis of the view, that of the root."""


@dataclass
class Views:
    """The views of a graph."""

    graph: Graph
    of: dict[str, AxisView] = field(default_factory=dict)
    """Tensor -> what it is a view of, for views and for the roots themselves."""
    members: dict[str, list[str]] = field(default_factory=dict)
    """Root -> all views of it, itself first."""
    lines: dict[str, Line] = field(default_factory=dict)
    """Root -> quantization of it and its views, for the axes of the root."""
    outputs: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.outputs = frozenset(self.graph.outputs)

    def add_root(self, name: str) -> None:
        """Add a tensor that is not a view."""
        tensor = self.graph.tensors[name]
        self.of[name] = AxisView(name, identity(len(tensor.shape or ())))
        self.members[name] = [name]
        if tensor.quantization:
            self.lines[name] = tensor.quantization

    def add_view(self, op: Operation) -> bool:
        """Add the result of an operation as a view of its input, unless it must be computed."""
        (source,), (result,) = op.input_names, op.output_names
        root, form = self.of[source]
        moved = through(form, form_of(op, len(form)))
        line = self.graph.tensors[result].quantization
        if line and not self._has_line(source, root, line, moved):
            return False
        self.of[result] = AxisView(root, moved)
        self.members[root].append(result)
        return True

    def _has_line(self, source: str, root: str, line: Line, form: Form) -> bool:
        """Return whether a view is quantized as its root is, or whether the root can be."""
        rank = len(self.graph.tensors[root].shape or ())
        wanted = arranged_line(line, tuple(_position(form, axis) for axis in range(rank)))
        if root in self.lines:
            return _same(self.lines[root], wanted)
        producer = self.graph.producers[root]
        if producer.is_source or self._is_read_otherwise(source, root):
            return False
        self.lines[root] = wanted
        return True

    def _is_read_otherwise(self, source: str, root: str) -> bool:
        """Return whether anything but the view itself reads its root before it is quantized."""
        consumers, outputs = self.graph.consumers, self.outputs
        chain = self.members[root]
        last = chain[-1] == source
        return not last or any(name in outputs or len(consumers[name]) > 1 for name in chain)


def form_of(op: Operation, rank: int) -> Form:
    """Return for each axis of the result of an operation that of its input."""
    axes = [*op.attribs["axes"]]
    if op.name == "transpose":
        return (*axes, *range(len(axes), rank))
    if op.name == "squeeze":
        return tuple(axis for axis in range(rank) if axis not in axes)
    rest = iter(range(rank))
    return tuple(NEW if axis in axes else next(rest) for axis in range(rank + len(axes)))


def _position(form: Form, axis: int) -> int:
    return form.index(axis) if axis in form else NEW


def arranged_line(line: Line, form: Form) -> Line:
    """Return the quantization of a tensor for a form of it."""
    changed = {}
    for key, value in line.items():
        if isinstance(value, (list, tuple)) and np.size(value) > 1:
            array = np.asarray(value, object)
            rank = max([array.ndim, *(axis + 1 for axis in form)])
            whole = array.reshape(array.shape + (1,) * (rank - array.ndim))
            changed[key] = _trimmed(arranged(whole, form)).tolist()
    return FrozenDict({**line, **changed}) if changed else line


def _trimmed(array: Any) -> Any:
    while array.ndim > 1 and array.shape[-1] == 1:
        array = array[..., 0]
    return array


def _same(one: Line, other: Line) -> bool:
    return one.keys() == other.keys() and all(
        np.array_equal(np.asarray(one[key]), np.asarray(other[key])) for key in one
    )
