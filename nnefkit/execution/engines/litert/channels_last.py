"""Graphs with their images channels-last, and where the tensors of the given graph are in them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.collector import paused_collector
from nnefkit.execution.engines.litert.operations import FRAGMENTS
from nnefkit.execution.layout.forms import Form, arranged
from nnefkit.execution.layout.layout_target import LayoutTarget
from nnefkit.execution.layout.network import LayoutNetwork
from nnefkit.execution.layout.orders import choose_orders
from nnefkit.execution.layout.rewriting import NetworkWriter
from nnefkit.graph import Graph

TARGET = LayoutTarget(
    is_channels_last=True, axis_is_last=frozenset(("softmax", "l2_normalization", "log_softmax"))
)
"""The order in which the operators of TFLite compute."""


class TensorPlace(NamedTuple):
    """Where the elements of a tensor of the given graph are."""

    name: str
    """The tensor of the new graph."""
    form: Form
    """The axes of the given graph's tensor from which both come, as the new graph has them."""
    view: Form
    """The same axes as the tensor has them."""

    def elements(self, stored: Array) -> Array:
        """Return the elements of the tensor from those of the tensor of the new graph."""
        kept = [axis for axis in self.form if axis >= 0]
        extents = zip(stored.shape, self.form, strict=True)
        values = stored.reshape([extent for extent, axis in extents if axis >= 0])
        missing = [axis for axis in self.view if axis >= 0 and axis not in kept]
        values = values.reshape([*values.shape, *(1 for _ in missing)])
        axes = [*kept, *missing]
        order = [axes.index(axis) for axis in self.view if axis >= 0]
        lost = [axes.index(axis) for axis in axes if axis not in self.view]
        values = values.transpose([*order, *lost])
        sizes = iter(values.shape)
        return values.reshape([next(sizes) if axis >= 0 else 1 for axis in self.view])


class ChannelsLast:
    """A graph whose operations are in the order in which TFLite computes them.

    Its spatial operations have channels in the last axis, so that it is no valid NNEF graph.

    Args:
        graph: The graph; all shapes are known.
        wanted: Tensors whose elements are read, in whatever order of the axes. The outputs of the
            graph keep their order.
    """

    def __init__(self, graph: Graph, wanted: Collection[str] = ()) -> None:
        with paused_collector():
            self._network = LayoutNetwork(graph, FRAGMENTS, target=TARGET, visible=wanted)
            choose_orders(self._network)
            self._writer = NetworkWriter(self._network)
            self.graph = self._writer.graph()

    def stored(self, name: str) -> TensorPlace | Array:
        """Return where the elements of a tensor are, or the elements of a constant."""
        root, view = self._network.views.of.get(name, (name, None))
        if root in self._network.constants:
            data = np.asarray(self._network.graph.tensors[root].data)
            return data if view is None else arranged(data, view)
        assert view is not None  # noqa: S101 - only constants are no roots
        return TensorPlace(self._writer.stored_name(root), self._network.stored[root].form, view)


def without_outputs(graph: Graph, wanted: Collection[str]) -> Graph:
    """Return the part of a graph that some tensors need, without outputs that have an order."""
    return replace(graph, operations=graph.needed(wanted), outputs=())
