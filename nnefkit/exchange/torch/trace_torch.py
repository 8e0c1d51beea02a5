"""`trace_torch`: what flows in a module itself, in the terms of its graph."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

from nnefkit.arrays import Arrays
from nnefkit.errors import DocumentError
from nnefkit.exchange.names import Names, identifier
from nnefkit.exchange.torch.from_torch import opened, read, require
from nnefkit.execution import Trace
from nnefkit.execution.trace.run import Entry, Run, entries
from nnefkit.graph import Graph, expected_graph

if TYPE_CHECKING:
    from nnefkit.exchange.torch.running import Source


def trace_torch(
    module: Any,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    graph: Graph | None = None,
) -> Trace:
    """Runs a PyTorch module, and keeps all that flows in it.

    Tensors are called as in the graph that `from_torch` gives, so that `nnefkit.compare` sets the
    module beside any engine that runs the graph. A module that NNEF cannot say is traced all the
    same, with the names of its own modules.

    Args:
        module: As `from_torch` takes it.
        inputs: What it is called with: a tensor, a tuple of arguments, or a mapping of arguments by
            name. An exported program brings its own along.
        kwargs: Arguments by name that it is called with, beside those in a tuple.
        graph: What `from_torch` gave, if it is at hand.

    Raises:
        InputError: `torch.export` cannot export the module, or the inputs do not fit.
        StorageError: the file cannot be read.
        MissingPackageError: PyTorch is not installed.
    """
    require()
    if graph is not None:
        graph = expected_graph(graph)
    source = opened(module, inputs, kwargs)
    given = source.given()
    if graph is None:
        try:
            graph = read(source, "network")
        except DocumentError:
            return _without_graph(source, given)
    started = perf_counter()
    found = _fixed(source.everything(given))
    total = perf_counter() - started
    names = {t.origin: t.name for t in graph.tensors.values() if t.origin and t.data is None}
    tensors = {names[origin]: array for origin, array in found.items() if origin in names}
    run = Run("pytorch", graph.name, graph.inputs, graph.outputs, entries(graph), {}, total)
    return Trace(run, tensors, None, graph)


def _fixed(found: Arrays) -> Arrays:
    for array in found.values():
        array.flags.writeable = False
    return found


def _without_graph(source: Source, given: Arrays) -> Trace:
    """The trace of a module that has no graph."""
    from nnefkit.exchange.torch.origins import origins, tensor_names
    from nnefkit.exchange.torch.program import base_name, live, results

    started = perf_counter()
    found = _fixed(source.everything(given, exported=True))
    total = perf_counter() - started
    names = Names()
    called: dict[str, str] = {}
    listed = []
    nodes = live(source.program.graph)
    known = tensor_names(nodes)
    for number, node in enumerate(nodes):
        if node.op == "placeholder" and node.name not in given:
            continue  # a parameter
        for origin in origins(node, len(results(node))):
            if origin in found and origin not in called:
                called[origin] = names.unused(identifier(known.get(node, node.name)))
                kind = "external" if node.op == "placeholder" else base_name(node)
                listed.append(Entry(number, kind, called[origin], found[origin].shape))
    inputs = tuple(e.tensor for e in listed if e.operation == "external")
    last = next(node for node in nodes if node.op == "output")
    outputs = tuple(
        called[origin]
        for node in last.all_input_nodes
        for origin in origins(node, 1)
        if origin in called
    )
    tensors = {called[origin]: array for origin, array in found.items() if origin in called}
    return Trace(Run("pytorch", "network", inputs, outputs, tuple(listed), {}, total), tensors)
