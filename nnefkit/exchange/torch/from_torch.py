"""`from_torch`: export a module, convert it to a graph, and verify the graph."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nnefkit.arguments import expected_names
from nnefkit.display.progress_bar import StagedProgressBar
from nnefkit.errors import DocumentError, InputError
from nnefkit.exchange.extents import recorded
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.framework_noise import quiet_frameworks
from nnefkit.exchange.packages import require
from nnefkit.exchange.proof import SourceRun, Wording, verified, with_facts
from nnefkit.exchange.proof_inputs import unused_inputs
from nnefkit.graph import Graph
from nnefkit.graph.extents import Shapes

if TYPE_CHECKING:
    from nnefkit.exchange.torch.exported_module import ExportedModule


@quiet_frameworks()
def from_torch(
    module: Any,
    example_inputs: Any = None,
    input_names: Sequence[str] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    name: str | None = None,
    fold: bool = False,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    trust: bool = False,
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Convert a PyTorch module to an NNEF graph, and verify the result.

    Tensors and labels are named after the paths of modules and parameters. The ``origin`` of each
    tensor is the module and the node of the exported program that computes it. A layer that no
    standard operation expresses becomes a call of a fragment, which the graph defines.

    A buffer that a run changes becomes a variable that the graph updates, so that a `Session`
    retains it from run to run (4.8).

    Shapes are those of the example inputs, since NNEF fixes shapes (4.1.1). A program that was
    exported with dynamic shapes is fixed to the example inputs, too. Other shapes of the inputs
    (`infer_shapes`) are accepted if converting the module for them yields the same operations.

    Args:
        module: An ``nn.Module`` in evaluation mode, an ``ExportedProgram``, or the path of a
            ``.pt2`` file.
        example_inputs: The arguments to call the module with: a tensor, a tuple of positional
            arguments, or a mapping of arguments by name. An exported program has its own. Arrays of
            NumPy become tensors, floating-point ones with the dtype of the module's parameters; a
            shape such as ``(1, 3, 224, 224)``, or a list of several, stands for random numbers.
        input_names: Names for the inputs, in their order; by default those of the arguments.
        kwargs: Arguments by name, in addition to those in a tuple.
        name: The name of the graph; by default that of the module's class.
        fold: Whether to fold batch normalizations into the weights of the convolutions before them.
        verify: Whether to run the module and the graph on the example inputs, and to compare the
            outputs.
        tolerance: The largest allowed difference, relative to the largest element of a tensor; by
            default 1e-4, and 1e-2 for networks that compute with 16 bits. By default outputs may
            also differ by more, if each operation agrees with the module's on its own.
        engine: The engine that runs the graph.
        trust: Whether a ``.pt2`` file may run code while it is read. Otherwise files with anything
            but tensors and PyTorch's own operators in them, such as pickled objects, are refused.
        dynamic_shapes: Axes that may have other extents: input name -> a list of axes, or axis -> a
            name, a range such as ``(1, 64)`` or a ``torch.export.Dim``; axes with the same name
            change together. The module is converted again for other extents, up to 1,024 where no
            range is stated, and the ranges are saved with the graph. Other extents of a graph
            without them are checked when they are asked for, which needs the module.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph. Its ``provenance`` holds the source, versions, tolerance and largest difference,
        and the ``unused_inputs`` if no operation reads some of them. One tensor that is passed as
        several inputs becomes several independent inputs.

    Raises:
        DocumentError: NNEF cannot express the module; the error lists every such operator with its
            module, its line in the source, and a workaround where there is one.
        ExecutionError: The graph does not compute what the module does; the error names the first
            tensor that differs.
        InputError: `torch.export` cannot export the module, or `module` is not one.
        StorageError: The file cannot be read, or could run code and is not trusted.
        MissingPackageError: PyTorch is not installed.

    Example:
        >>> import torch
        >>> graph = nk.from_torch(torch.nn.Linear(3, 2), torch.zeros(1, 3))
        >>> [operation.name for operation in graph.operations]
        ['external', 'variable', 'variable', 'linear']
    """
    require_torch()
    if input_names is not None:
        input_names = expected_names(input_names, "input_names")
    named = name or graph_name(module)
    with StagedProgressBar(named, progress) as bar:
        bar.stage("exporting")
        source = export(module, example_inputs, kwargs, trust=trust, shapes=True)
        graph = read(source, named, input_names, fold=fold, bar=bar)
        if dynamic_shapes:
            bar.stage("converting for other shapes")
        graph = _recorded(graph, source, named, input_names, fold, trust, dynamic_shapes)
        facts = {
            "source": _title(module),
            **source.facts,
            **unused_inputs(graph),
            **source.integer_inputs(graph),
        }
        if not verify:
            return with_facts(graph, {**facts, "verified": False})
        given: dict[str, Any] = {}
        if source.examples is not None:
            given = dict(zip(graph.inputs, source.example_arrays().values(), strict=True))
        runs = SourceRun(
            source.outputs,
            source.all_tensors,
            facts,
            again=partial(source.outputs, fast=False) if source.has_fast_path else None,
            again_is="without the fast path for attention",
            wording=Wording(inputs="example_inputs"),
        )
        return verified(
            graph,
            runs,
            given,
            engine=engine,
            tolerance=tolerance,
            default=source.tolerance,
            bar=bar,
        )


def _recorded(
    graph: Graph,
    source: ExportedModule,
    name: str,
    input_names: Sequence[str] | None,
    fold: bool,
    trust: bool,
    dynamic_shapes: Mapping[str, Any] | None,
) -> Graph:
    """Return the graph with a record of the shapes for which it is valid."""

    @quiet_frameworks()
    def converted(shapes: Shapes) -> Graph:
        arguments = source.examples_of([*shapes.values()])
        again = export(source.module, *arguments, trust=trust)
        again.check_shapes([*shapes.values()])
        return read(again, name, input_names, fold=fold)

    return recorded(graph, converted, dynamic_shapes)


def require_torch() -> None:
    """Check that PyTorch is installed.

    Raises:
        MissingPackageError: It is not.
    """
    require("torch", "torch", "PyTorch modules")


def export(
    module: Any,
    example_inputs: Any,
    kwargs: Mapping[str, Any] | None,
    *,
    trust: bool = False,
    shapes: bool = False,
) -> ExportedModule:
    """Export a module, ready to be read and run; see `from_torch`."""
    from nnefkit.exchange.torch.example_inputs import converted_kwargs, example_tensors
    from nnefkit.exchange.torch.exported_module import ExportedModule
    from nnefkit.exchange.torch.exported_program import arguments, exported, readable

    example_inputs = example_tensors(module, example_inputs, shapes=shapes)
    kwargs = converted_kwargs(module, kwargs)
    program = exported(module, example_inputs, kwargs, trust=trust)
    examples = program.example_inputs
    if example_inputs is not None or kwargs:
        examples = arguments(example_inputs, kwargs)
    return ExportedModule(module, examples, program, readable(program))


def read(
    source: ExportedModule,
    name: str,
    input_names: Sequence[str] | None = None,
    *,
    fold: bool = False,
    bar: StagedProgressBar | None = None,
) -> Graph:
    """Return the graph of an exported module.

    Raises:
        DocumentError: NNEF cannot express some operators; one diagnostic for each of them.
        InputError: There are more names than inputs.
    """
    from nnefkit.exchange.torch.nodes import ProgramReader

    reader = ProgramReader(source.read, input_names, fold)
    if bar is not None:
        bar.stage("reading", reader.size, "operator")
    graph = reader.read(name, bar)
    if graph is None:
        raise DocumentError(reader.problems.diagnostics)
    if input_names is not None and len(input_names) > len(graph.inputs):
        raise InputError(
            f"{len(input_names)} names were given for {len(graph.inputs)} inputs: "
            f"{', '.join(graph.inputs)}"
        )
    return with_macs(graph)


def _title(module: Any) -> str:
    if isinstance(module, (str, os.PathLike)):
        return f"PyTorch program {os.fspath(module)}"
    return f"PyTorch module {type(module).__name__}"


def graph_name(module: Any) -> str:
    """Return what the graph of a module is called."""
    if isinstance(module, (str, os.PathLike)):
        return os.path.splitext(os.path.basename(module))[0]  # noqa: PTH119, PTH122
    name = type(module).__name__
    return "network" if name == "ExportedProgram" else name
