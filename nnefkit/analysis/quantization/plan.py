"""The plan of a quantization: which tensors get a grid, and which of them share one.

The result of a layer is quantized after its bias and activation function, which inference engines
compute together with it. Operations that only move values, or choose among them, do not need a
grid: their results share that of their inputs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Identifier, Operation

LAYERS = ("conv", "deconv", "linear", "matmul", "separable_conv", "separable_deconv")
"""Operations that multiply with weights."""
_FILTERS = {"filter", "plane_filter", "point_filter", "A", "B"}
_AFFINE = ("add", "sub", "mul", "div", "batch_normalization")
"""Operations that engines compute together with the layer before, if their operand is constant."""
_BOUNDS = ("relu", "clamp", "min", "max")
"""Activation functions that engines compute together with the operation before."""
MOVES = frozenset(
    (
        *("copy", "reshape", "squeeze", "unsqueeze", "transpose", "split", "unstack", "slice"),
        *("tile", "gather", "max_pool", "max_reduce", "min_reduce", "relu", "clamp", "concat"),
        *("stack", "select", "nearest_downsample", "nearest_upsample", "pad"),
    )
)
"""Operations whose results have no values but those of their inputs, 0, and constant bounds."""
_ELEMENTWISE = ("add", "sub", "mul", "div", "min", "max", "prelu", "pow")


@dataclass(frozen=True)
class Filter:
    """Weights that a layer multiplies with."""

    name: str
    axis: int | None
    """The axis of the output channels; None if there is no single one."""


@dataclass(frozen=True)
class Bias:
    """Weights that are added to the products of a layer."""

    name: str
    axis: int
    """The axis of the output channels."""
    layer: Operation
    input: str
    filter: Filter


@dataclass
class QuantizationPlan:
    """What is quantized, and how."""

    groups: list[list[str]] = field(default_factory=list)
    """Activations that share a range, in the order of the graph."""
    filters: dict[str, Filter] = field(default_factory=dict)
    biases: dict[str, Bias] = field(default_factory=dict)
    operands: list[str] = field(default_factory=list)
    """Other weights, each of which has one range."""
    left: dict[str, str] = field(default_factory=dict)
    """Tensors that stay in floating point, and why."""
    passed_on: set[str] = field(default_factory=set)
    """Activations whose values another one of their group has."""

    @property
    def weights(self) -> list[str]:
        """All weights that are quantized."""
        return [*self.filters, *self.biases, *self.operands]


def constant_tensors(graph: Graph) -> frozenset[str]:
    """Return the tensors that are the same in every run: weights, and what depends on them alone.

    Variables that a run updates are not among them.
    """
    changing = set(updates(graph))
    fixed: set[str] = set()
    for op in graph.operations:
        if (
            op.name != "external"
            and changing.isdisjoint(op.output_names)
            and all(name in fixed for name in op.input_names)
        ):
            fixed.update(op.output_names)
    return frozenset(fixed)


def planned(graph: Graph, keep: Collection[str]) -> QuantizationPlan:
    """Return the plan for a graph.

    Args:
        graph: The graph, with shapes.
        keep: Tensors to leave in floating point; of the result of a layer, also its weights.
    """
    return _QuantizationPlanner(graph, keep).plan()


class _QuantizationPlanner:
    def __init__(self, graph: Graph, keep: Collection[str]) -> None:
        self.graph = graph
        self.constant = constant_tensors(graph)
        self.changing = set(updates(graph))
        self.keep = set(keep)
        self.result = QuantizationPlan()
        self.stages: dict[str, str] = {}
        """By tensor, if the next operation may be computed with the one before: which may."""
        self.parents: dict[str, str] = {}

    def plan(self) -> QuantizationPlan:
        graph, result = self.graph, self.result
        fused = self._fused()
        self._keep_whole_layers(fused)
        for name in self._activations():
            if name in self.keep:
                result.left[name] = "kept on request"
            elif name not in fused:
                self.parents[name] = name
        for op in graph.operations:
            if op.name in MOVES:
                self._share(op)
        groups: dict[str, list[str]] = {}
        for name in self.parents:
            groups.setdefault(self._root(name), []).append(name)
        result.groups = [*groups.values()]
        for op in graph.computations:
            if not self.constant.issuperset(op.output_names):
                self._add_weights(op)
        return result

    # -- activations ------------------------------------------------------------------------------

    def _activations(self) -> Iterator[str]:
        for op in self.graph.operations:
            for name in op.output_names:
                if name in self.constant:
                    continue
                dtype = self.graph.tensors[name].dtype
                if dtype != "scalar" or name in self.graph.opaque:
                    self.result.left[name] = f"of type {dtype}"
                elif op.name == "variable":
                    self.result.left[name] = "a variable that a run updates"
                elif op.name == "update":
                    self.result.left[name] = "the new value of a variable"
                else:
                    yield name

    def _fused(self) -> set[str]:
        """Return the results that the next operation is computed together with."""
        fused: set[str] = set()
        stage: dict[str, str] = {}
        for op in self.graph.computations:
            if len(op.output_names) != 1 or op.output_names[0] in self.constant:
                continue
            name = op.output_names[0]
            before = [n for n in op.input_names if n not in self.constant]
            joined = len(before) == 1 and before[0] in fused
            if op.name in LAYERS or (joined and op.name in _AFFINE and stage[before[0]] == "layer"):
                stage[name] = "layer"
            elif op.name not in MOVES or joined:
                stage[name] = "other"
            if name in stage and self._joins(name, stage[name]):
                fused.add(name)
        return fused

    def _joins(self, name: str, stage: str) -> bool:
        readers = self.graph.consumers[name]
        if len(readers) != 1 or name in self.graph.outputs:
            return False
        (reader,) = readers
        others = [n for n in reader.input_names if n != name]
        if reader.input_names.count(name) != 1 or not self.constant.issuperset(others):
            return False
        return reader.name in _BOUNDS or (reader.name in _AFFINE and stage == "layer")

    def _keep_whole_layers(self, fused: set[str]) -> None:
        """Add to `keep` what is computed together with a kept result, or only moves it."""
        for op in self.graph.operations:
            sources = moved(op) if op.name in MOVES else []
            if not (fused & self.keep).isdisjoint(op.input_names) or (
                sources and self.keep.issuperset(sources)
            ):
                self.keep.update(op.output_names)
        for op in reversed(self.graph.operations):
            if not self.keep.isdisjoint(op.output_names):
                self.keep.update(n for n in op.input_names if n in fused)

    def _share(self, op: Operation) -> None:
        names = [n for n in op.output_names if n in self.parents]
        sources = [n for n in moved(op) if n in self.parents]
        if not names or not sources:
            return
        if len(sources) == len(moved(op)) and not _adds_values(op):
            self.result.passed_on.update(names)
        for name in [*sources[1:], *names]:
            self.parents[self._root(name)] = self._root(sources[0])

    def _root(self, name: str) -> str:
        while self.parents[name] != name:
            name = self.parents[name]
        return name

    # -- weights ----------------------------------------------------------------------------------

    def _add_weights(self, op: Operation) -> None:
        kept = not self.keep.isdisjoint(op.output_names)
        for parameter, value in op.inputs.items():
            for name in _identifiers(value):
                if name not in self.constant or self.graph.tensors[name].dtype != "scalar":
                    continue
                if kept or name in self.keep:
                    self._leave(self._stored(name, None)[0], "kept on request")
                elif name not in self.result.left:
                    self._add_weight(op, parameter, name)

    def _add_weight(self, op: Operation, parameter: str, name: str) -> None:
        if op.name in LAYERS and parameter in _FILTERS:
            self._add_filter(name, filter_axis(self.graph, op, parameter))
        elif op.name in LAYERS and parameter == "bias":
            self._add_bias(op, name, 1)
        elif op.name in ("add", "sub") and (layer := self._layer_before(op)) is not None:
            self._add_bias(layer, name, self._channel_axis(layer))
        elif op.name in _AFFINE and self._follows_layer(op):
            self._leave(name, "folded into the layer before")
        elif op.name in _ELEMENTWISE:
            if name in self.result.biases or name in self.result.filters:
                return
            if name not in self.result.operands:
                self.result.operands.append(name)
        else:
            self._leave(name, f"a parameter of '{op.name}'")

    def _add_filter(self, name: str, axis: int | None) -> None:
        name, axis = self._stored(name, axis)
        if name in self.keep:
            self._leave(name, "kept on request")
        if name in self.result.left:
            return
        found = self.result.filters.get(name)
        if found is not None and found.axis != axis:
            axis = None
        self.result.filters[name] = Filter(name, axis)

    def _stored(self, name: str, axis: int | None) -> tuple[str, int | None]:
        """Return the weights that a tensor is the transposition of, with their axis."""
        producer = self.graph.producers[name]
        while producer.name == "transpose" and len(self.graph.consumers[name]) == 1:
            axes = producer.attribs["axes"]
            axis = None if axis is None else axes[axis] if axis < len(axes) else axis
            (name,) = producer.input_names
            producer = self.graph.producers[name]
        return name, axis

    def _add_bias(self, layer: Operation, name: str, axis: int) -> None:
        filters = [n for key in sorted(_FILTERS) for n in _identifiers(layer.inputs.get(key))]
        fixed = [n for n in filters if n in self.constant]
        (source, *_) = [n for n in layer.input_names if n not in self.constant] or [""]
        stored = self._stored(fixed[0], None)[0] if len(fixed) == 1 else ""
        known = self.result.filters.get(stored)
        readers = self.graph.consumers[name]
        if known is None or source not in self.parents:
            self._leave(name, "the input or the filter of its layer is in floating point")
        elif len(readers) != 1:
            self._leave(name, "several layers read it, each of which has another step")
        elif not _is_one_per_channel(self.graph, name, axis):
            self._leave(name, "it has more than one value for each channel")
        else:
            self.result.biases[name] = Bias(name, axis, layer, source, known)

    def _layer_before(self, op: Operation) -> Operation | None:
        """Return the layer whose products an operation adds to, if it has no bias."""
        (source, *rest) = [n for n in op.input_names if n not in self.constant] or [""]
        producer = self.graph.producers.get(source)
        if rest or producer is None or producer.name not in LAYERS:
            return None
        if any(True for _ in _identifiers(producer.inputs.get("bias"))):
            return None
        return producer if len(self.graph.consumers[source]) == 1 else None

    def _follows_layer(self, op: Operation) -> bool:
        """Return whether an operation is computed together with a layer."""
        names = [n for n in op.input_names if n not in self.constant]
        while len(names) == 1 and names[0] not in self.parents:
            producer = self.graph.producers[names[0]]
            if producer.name in LAYERS:
                return True
            names = [n for n in producer.input_names if n not in self.constant]
        return False

    def _channel_axis(self, layer: Operation) -> int:
        """Return the axis of the result of a layer along which its output channels are."""
        if layer.name in ("conv", "deconv", "separable_conv", "separable_deconv"):
            return 1
        rank = len(self.graph.tensors[layer.output_names[0]].shape or ())
        rows = layer.name == "matmul" and layer.inputs["A"] in self.constant
        return rank - (2 if rows else 1)

    def _leave(self, name: str, reason: str) -> None:
        for chosen in (self.result.filters, self.result.biases):
            chosen.pop(name, None)
        if name in self.result.operands:
            self.result.operands.remove(name)
        self.result.left.setdefault(name, reason)


def moved(op: Operation) -> list[str]:
    """Return the tensors whose values the result has."""
    skipped = {"gather": ("indices",), "select": ("condition",), "clamp": ("a", "b")}
    return [
        name
        for key, value in op.inputs.items()
        if key not in skipped.get(op.name, ())
        for name in _identifiers(value)
    ]


def _adds_values(op: Operation) -> bool:
    """Return whether the result may have values that are not in the range of the inputs and 0."""
    literals = (value for value in op.inputs.values() if isinstance(value, (int, float)))
    return op.name in ("clamp", "pad") or any(literals)


def _identifiers(value: Any) -> Iterator[str]:
    if isinstance(value, Identifier):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _identifiers(part)


def filter_axis(graph: Graph, op: Operation, parameter: str) -> int | None:
    """Return the axis of a filter along which its output channels are."""
    (name,) = _identifiers(op.inputs[parameter])
    shape = graph.tensors[name].shape or ()
    if op.name in ("conv", "separable_conv"):
        return 0
    if op.name == "linear":
        return len(shape) - 2
    if op.name == "deconv":
        return 1 if op.attribs["groups"] == 1 else 0 if shape[1] == 1 else None
    if op.name == "matmul":
        is_last = (parameter == "B") != bool(op.attribs[f"transpose{parameter}"])
        return len(shape) - (1 if is_last else 2)
    return None


def _is_one_per_channel(graph: Graph, name: str, axis: int) -> bool:
    shape: Mapping[int, int] = dict(enumerate(graph.tensors[name].shape or ()))
    return all(extent == 1 for place, extent in shape.items() if place != axis)
