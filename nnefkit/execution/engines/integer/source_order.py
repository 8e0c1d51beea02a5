"""The order in which the source of a graph stores its tensors.

Kernels that process blocks of elements at once round the elements that are left in another way;
which ones these are depends on this order.
"""

from __future__ import annotations

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.layout.rewriting import LAYOUTS
from nnefkit.graph import Graph


def source_axes(graph: Graph, name: str, rank: int) -> tuple[int, ...]:
    """Return the axis of the source for each axis of a tensor; those of the graph if unknown."""
    known = graph.provenance.get(LAYOUTS, {}).get(name)
    if known is not None and len(known) == rank:
        return tuple(known)
    producer = graph.producers.get(name)
    if producer is not None and producer.name == "transpose" and len(producer.input_names) == 1:
        axes = [*producer.attribs["axes"]]
        axes += range(len(axes), rank)
        before = source_axes(graph, producer.input_names[0], rank)
        return tuple(before[axis] for axis in axes)
    return tuple(range(rank))


def in_blocks(graph: Graph, name: str, shape: tuple[int, ...], block: int) -> Array:
    """Return which elements of a tensor are in whole blocks, in the order of its source.

    Args:
        graph: The graph.
        name: The tensor.
        shape: Its shape.
        block: Number of elements of a block.
    """
    axes = source_axes(graph, name, len(shape))
    stored = tuple(shape[axis] for axis in np.argsort(axes))
    count = int(np.prod(shape, dtype=np.int64))
    inside = np.arange(count) < count - count % block
    return inside.reshape(stored).transpose(axes)


def is_over_pixels(graph: Graph, name: str, rank: int, axes: tuple[int, ...]) -> bool:
    """Return whether axes of an image are those of its pixels, which a source stores inside."""
    if rank != 4 or len(axes) != 2:
        return False
    if graph.provenance.get("source") != "TFLite":
        return sorted(axes) == [2, 3]
    order = source_axes(graph, name, rank)
    return sorted(order[axis] for axis in axes) == [1, 2]
