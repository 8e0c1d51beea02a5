"""Tensors that are taken apart and joined again, replaced by the tensors themselves.

Sequences are a tensor for each step in an unrolled layer. The nodes that take a tensor apart stay
where single parts are read; a model leaves out nodes that nothing reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from nnefkit.arrays import Ints
from nnefkit.execution.engines.onnxruntime import primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, Node, OnnxValue
from nnefkit.execution.engines.onnxruntime.operations.shaping import unsqueeze

_LEVELS = 3
"""How often the results of two directions may be joined in pairs, step by step."""
_PAIR = 2


class _Element(NamedTuple):
    """The part of a value at an index along an axis, without that axis."""

    source: OnnxValue
    axis: int
    place: int

    def precedes(self, other: _Element, steps: int) -> bool:
        """Return whether another element is so many steps behind this one."""
        same = self.source is other.source and self.axis == other.axis
        return same and self.place + steps == other.place


class JoinedParts:
    """The parts of values in one graph, and how they are joined."""

    def __init__(self) -> None:
        self._declared: dict[int, list[_Element]] = {}
        self._elements: dict[int, list[_Element]] = {}
        """Value, by its id -> what it is an element of."""
        self._parts: dict[int, _Element] = {}
        """Result of a split, by its id -> what it is a part of."""

    @property
    def lowerings(self) -> Mapping[str, Callable[..., Any]]:
        """Lowerings of operations that may join the parts of a tensor."""

        def stack(b: Builder, values: list[OnnxValue], *, axis: int) -> OnnxValue:
            return self.stacked(b, values, axis)

        def concat(b: Builder, values: list[OnnxValue], *, axis: int) -> OnnxValue:
            return self._joined(b, values, axis)

        def unsqueezed(b: Builder, input: OnnxValue, *, axes: Ints) -> OnnxValue:
            return _unsqueezed(b, input, axes)

        return {"stack": stack, "concat": concat, "unsqueeze": unsqueezed}

    def declare(self, value: OnnxValue, source: OnnxValue, axis: int, index: int) -> None:
        """Make known that a value is an element of another one."""
        self._declared.setdefault(id(value), []).append(_Element(source, axis, index))

    def stacked(self, b: Builder, values: Sequence[OnnxValue], axis: int) -> OnnxValue:
        """Return values joined along a new axis; neighbors in one tensor are taken from it."""
        whole = self.whole(b, values, axis)
        if whole is not None:
            return whole
        blocks = []
        for run, element in self._runs(values):
            if element is None:
                blocks += [unsqueeze(b, value, axes=[axis]) for value in run]
            else:
                blocks.append(_block(b, element, len(run), axis))
        return primitives.concat(b, blocks, axis)

    def whole(
        self, b: Builder, values: Sequence[OnnxValue], axis: int, levels: int = _LEVELS
    ) -> OnnxValue | None:
        """Return values joined along a new axis, without taking anything apart; None otherwise.

        Args:
            b: The builder.
            values: Parts of a tensor, or parts of two tensors joined in pairs.
            axis: The new axis.
            levels: How often pairs may be joined to pairs.
        """
        runs = [*self._runs(values)]
        if len(runs) == 1 and runs[0][1] is not None:
            return _block(b, runs[0][1], len(values), axis)
        if not levels:
            return None
        nodes = [value.node for value in values if value.node is not None]
        if len(nodes) < len(values) or len({node.kind for node in nodes}) != 1:
            return None
        if nodes[0].kind == "Unsqueeze":
            joined = self._unsqueezed_parts(b, nodes, levels - 1)
        elif nodes[0].kind == "Concat":
            joined = self._concatenated_parts(b, nodes, levels - 1)
        else:
            return None
        return None if joined is None else primitives.move_axis(b, joined, 0, axis)

    def _unsqueezed_parts(self, b: Builder, nodes: Sequence[Node], levels: int) -> OnnxValue | None:
        axes = _axes(nodes[0])
        if any(_axes(node) != axes for node in nodes):
            return None
        inner = self.whole(b, _operands(nodes, 0), 0, levels)
        return None if inner is None else _unsqueezed(b, inner, [axis + 1 for axis in axes])

    def _concatenated_parts(
        self, b: Builder, nodes: Sequence[Node], levels: int
    ) -> OnnxValue | None:
        axes = {node.attributes["axis"] for node in nodes}
        if len(axes) > 1 or len(nodes) == 1 or any(len(node.inputs) != _PAIR for node in nodes):
            return None
        columns = [self.whole(b, _operands(nodes, i), 0, levels) for i in range(_PAIR)]
        known = [column for column in columns if column is not None]
        return self._joined(b, known, axes.pop() + 1, levels) if len(known) == _PAIR else None

    def _joined(
        self, b: Builder, values: Sequence[OnnxValue], axis: int, levels: int = _LEVELS
    ) -> OnnxValue:
        """Return values joined along one of their axes."""
        origins = [self._origin(value) for value in values]
        first = origins[0]
        if first is not None and first.axis == axis and _follow(origins):
            ranges = {axis: (first.place, first.place + len(values), 1)}
            return primitives.sliced(b, first.source, ranges)
        nodes = [value.node for value in values if value.kind == "Unsqueeze"]
        added = [node for node in nodes if node is not None and _axes(node) == [axis]]
        if len(added) == len(values):
            whole = self.whole(b, _operands(added, 0), axis, levels)
            if whole is not None:
                return whole
        runs = [*self._runs(values)]
        if len(values) > 1 and len(runs) == 1 and runs[0][1] is not None:
            block = _block(b, runs[0][1], len(values), axis)
            merged = block.shape[axis] * block.shape[axis + 1]
            return b.reshape(block, (*block.shape[:axis], merged, *block.shape[axis + 2 :]))
        return primitives.concat(b, values, axis)

    # -- elements ------------------------------------------------------------------------------

    def _runs(
        self, values: Sequence[OnnxValue]
    ) -> Iterator[tuple[Sequence[OnnxValue], _Element | None]]:
        """Yield neighbors in one tensor, and the first element if they are taken from there."""
        start = 0
        while start < len(values):
            options = self._of(values[start])
            end = start + 1
            while end < len(values):
                others = self._of(values[end])
                more = [e for e in options if any(e.precedes(o, end - start) for o in others)]
                if not more:
                    break
                options, end = more, end + 1
            count = end - start
            whole = [e for e in options if e.source.shape[e.axis] == count]
            chosen = whole or (options if count > 1 else [])
            yield values[start:end], chosen[0] if chosen else None
            start = end

    def _of(self, value: OnnxValue) -> list[_Element]:
        """Return what a value is an element of."""
        key = id(value)
        if key not in self._elements:
            self._elements[key] = [*self._squeezed(value), *self._declared.get(key, ())]
        return self._elements[key]

    def _squeezed(self, value: OnnxValue) -> Iterator[_Element]:
        """Yield what a value is an element of, by the node that removes the axis."""
        node = value.node
        part = node.inputs[0] if node is not None and node.kind in _REMOVING else None
        if part is None:
            return
        origin = self._origin(part)
        if origin is not None and _without(part, origin.axis) == value.shape:
            yield origin
        if origin is not None:
            # Neighbors in one tensor are found by their origin.
            return
        for axis, extent in enumerate(part.shape):
            if extent == 1 and _without(part, axis) == value.shape:
                yield _Element(part, axis, 0)

    def _origin(self, part: OnnxValue) -> _Element | None:
        """Return where a value with an extent of 1 was cut off."""
        node = part.node
        if node is None or node.kind not in ("Split", "Slice"):
            return None
        if id(part) not in self._parts:
            self._parts.update(_split(node) if node.kind == "Split" else _cut(node))
        return self._parts.get(id(part))


_REMOVING = ("Squeeze", "Reshape")
"""Operators that may remove an axis."""


def _without(value: OnnxValue, axis: int) -> tuple[int, ...]:
    return (*value.shape[:axis], *value.shape[axis + 1 :])


def _follow(elements: Sequence[_Element | None]) -> bool:
    """Return whether elements follow one another in one tensor."""
    known = [element for element in elements if element is not None]
    pairs = enumerate(known)
    return len(known) == len(elements) and all(known[0].precedes(one, i) for i, one in pairs)


def _split(node: Node) -> dict[int, _Element]:
    """Return the results of a split into extents of 1, by their ids."""
    source, axis = node.inputs[0], node.attributes["axis"]
    if source is None or any(value.shape[axis] != 1 for value in node.outputs):
        return {}
    return {id(value): _Element(source, axis, i) for i, value in enumerate(node.outputs)}


def _cut(node: Node) -> dict[int, _Element]:
    """Return the result of a slice of extent 1, by its id."""
    source, starts, _, axes, _ = node.inputs
    (result,) = node.outputs
    if source is None or starts is None or axes is None:
        return {}
    if starts.data is None or axes.data is None or axes.data.size != 1:
        return {}
    start, axis = int(starts.data[0]), int(axes.data[0])
    if result.shape[axis] != 1:
        return {}
    return {id(result): _Element(source, axis, start % source.shape[axis])}


def _block(b: Builder, first: _Element, count: int, axis: int) -> OnnxValue:
    """Return elements of a value that follow one another, with their axis at another position."""
    part = primitives.sliced(b, first.source, {first.axis: (first.place, first.place + count, 1)})
    return primitives.move_axis(b, part, first.axis, axis)


def _unsqueezed(b: Builder, value: OnnxValue, axes: Ints) -> OnnxValue:
    """Return a value with axes of extent 1; the value before they were removed, if they were."""
    node = value.node
    if node is not None and node.kind == "Squeeze" and _axes(node) == [*axes]:
        source = node.inputs[0]
        assert source is not None  # noqa: S101 - the operator requires it
        return source
    return unsqueeze(b, value, axes=axes)


def _axes(node: Node) -> list[int]:
    """Return the axes that a node adds or removes."""
    axes = node.inputs[1]
    assert axes is not None and axes.data is not None  # noqa: S101, PT018 - lowerings know them
    return [int(axis) for axis in axes.data]


def _operands(nodes: Sequence[Node], number: int) -> list[OnnxValue]:
    return [value for node in nodes if (value := node.inputs[number]) is not None]
