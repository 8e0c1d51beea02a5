"""Programs: the steps of a graph in their order, for the engine and the module alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from nnefkit.errors import NnefError
from nnefkit.execution.engine import failed_operation
from nnefkit.execution.engines.torch.literals import TorchLiterals
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.execution.engines.torch.operations import LOWERINGS
from nnefkit.execution.engines.torch.tensor_conversion import torch_dtype
from nnefkit.execution.lowering.call_arguments import Function, attributes, bind, has_single_result
from nnefkit.execution.lowering.schedule import set_frees
from nnefkit.graph import Graph, Operation


@dataclass(slots=True)
class ProgramStep:
    """One operation, ready to be called."""

    operation: Operation
    function: Function
    """A function of the tensors to read; see `nnefkit.execution.lowering.call_arguments.bind`."""
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    single: bool
    """Whether the function returns one tensor, not a sequence."""
    frees: tuple[str, ...] = ()
    """Names of the tensors that no later step reads."""

    def run(self, values: dict[str, Tensor]) -> None:
        """Add the results to `values`, and remove what is no longer needed."""
        results = self.function(*[values[name] for name in self.reads])
        if self.single:
            values[self.writes[0]] = results
        else:
            values.update(zip(self.writes, results, strict=True))
        for name in self.frees:
            del values[name]


def run_step(graph: Graph, step: ProgramStep, values: dict[str, Tensor]) -> None:
    """Run one step of the program of a graph.

    Raises:
        ExecutionError: The operation failed.
    """
    try:
        step.run(values)
    except Exception as error:
        if torch.compiler.is_compiling() and not isinstance(error, NnefError):
            raise  # PyTorch's tracer handles its own exceptions.
        op = step.operation
        shapes = {name: tuple(values[name].shape) for name in op.input_names if name in values}
        raise failed_operation(graph, op, shapes, error) from error


def make_program(
    graph: Graph,
    operations: Iterable[Operation],
    kept: Collection[str],
    scalar: np.dtype[Any],
    device: torch.device,
) -> tuple[ProgramStep, ...]:
    """Return the steps that compute `operations`.

    Args:
        graph: The graph that they belong to.
        operations: In a valid order; externals, variables and constants need no step.
        kept: Names of the tensors that are read after the last step.
        scalar: The dtype of the tensors of data-type scalar.
        device: The device of the literals.
    """
    steps = tuple(
        ProgramStep(
            op,
            bind_lowering(graph, op, scalar, device),
            op.input_names,
            op.output_names,
            has_single_result(op),
        )
        for op in operations
        if not op.is_source
    )
    set_frees(steps, kept)
    return steps


def bind_lowering(
    graph: Graph, op: Operation, scalar: np.dtype[Any], device: torch.device
) -> Function:
    """Return a function of the tensors that `op` reads, in the order of ``op.input_names``."""
    function: Function = LOWERINGS[op.name]
    if op.attribs or op.name == "cast":
        attribs = {name: _hashable(value) for name, value in attributes(op).items()}
        if op.name == "cast":
            attribs["scalar"] = torch_dtype(scalar)
        function = partial(function, **attribs)
    return bind(op, function, partial(TorchLiterals, graph, op, scalar, device))


def _hashable(value: Any) -> Any:
    """Return an attribute with lists as tuples, since attributes are keys of caches."""
    return tuple(map(_hashable, value)) if isinstance(value, (list, tuple)) else value
