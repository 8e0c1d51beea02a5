"""The layers of a quantized graph: tensors whose quantization is dropped, or refined, together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nnefkit.analysis.quantization.plan import LAYERS, MOVES, constant_tensors, moved
from nnefkit.graph import FrozenDict, Graph, Operation
from nnefkit.operations.quantization_grid import QuantizationGrid

_BY_RANGE = ("min_max_linear_quantize", "linear_quantize")


@dataclass
class QuantizedLayer:
    """A quantized result, with the weights that it is computed from since the last one."""

    name: str
    """The result."""
    operation: str
    """The operation that computes it, before activation functions if it has weights."""
    tensors: list[str] = field(default_factory=list)
    """All quantized tensors of the layer: the result, those that move it, weights."""


def quantized_layers(graph: Graph) -> list[QuantizedLayer]:
    """Return the layers of a graph with quantization info, in its order."""
    constant = constant_tensors(graph)
    layers: dict[str, QuantizedLayer] = {}
    """By quantized tensor that depends on the inputs."""
    found: list[QuantizedLayer] = []
    for op in graph.operations:
        for name in op.output_names:
            line = graph.tensors[name].quantization
            if name in constant or not line:
                continue
            sources = moved(op) if op.name in MOVES else []
            owner = layers.get(sources[0]) if len(set(sources)) == 1 else None
            if owner is not None and graph.tensors[sources[0]].quantization == line:
                owner.tensors.append(name)
                layers[name] = owner
                continue
            layers[name] = layer = _layer(graph, op, name, constant)
            found.append(layer)
    return found


def _layer(graph: Graph, op: Operation, name: str, constant: Collection[str]) -> QuantizedLayer:
    layer = QuantizedLayer(name, _main(graph, op, constant).name, [name])
    seen: set[str] = set()
    waiting = list(op.input_names)
    while waiting:
        source = waiting.pop()
        if source in seen:
            continue
        seen.add(source)
        is_quantized = bool(graph.tensors[source].quantization)
        if is_quantized and source in constant:
            layer.tensors.append(source)
        elif not is_quantized:
            waiting += graph.producers[source].input_names
    return layer


def _main(graph: Graph, op: Operation, constant: Collection[str]) -> Operation:
    """Return the operation that a quantized result is computed by, without what follows it."""
    while op.name not in LAYERS:
        sources = [name for name in op.input_names if name not in constant]
        if len(sources) != 1 or graph.tensors[sources[0]].quantization:
            return op
        producer = graph.producers[sources[0]]
        if producer.is_source or producer.name == "update":
            return op
        op = producer
    return op


def with_precision(graph: Graph, tensors: Collection[str], bits: int | None) -> Graph:
    """Return a graph with other quantization of some tensors.

    Args:
        graph: The graph, with quantization info.
        tensors: Names of quantized tensors.
        bits: Number of bits for the same ranges; None leaves the tensors in floating point. Tensors
            that have more bits, such as biases, stay as they are, and so do those of other
            algorithms than linear ones.
    """
    changed = dict(graph.tensors)
    for name in tensors:
        line = changed[name].quantization
        if bits is None:
            changed[name] = replace(changed[name], quantization=None)
        elif line and (finer := _with_bits(line, bits)) is not None:
            changed[name] = replace(changed[name], quantization=finer)
    facts = {key: value for key, value in graph.provenance.items() if key != "quantization"}
    return replace(graph, tensors=FrozenDict(changed), provenance=FrozenDict(facts))


def _with_bits(line: Mapping[str, Any], bits: int) -> FrozenDict | None:
    """Return a line with the same range and smaller steps; None if there is none."""
    grid = QuantizationGrid.read(line)
    if grid is not None:
        return grid.with_bits(bits).line if grid.bits < bits else None
    if line["op-name"] in _BY_RANGE and line["bits"] < bits:
        return FrozenDict({**line, "bits": bits})
    return None
