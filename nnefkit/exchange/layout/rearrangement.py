"""The function `channels_first`, and how tensors of a source are compared with the new graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from nnefkit.arrays import Array, Arrays
from nnefkit.collector import paused_collector
from nnefkit.errors import InputError
from nnefkit.exchange.fragments import fragments
from nnefkit.execution.layout.forms import Form
from nnefkit.execution.layout.network import LayoutNetwork
from nnefkit.execution.layout.orders import choose_orders
from nnefkit.execution.layout.rewriting import LAYOUTS, NetworkWriter, transposition_count
from nnefkit.graph import FrozenDict, Graph
from nnefkit.graph.extents import EXTENTS

Layout = Literal["source", "nnef"]


def channels_first(graph: Graph, layout: Layout = "source") -> Graph:
    """Return an equal graph without the transpositions inside of a channels-last network.

    See the module `nnefkit.exchange.layout` for what is changed and what remains.

    Args:
        graph: The graph, with the shapes of its tensors; its operations are as NNEF has them, with
            transpositions between them.
        layout: With ``"source"``, inputs and outputs remain as they are; with ``"nnef"``, those of
            rank 3 to 5 that would be transposed are channels-first.

    Returns:
        The new graph; the given one if it would have as many transpositions.

    Raises:
        InputError: `layout` is neither of the two.
    """
    if layout not in ("source", "nnef"):
        raise InputError(f"'layout' must be 'source' or 'nnef', not {layout!r}")
    before = transposition_count(graph.operations)
    if not before or any(tensor.shape is None for tensor in graph.tensors.values()):
        return graph
    with paused_collector():
        network = LayoutNetwork(graph, known_fragments(graph), is_free=layout == "nnef")
        choose_orders(network)
        new = NetworkWriter(network).graph()
    moved = {*graph.inputs, *graph.outputs}.intersection(layouts(new)) - {*layouts(graph)}
    if transposition_count(new.operations) >= before and not moved:
        return graph
    return _with_extents(new, moved) if moved else new


def known_fragments(graph: Graph) -> frozenset[str]:
    """Return the names of the fragments that a graph declares as nnefkit does."""
    texts = set(graph.declarations)
    return frozenset(name for name, each in fragments().items() if each.text in texts)


def layouts(graph: Graph) -> Mapping[str, Form]:
    """Return the orders of axes in which a graph stores tensors of its source.

    Returns:
        Name of a tensor -> axes, so that ``array.transpose(axes)`` of the source's tensor is that
        of the graph. Tensors that both have in the same order are left out. `nnefkit.compare` takes
        the mapping as ``axes``, for a run of the source as the second one.
    """
    found: Mapping[str, Form] = graph.provenance.get(LAYOUTS, FrozenDict())
    return found


def as_stored(graph: Graph, name: str, array: Any) -> Array:
    """Return a tensor of the source as the graph stores it.

    Args:
        graph: The graph.
        name: The name of the tensor in the graph.
        array: Its elements in the layout of the source.
    """
    axes = layouts(graph).get(name)
    values = np.asarray(array)
    return values if axes is None or values.ndim != len(axes) else values.transpose(axes)


def as_in_source(graph: Graph, name: str, array: Any) -> Array:
    """Return a tensor of the graph in the layout of the source; the inverse of `as_stored`."""
    axes = layouts(graph).get(name)
    values = np.asarray(array)
    if axes is None or values.ndim != len(axes):
        return values
    return values.transpose(np.argsort(axes))


def source_tensors(graph: Graph, arrays: Mapping[str, Any]) -> Arrays:
    """Return the tensors of a source, by their origins, as the graph stores them.

    Args:
        graph: The graph.
        arrays: The tensors of the source, by the names that are origins in the graph.
    """
    moved = {(graph.tensors[name].origin or name): name for name in layouts(graph)}
    return {
        origin: as_stored(graph, moved[origin], array) if origin in moved else array
        for origin, array in arrays.items()
    }


def _with_extents(graph: Graph, moved: set[str]) -> Graph:
    """Return a graph whose record of valid shapes is of its new inputs."""
    record = graph.provenance.get(EXTENTS)
    if record is None:
        return graph
    axes = {name: layouts(graph)[name] for name in moved & {*record.shapes}}
    shapes = {
        name: tuple(shape[axis] for axis in axes.get(name, range(len(shape))))
        for name, shape in record.shapes.items()
    }
    ranges = {
        (name, axes[name].index(axis) if name in axes else axis): extents
        for (name, axis), extents in record.ranges.items()
    }
    # How the source is converted again is known for its own layout only.
    changed = replace(record, shapes=shapes, ranges=ranges, difference=None)
    return replace(graph, provenance=FrozenDict({**graph.provenance, EXTENTS: changed}))
