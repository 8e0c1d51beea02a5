"""Flattenings: reshapes between an image and a row of features that only weights multiply.

The order of the features does not matter then: the weights take the order in which the image is
stored. The same holds for a row that a layer with weights computes, and that becomes an image.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.execution.layout.blocks import blocks
from nnefkit.execution.layout.forms import Form, core
from nnefkit.execution.layout.views import MOVING
from nnefkit.graph import Graph, Operation

_MOST = 64
"""Maximum number of tensors between an image and the weights."""

Kinds = Mapping[str, Sequence[str]]


@dataclass(eq=False)
class Flattening:
    """A reshape between an image and a row, and the operations that compute with rows."""

    reshape: Operation
    is_merging: bool
    """Whether the image becomes a row; else a row becomes an image."""
    image: Shape
    first: Form
    """The axes of the image before those that are merged."""
    merged: Form
    axis: int
    """The axis of the row that they are."""
    rows: dict[str, None] = field(default_factory=dict)
    operations: dict[int, Operation] = field(default_factory=dict)
    """Those that read or compute rows, by id."""
    weights: dict[int, dict[int, int]] = field(default_factory=dict)
    """id of an operation -> number of the weight among its tensors -> axis in the order of rows."""

    def order(self, form: Form) -> Array | None:
        """Return which feature is stored at each place of a row; None if their order is the same.

        Args:
            form: That of the image.
        """
        axes = core(form, self.image)[len(core(self.first, self.image)) :]
        if axes == self.merged:
            return None
        extents = [self.image[axis] for axis in self.merged]
        numbers = np.arange(int(np.prod(extents))).reshape(extents)
        return numbers.transpose([self.merged.index(axis) for axis in axes]).reshape(-1)

    def is_row_of(self, form: Form) -> bool:
        """Return whether the merged axes are the last ones of a form of the image."""
        start = core(self.first, self.image)
        return core(form, self.image)[: len(start)] == start


def flattenings(
    graph: Graph, constants: Collection[str], kinds: Kinds, visible: Collection[str] = ()
) -> dict[int, Flattening]:
    """Return the reshapes between images and rows whose features may be in any order.

    Args:
        graph: The graph.
        constants: The tensors that are stored with it in any form.
        kinds: The operations that can be computed with their axes in another order.
        visible: Tensors whose elements remain in order, as those of outputs do.

    Returns:
        id of a reshape -> what it flattens.
    """
    known = {*constants}
    for op in graph.operations:
        if op.name in MOVING and op.input_names and known.issuperset(op.input_names):
            known.update(n for n in op.output_names if not graph.tensors[n].quantization)
    found: dict[int, Flattening] = {}
    taken: set[int] = set()
    outputs = frozenset((*graph.outputs, *visible))
    for op in graph.operations:
        if op.name != "reshape" or not op.input_names:
            continue
        flattening = _flattening(graph, op)
        if flattening is None:
            continue
        if not _RowSearch(graph, known, kinds, flattening, taken, outputs).succeeds():
            continue
        taken.update(flattening.operations)
        found[id(op)] = flattening
    return found


def _flattening(graph: Graph, op: Operation) -> Flattening | None:
    before = graph.tensors[op.input_names[0]].shape or ()
    after = graph.tensors[op.output_names[0]].shape or ()
    parts = blocks(before, after)
    if not parts or 1 not in (len(parts[-1].before), len(parts[-1].after)):
        return None
    *others, last = parts
    is_merging = len(last.before) > 1
    if is_merging:
        first = tuple(axis for block in others for axis in block.before)
        return Flattening(op, True, before, first, last.before, last.after[0])
    if len(last.after) == 1:
        return None
    first = tuple(axis for block in others for axis in block.after)
    return Flattening(op, False, after, first, last.after, last.before[0])


class _RowSearch:
    """The search for the operations that compute with the rows of a flattening."""

    def __init__(
        self,
        graph: Graph,
        constants: Collection[str],
        kinds: Kinds,
        flattening: Flattening,
        taken: Collection[int],
        outputs: Collection[str],
    ) -> None:
        self._graph = graph
        self._constants = constants
        self._kinds = kinds
        self._flattening = flattening
        self._taken = taken
        self._outputs = outputs
        self._open: list[str] = []

    def succeeds(self) -> bool:
        """Find the operations; return whether rows are read and computed by no other ones."""
        flattening = self._flattening
        reshape = flattening.reshape
        start = reshape.output_names if flattening.is_merging else reshape.input_names
        self._add_row(start[0])
        while self._open:
            if len(flattening.rows) > _MOST:
                return False
            name = self._open.pop()
            if not (self._is_read(name) if flattening.is_merging else self._is_computed(name)):
                return False
        return bool(flattening.weights) and self._is_closed()

    def _add_row(self, name: str) -> None:
        if name not in self._flattening.rows:
            self._flattening.rows[name] = None
            self._open.append(name)

    def _is_read(self, name: str) -> bool:
        """Add what reads a row; return whether the order of its features does not matter there."""
        if name in self._outputs:
            return False
        for op in self._graph.consumers[name]:
            if id(op) in self._taken:
                return False
            if self._is_product(op, name):
                continue
            if not self._is_elementwise(op):
                return False
            self._add_row(op.output_names[0])
        return True

    def _is_computed(self, name: str) -> bool:
        """Add what computes a row; return whether it may compute the features in any order."""
        op = self._graph.producers[name]
        if id(op) in self._taken or name in self._outputs:
            return False
        if self._is_layer(op, name):
            return True
        if not self._is_elementwise(op):
            return False
        for other in op.input_names:
            if other not in self._constants:
                self._add_row(other)
        return True

    def _rank(self, name: str) -> int:
        return len(self._graph.tensors[name].shape or ())

    def _is_elementwise(self, op: Operation) -> bool:
        """Add an operation whose features are independent of each other."""
        graph, axis = self._graph, self._flattening.axis
        if self._kinds.get(op.name) != () or len(op.output_names) != 1:
            return False
        shape = graph.tensors[op.output_names[0]].shape or ()
        weights = {}
        for number, name in enumerate(op.input_names):
            own = graph.tensors[name].shape or ()
            if name not in self._constants:
                if own != shape:
                    return False
            elif own[axis : axis + 1] == shape[axis : axis + 1] and own[axis] > 1:
                weights[number] = axis
        self._take(op, weights)
        return True

    def _take(self, op: Operation, weights: dict[int, int]) -> None:
        self._flattening.operations[id(op)] = op
        if weights:
            self._flattening.weights[id(op)] = weights

    def _is_product(self, op: Operation, name: str) -> bool:
        """Add an operation that multiplies the features of a row by weights and adds them."""
        first, second = _factors(op)
        if first != name or second not in self._constants or op.input_names.count(name) > 1:
            return False
        if op.attribs.get("transposeA") or self._flattening.axis != self._rank(name) - 1:
            return False
        rank = self._rank(second)
        is_turned = op.name == "linear" or op.attribs["transposeB"]
        self._take(op, {op.input_names.index(second): rank - 1 if is_turned else rank - 2})
        return True

    def _is_layer(self, op: Operation, name: str) -> bool:
        """Add an operation that computes each feature of a row by weights of its own."""
        first, second = _factors(op)
        axis = self._flattening.axis
        if second not in self._constants or first == second or axis != self._rank(name) - 1:
            return False
        rank = self._rank(second)
        is_turned = op.name == "linear" or op.attribs["transposeB"]
        weights = {op.input_names.index(second): rank - 2 if is_turned else rank - 1}
        bias = op.inputs.get("bias")
        if isinstance(bias, str):
            shape = self._graph.tensors[bias].shape or ()
            extent = (self._graph.tensors[name].shape or ())[axis]
            if bias not in self._constants or bias == second:
                return False
            if shape[axis : axis + 1] == (extent,) and extent > 1:
                weights[op.input_names.index(bias)] = axis
        self._take(op, weights)
        return True

    def _is_closed(self) -> bool:
        """Return whether all that read or compute rows are operations that were found."""
        flattening = self._flattening
        known = {*flattening.operations, id(flattening.reshape)}
        for name in flattening.rows:
            if not known.issuperset(map(id, self._graph.consumers[name])):
                return False
            if id(self._graph.producers[name]) not in known:
                return False
        # An operation of two rows has no third tensor that is computed otherwise.
        return all(
            self._is_complete(op)
            for op in flattening.operations.values()
            if _factors(op)[0] is None
        )

    def _is_complete(self, op: Operation) -> bool:
        rows, constants = self._flattening.rows, self._constants
        return all(name in rows or name in constants for name in op.input_names)


def _factors(op: Operation) -> tuple[str | None, str]:
    """Return the two factors of a matrix product, or None and nothing."""
    if op.name == "linear":
        pair = op.inputs["input"], op.inputs["filter"]
    elif op.name == "matmul":
        pair = op.inputs["A"], op.inputs["B"]
    else:
        return None, ""
    return pair if all(isinstance(name, str) for name in pair) else (None, "")
