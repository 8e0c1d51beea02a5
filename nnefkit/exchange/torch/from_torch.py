"""`from_torch`: a module exported, read, and proved."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nnefkit.arguments import expected_names
from nnefkit.errors import DocumentError, InputError, MissingPackageError
from nnefkit.exchange.fragments import with_macs
from nnefkit.exchange.proof import SourceRun, random_inputs, verified, with_facts
from nnefkit.graph import Graph

if TYPE_CHECKING:
    from nnefkit.exchange.torch.running import Source


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
) -> Graph:
    """The NNEF graph of a PyTorch module.

    Tensors and labels are named after the paths of modules and parameters, and every tensor tells
    in ``origin`` which module and node of the exported program computes it. What PyTorch does in
    one call, and no standard operation says, is a call of a fragment, whose definition the graph
    brings along.

    Buffers that a run changes are variables that the graph updates, so that a `Session` keeps them
    from run to run (4.8).

    Shapes are those of the example inputs: NNEF fixes them (4.1.1). Programs that were exported
    with dynamic shapes are fixed to the example inputs, too.

    Args:
        module: An ``nn.Module`` in evaluation mode, an ``ExportedProgram``, or the path of a
            ``.pt2`` file.
        example_inputs: What the module is called with: a tensor, a tuple of arguments, or a mapping
            of arguments by name. An exported program brings its own along.
        input_names: Of the inputs, in their order; by default those of the arguments.
        kwargs: Arguments by name that it is called with, beside those in a tuple.
        name: Of the graph; by default that of the module's class.
        fold: Whether batch normalizations go into the weights of the convolutions before them.
        verify: Whether to run both on the example inputs, and to compare them.
        tolerance: Largest difference allowed, relative to the largest item of a tensor; by default
            1e-4, and 1e-2 for networks of 16-bit items.
        engine: What runs the graph.

    Returns:
        The graph. Its ``provenance`` has the source, versions, tolerance and largest difference.

    Raises:
        DocumentError: NNEF cannot say the module: every operator that it cannot say, with its
            module, its line in the source, and a way out where there is one.
        ExecutionError: the graph does not compute what the module does; it names the first tensor
            that differs.
        InputError: `torch.export` cannot export the module, or what is given is no module.
        StorageError: the file cannot be read.
        MissingPackageError: PyTorch is not installed.
    """
    require()
    if input_names is not None:
        input_names = expected_names(input_names, "input_names")
    source = opened(module, example_inputs, kwargs)
    graph = read(source, name or _graph_name(module), input_names, fold=fold)
    facts = {"source": _title(module), **source.facts}
    if not verify:
        return with_facts(graph, {**facts, "verified": False})
    given = random_inputs(graph)
    if source.examples is not None:
        given = dict(zip(graph.inputs, source.given().values(), strict=True))
    runs = SourceRun(source.outputs, source.everything, facts)
    allowed = source.tolerance if tolerance is None else tolerance
    return verified(graph, runs, given, engine=engine, tolerance=allowed)


def require() -> None:
    """Checks that PyTorch is there.

    Raises:
        MissingPackageError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingPackageError(
            "PyTorch modules need the package 'torch'", hint='pip install "nnefkit[torch]"'
        )


def opened(module: Any, example_inputs: Any, kwargs: Mapping[str, Any] | None) -> Source:
    """A module that is exported, and ready to be read and run."""
    from nnefkit.exchange.torch.program import arguments, exported, readable
    from nnefkit.exchange.torch.running import Source

    program = exported(module, example_inputs, kwargs)
    examples = program.example_inputs
    if example_inputs is not None or kwargs:
        examples = arguments(example_inputs, kwargs)
    return Source(module, examples, program, readable(program))


def read(
    source: Source, name: str, input_names: Sequence[str] | None = None, *, fold: bool = False
) -> Graph:
    """The graph of an exported program.

    Raises:
        DocumentError: with one diagnostic for each operator that NNEF cannot say.
        InputError: there are more names than inputs.
    """
    from nnefkit.exchange.torch.nodes import Reader

    reader = Reader(source.read, input_names, fold)
    graph = reader.read(name)
    if graph is None:
        raise DocumentError(reader.problems.found)
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


def _graph_name(module: Any) -> str:
    if isinstance(module, (str, os.PathLike)):
        return os.path.splitext(os.path.basename(module))[0]  # noqa: PTH119, PTH122
    name = type(module).__name__
    return "network" if name == "ExportedProgram" else name
