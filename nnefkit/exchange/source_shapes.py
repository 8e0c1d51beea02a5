"""Shapes of inputs in the layout of the source: those that a user gives, and those tried later."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, InputError
from nnefkit.exchange.extents import recorded
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.layout import as_in_source
from nnefkit.graph import Graph
from nnefkit.graph.extents import Shapes


def checked_shape(name: str, shape: Any, rank: int | None, path: str) -> tuple[int, ...]:
    """Return the shape that a user gives for an input.

    Args:
        name: The name of the input.
        shape: The shape.
        rank: The rank that the model expects; None if it states none.
        path: The path of the model, for messages.

    Raises:
        InputError: It is not a list of positive integers, or has another rank.
    """
    try:
        extents = tuple(operator.index(extent) for extent in shape)
    except TypeError:
        raise InputError(
            f"the shape for '{name}' must be a list of integers, not {shape!r}", file=path
        ) from None
    if rank is not None and len(extents) != rank:
        raise InputError(
            f"the shape for '{name}' has {len(extents)} extents, but the model expects {rank}",
            file=path,
        )
    if any(extent < 1 for extent in extents):
        raise InputError(
            f"the shape for '{name}' is {[*extents]}",
            hint=NO_EMPTY_TENSORS,
            file=path,
            section="4.1.1",
        )
    return extents


def recorded_in_source(
    graph: Graph,
    read: Callable[[Shapes], Graph],
    dynamic_shapes: Mapping[str, Any] | None,
    bar: StagedProgressBar,
) -> Graph:
    """Return a graph with a record of the shapes for which it is valid.

    Args:
        graph: The graph, whose inputs may have another layout than those of the source.
        read: Shapes by the names of inputs in the source, in its layout -> the graph for them.
        dynamic_shapes: Axes that may have other extents.
        bar: Shows that this is done, if there are such axes.
    """
    if dynamic_shapes:
        bar.stage("converting for other shapes")

    @quiet_frameworks()
    def converted(shapes: Shapes) -> Graph:
        named = {}
        for name, shape in shapes.items():
            extents = np.broadcast_to(np.False_, tuple(shape))
            source_name = graph.tensors[name].origin or name
            named[source_name] = tuple(as_in_source(graph, name, extents).shape)
        return read(named)

    return recorded(graph, converted, dynamic_shapes)
