"""`trace_torch`: the tensors of a PyTorch module, under the names of its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from nnefkit.arrays import Arrays
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.names import Names, identifier
from nnefkit.exchange.torch.from_torch import export, graph_name, read, require_torch
from nnefkit.execution import Trace
from nnefkit.execution.trace.run_record import Entry, Run, entries
from nnefkit.graph import FrozenDict, Graph, expected_graph

if TYPE_CHECKING:
    from nnefkit.exchange.torch.exported_module import ExportedModule


@quiet_frameworks()
def trace_torch(
    module: Any,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    graph: Graph | None = None,
    trust: bool = False,
    progress: bool | None = None,
) -> Trace:
    """Run a PyTorch module and record all of its tensors.

    Tensors have the names of the graph that `from_torch` returns, so that `nnefkit.compare`
    compares the module with any engine that runs the graph. A module that NNEF cannot express is
    traced under the names of its submodules.

    Args:
        module: A module, an exported program or a path, as for `from_torch`.
        inputs: The arguments to call the module with: a tensor, a tuple of positional arguments, or
            a mapping of arguments by name. An exported program has its own.
        kwargs: Arguments by name, in addition to those in a tuple.
        graph: The graph that `from_torch` returned, whose names the tensors get. The trace has the
            graph of the module as it is now, whose weights and attributes may differ from these.
        trust: Whether a ``.pt2`` file may run code while it is read, as for `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The trace.

    Raises:
        InputError: `torch.export` cannot export the module, or the inputs do not fit.
        StorageError: The file cannot be read, or could run code and is not trusted.
        MissingPackageError: PyTorch is not installed.

    Example:
        >>> import torch
        >>> trace = nk.trace_torch(torch.nn.ReLU(), torch.tensor([-1.0, 2.0]))
        >>> trace["relu"]
        array([0., 2.], dtype=float32)
    """
    require_torch()
    if graph is not None:
        graph = expected_graph(graph)
    with StagedProgressBar(graph.name if graph else graph_name(module), progress) as bar:
        bar.stage("exporting")
        source = export(module, inputs, kwargs, trust=trust)
        examples = source.example_arrays()
        graph = _graph_of(source, graph, bar)
        bar.stage("running", source.size, "operator")
        if graph is None:
            return _without_graph(source, examples, bar)
        started = perf_counter()
        arrays = _read_only(source.all_tensors(examples, bar=bar))
        total = perf_counter() - started
    names = {t.origin: t.name for t in graph.tensors.values() if t.origin and t.data is None}
    tensors = {names[origin]: array for origin, array in arrays.items() if origin in names}
    run = Run("pytorch", graph.name, graph.inputs, graph.outputs, entries(graph), {}, total)
    return Trace(run, tensors, None, graph)


def _graph_of(source: ExportedModule, given: Graph | None, bar: StagedProgressBar) -> Graph | None:
    """Return the graph of a module as it is now; None if NNEF cannot express it.

    The weights and attributes of the module may differ from those of the graph that it was once
    converted to. Where its operations are other ones, the weights of that graph are left out.
    """
    try:
        graph = read(source, "network" if given is None else given.name, bar=bar)
    except DocumentError:
        graph = None
    if given is None or (graph is not None and [*graph.tensors] == [*given.tensors]):
        return graph
    tensors = {name: replace(t, data=None) for name, t in given.tensors.items()}
    return replace(given, tensors=FrozenDict(tensors))


def _read_only(arrays: Arrays) -> Arrays:
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def _without_graph(source: ExportedModule, examples: Arrays, bar: StagedProgressBar) -> Trace:
    """Return the trace of a module that NNEF cannot express."""
    started = perf_counter()
    arrays = _read_only(source.all_tensors(examples, exported=True, bar=bar))
    total = perf_counter() - started
    names = Names()
    tensor_names: dict[str, str] = {}
    entries = []
    for node in source.recorded_nodes():
        for origin in node.origins:
            if origin in arrays and origin not in tensor_names:
                name = tensor_names[origin] = names.unused(identifier(node.name))
                entries.append(Entry(node.number, node.operation, name, arrays[origin].shape))
    inputs = tuple(entry.tensor for entry in entries if entry.operation == "external")
    outputs = tuple(
        tensor_names[origin] for origin in source.output_origins() if origin in tensor_names
    )
    run = Run("pytorch", "network", inputs, outputs, tuple(entries), {}, total)
    return Trace(run, {name: arrays[origin] for origin, name in tensor_names.items()})
