"""`diff`: what differs between two graphs, and where."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from nnefkit.analysis.differences.alignment import GraphAlignment
from nnefkit.analysis.differences.diff_result import Diff
from nnefkit.analysis.differences.graph_changes import (
    operation_changes,
    paired_ports,
    port_changes,
    quantization_changes,
    tensor_pairs,
)
from nnefkit.analysis.differences.structure import Structure
from nnefkit.analysis.differences.weight_changes import weight_changes
from nnefkit.analysis.tolerance import Accepted
from nnefkit.arguments import wrong_type
from nnefkit.collector import paused_collector
from nnefkit.errors import InputError
from nnefkit.execution.preparation.runnable_graph import expanded
from nnefkit.graph import Graph, expected_graph
from nnefkit.io import load


def diff(
    graph_a: Graph | str | os.PathLike[str],
    graph_b: Graph | str | os.PathLike[str],
    *,
    tolerance: Accepted = None,
    labels: tuple[str, str] | None = None,
    progress: bool | None = None,
) -> Diff:
    """Compare two graphs: operations, wiring, inputs and outputs, shapes, weights, quantization.

    Operations are aligned by structure, so that renamed tensors and insertions do not hide what is
    the same. Calls of fragments are expanded first. Nothing is run.

    Args:
        graph_a: A graph, or the path of a model.
        graph_b: What it is compared with.
        tolerance: Difference of weights that `Diff.ok` allows, as in `nnefkit.compare`; None
            allows none.
        labels: Names of the two graphs, by default those of their files or their own.
        progress: Whether to show a progress bar; None shows it if comparing the weights takes more
            than a second.

    Returns:
        The differences.

    Raises:
        InputError: An argument is neither a graph nor a path.
        StorageError: A model cannot be read.
        DocumentError: A model is not valid.

    Example:
        >>> text = "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [4]); y = relu(x); }"
        >>> other = text.replace("relu(x)", "leaky_relu(x, alpha = 0.1)")
        >>> difference = nk.diff(nk.parse(text), nk.parse(other))
        >>> difference.operations[0].changes["operation"]
        ('relu', 'leaky_relu')
        >>> nk.diff(nk.parse(text), nk.parse(text)).summary
        'The graphs are equal.'
    """
    first, second = _graph(graph_a, "graph_a"), _graph(graph_b, "graph_b")
    for graph in (first, second):
        _check(graph)
    labels = _labels(labels, (graph_a, graph_b), (first, second))
    with paused_collector():
        forms: dict[Hashable, int] = {}
        structures = (Structure(expanded(first), forms), Structure(expanded(second), forms))
        inputs = paired_ports(first.inputs, second.inputs)
        outputs = paired_ports(first.outputs, second.outputs)
        alignment = GraphAlignment(*structures, inputs, outputs)
        pairs = tensor_pairs(alignment)
        return Diff(
            graphs=(structures[0].graph, structures[1].graph),
            labels=labels,
            operations=operation_changes(alignment),
            ports=port_changes(alignment, inputs, outputs),
            quantization=quantization_changes(alignment, pairs),
            pairs=pairs,
            weight_changes=weight_changes(alignment, labels, tolerance, progress),
        )


def _graph(given: Any, argument: str) -> Graph:
    if isinstance(given, Graph):
        return expected_graph(given, data=True)
    if isinstance(given, (str, os.PathLike)):
        return load(Path(given))
    raise wrong_type(argument, "a Graph or the path of a model", given)


def _check(graph: Graph) -> None:
    for name in (*graph.inputs, *graph.outputs):
        if name not in graph.producers or name not in graph.tensors:
            raise InputError(
                f"no operation of graph '{graph.name}' computes '{name}'",
                hint="nk.validate(graph) lists everything that is wrong with it.",
            )


def _labels(labels: Any, given: tuple[Any, Any], graphs: tuple[Graph, Graph]) -> tuple[str, str]:
    if labels is not None:
        if not isinstance(labels, (tuple, list)) or len(labels) != 2:
            raise InputError(
                f"labels must be two strings, one for each graph, not {labels!r}",
                hint='For example: labels=("before", "after").',
            )
        return str(labels[0]), str(labels[1])
    one, two = (
        graph.name if isinstance(each, Graph) else os.fspath(each)
        for each, graph in zip(given, graphs, strict=True)
    )
    return (one, two) if one != two else ("a", "b")
