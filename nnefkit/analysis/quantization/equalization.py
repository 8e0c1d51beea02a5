"""Cross-layer equalization: channels of neighboring layers scaled to equal ranges.

M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019.
Between two layers without anything that depends on scale, a channel may be divided by a positive
factor in the first one and multiplied by it in the second one: the network stays the same, but
the ranges of the channels become equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nnefkit.analysis.quantization.stored_weights import StoredWeight, WeightFinder, with_values
from nnefkit.arrays import Array
from nnefkit.graph import Graph, Identifier, Operation

_SWEEPS = 50
_CLOSE = 1e-3
"""Logarithm of factors that do not matter."""
_SCALED = ("relu", "leaky_relu", "prelu", "copy", "max_pool", "avg_pool", "box", "pad")
"""Operations whose results scale with their inputs, channel by channel."""


@dataclass(frozen=True)
class LayerPair:
    """Two layers, the second of which alone reads the first, and their weights."""

    first: Operation
    second: Operation
    filters: tuple[StoredWeight, StoredWeight]
    bias: StoredWeight | None

    @property
    def names(self) -> tuple[str, str]:
        """The results of both layers."""
        return self.first.output_names[0], self.second.output_names[0]


def equalized(graph: Graph) -> tuple[Graph, tuple[tuple[str, str], ...]]:
    """Return a graph that computes the same, with equal ranges of channels.

    Returns:
        The graph, and the results of the pairs of layers that were scaled.
    """
    pairs = [*layer_pairs(graph)]
    values = {
        weight.variable: np.array(graph.tensors[weight.variable].data, np.float64)
        for pair in pairs
        for weight in (*pair.filters, pair.bias)
        if weight is not None
    }
    for _ in range(_SWEEPS):
        if all([_scale(pair, values) < _CLOSE for pair in pairs]):  # noqa: C419 - all are scaled
            break
    return with_values(graph, values), tuple(pair.names for pair in pairs)


def _scale(pair: LayerPair, values: dict[str, Array]) -> float:
    """Scale the channels between two layers; return the largest logarithm of a factor."""
    first, second = (weight.read(values[weight.variable]) for weight in pair.filters)
    outgoing = np.abs(first).reshape(len(first), -1).max(axis=1)
    incoming = np.abs(_by_input(pair.second, second)).max(axis=(1, 3)).reshape(-1)
    usable = (outgoing > 0) & (incoming > 0)
    factor = np.ones(len(first))
    factor[usable] = np.sqrt(outgoing[usable] / incoming[usable])
    first = first / factor.reshape(-1, *[1] * (first.ndim - 1))
    grouped = _by_input(pair.second, second)
    second = (grouped * factor.reshape(grouped.shape[0], 1, -1, 1)).reshape(second.shape)
    values[pair.filters[0].variable] = pair.filters[0].written(first)
    values[pair.filters[1].variable] = pair.filters[1].written(second)
    if pair.bias is not None:
        name = pair.bias.variable
        values[name] = values[name] / factor.reshape(1, -1)
    return float(np.abs(np.log(factor)).max(initial=0.0))


def _by_input(op: Operation, values: Array) -> Array:
    """Return a filter as groups, output channels, input channels, and the rest."""
    groups = _groups(op, values.shape)
    return values.reshape(groups, values.shape[0] // groups, values.shape[1], -1)


def _groups(op: Operation, shape: tuple[int, ...]) -> int:
    """Return the number of groups; 0 stands for one for each input channel."""
    if op.name != "conv":
        return 1
    groups = int(op.attribs["groups"])
    return groups if groups else shape[0]


def layer_pairs(graph: Graph) -> Iterator[LayerPair]:
    """Yield the pairs of layers whose channels can be scaled."""
    finder = WeightFinder(graph)
    for first in graph.operations:
        if first.name not in ("conv", "linear") or not _has_two_axes_or_more(graph, first):
            continue
        second = _next_layer(graph, first)
        if second is None:
            continue
        filters = finder.find(first, "filter"), finder.find(second, "filter")
        bias = finder.find(first, "bias")
        if filters[0] is None or filters[1] is None:
            continue
        if bias is None and (isinstance(first.inputs["bias"], Identifier) or first.inputs["bias"]):
            continue
        channels = _channels(graph, first, filters[0])[0]
        if bias is not None and (bias.axes or graph.tensors[bias.variable].shape != (1, channels)):
            continue
        if channels == _channels(graph, second, filters[1])[1]:
            yield LayerPair(first, second, (filters[0], filters[1]), bias)


def _has_two_axes_or_more(graph: Graph, op: Operation) -> bool:
    shape = graph.tensors[op.output_names[0]].shape or ()
    return len(shape) == 2 if op.name == "linear" else len(shape) >= 2


def _channels(graph: Graph, op: Operation, weight: StoredWeight) -> tuple[int, int]:
    """Return the number of output and of input channels of a layer."""
    shape = weight.read(np.asarray(graph.tensors[weight.variable].data)).shape
    return shape[0], shape[1] * _groups(op, shape)


def _next_layer(graph: Graph, op: Operation) -> Operation | None:
    """Return the layer that alone reads the result of `op`, with scaled operations between."""
    name = op.output_names[0]
    while len(graph.consumers[name]) == 1 and name not in graph.outputs:
        (reader,) = graph.consumers[name]
        if reader.name in ("conv", "linear"):
            reads = bool(reader.inputs["input"] == name) and reader.input_names.count(name) == 1
            return reader if reads and _has_two_axes_or_more(graph, reader) else None
        if reader.name not in _SCALED or not _keeps_channels(reader, name):
            return None
        name = reader.output_names[0]
    return None


def _keeps_channels(op: Operation, name: str) -> bool:
    """Return whether an operation scales with its input, and does not mix channels."""
    if op.name == "prelu":
        return bool(op.inputs["x"] == name)
    size, padding = op.attribs.get("size", []), op.attribs.get("padding", [])
    return (
        (len(size) < 2 or size[1] == 1)
        and (len(padding) < 2 or tuple(padding[1]) == (0, 0))
        and not op.attribs.get("value")
    )
