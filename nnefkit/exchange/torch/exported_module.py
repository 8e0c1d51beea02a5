"""Exported modules, run as they are or with all of their tensors recorded."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils import _pytree as pytree

from nnefkit.arrays import Array, Arrays
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import ExecutionError, InputError
from nnefkit.exchange.proof import TOLERANCE
from nnefkit.exchange.proof_inputs import integer_inputs
from nnefkit.exchange.torch.export_problems import Arguments
from nnefkit.exchange.torch.exported_program import (
    Program,
    as_array,
    base_name,
    dtype_of,
    live,
    results,
)
from nnefkit.exchange.torch.origins import origins, tensor_names
from nnefkit.graph import Graph

_FAST = (torch.nn.TransformerEncoder, torch.nn.TransformerEncoderLayer, torch.nn.MultiheadAttention)
"""Modules with a fast path for attention."""
_HALF_TOLERANCE = 1e-2
"""The tolerance for 16-bit elements: a few units in the last place, accumulated over layers."""


@dataclass(frozen=True)
class RecordedNode:
    """A node of an exported program whose results are recorded."""

    number: int
    operation: str
    """The name of its operator, or ``external``."""
    name: str
    """The name of its first result."""
    origins: Sequence[str]


@dataclass(frozen=True, eq=False)
class ExportedModule:
    """A module and its exported program."""

    module: Any
    """The module, program or path that the user gave."""
    examples: Arguments | None
    """The arguments to run it with."""
    program: Program
    """The program as exported."""
    read: Program
    """The program as it is read; its nodes are the origins of tensors."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Facts for the provenance of a graph."""
        return {"versions": {"torch": torch.__version__}}

    @property
    def tolerance(self) -> float:
        """The largest allowed difference of a graph by default."""
        values = [value for node in self.read.graph.nodes for value in results(node)]
        dtypes = {value.dtype for value in values if isinstance(value, torch.Tensor)}
        return _HALF_TOLERANCE if dtypes & {torch.float16, torch.bfloat16} else TOLERANCE

    # -- inputs -------------------------------------------------------------------------------

    def _tensor_inputs(self) -> list[tuple[fx.Node, int]]:
        """Return the placeholders of input tensors, with their positions among all inputs."""
        nodes = [node for node in self.read.graph.nodes if node.op == "placeholder"]
        specs = self.read.graph_signature.input_specs
        pairs = zip(nodes, specs, strict=True)
        inputs = [(node, spec.arg) for node, spec in pairs if spec.kind == InputKind.USER_INPUT]
        return [
            (node, position)
            for position, (node, argument) in enumerate(inputs)
            if not isinstance(argument, ConstantArgument)
        ]

    def _flat_inputs(self, inputs: Arrays) -> list[Any]:
        """Return all inputs in their order; those that are not tensors are as exported."""
        specs = [
            spec
            for spec in self.read.graph_signature.input_specs
            if spec.kind == InputKind.USER_INPUT
        ]
        flat = [getattr(spec.arg, "value", None) for spec in specs]
        for node, position in self._tensor_inputs():
            example = node.meta["val"]
            array = np.array(inputs[node.name])
            flat[position] = torch.from_numpy(array).to(device=example.device, dtype=example.dtype)
        return flat

    def example_arrays(self) -> dict[str, Array]:
        """Return the example inputs by the names of the program.

        Raises:
            InputError: There are none, or they do not fit the program.
        """
        if self.examples is None:
            raise InputError("the program has no example inputs", hint="Pass some: inputs=...")
        leaves = pytree.tree_leaves(self.examples)
        arrays = [as_array(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor)]
        nodes = [node for node, _ in self._tensor_inputs()]
        if len(arrays) != len(nodes):
            raise InputError(
                f"the program takes {len(nodes)} tensors, but {len(arrays)} were given"
            )
        for node, array in zip(nodes, arrays, strict=True):
            wanted = tuple(node.meta["val"].shape)
            if array.shape != wanted:
                raise InputError(
                    f"'{node.name}' has shape {[*wanted]} in the program, not {[*array.shape]}"
                )
        return {node.name: array for node, array in zip(nodes, arrays, strict=True)}

    def examples_of(self, shapes: Sequence[Sequence[int]]) -> Arguments:
        """Return arguments to export it for other shapes of its input tensors, in their order.

        Raises:
            InputError: It is a program without example inputs.
        """
        if self.examples is None:
            raise InputError("the program was exported with fixed shapes")
        leaves, structure = pytree.tree_flatten(self.examples)
        wanted = iter(shapes)
        other: Arguments = pytree.tree_unflatten(
            [
                leaf.new_zeros(tuple(next(wanted))) if isinstance(leaf, torch.Tensor) else leaf
                for leaf in leaves
            ],
            structure,
        )
        return other

    def check_shapes(self, shapes: Sequence[Sequence[int]]) -> None:
        """Check that it was exported for these shapes of its input tensors.

        Raises:
            InputError: It was not; a program with fixed shapes never is.
        """
        if [tuple(node.meta["val"].shape) for node, _ in self._tensor_inputs()] != [
            *map(tuple, shapes)
        ]:
            raise InputError("the program was exported with fixed shapes")

    def integer_inputs(self, graph: Graph) -> dict[str, Any]:
        """Return a fact for the provenance: the integer inputs of the graph that are not int64."""
        nodes = [node for node, _ in self._tensor_inputs()]
        pairs = zip(graph.inputs, nodes, strict=False)
        return integer_inputs({name: dtype_of(node.meta["val"]) for name, node in pairs})

    # -- runs ---------------------------------------------------------------------------------

    @property
    def has_fast_path(self) -> bool:
        """Whether a part of the module computes attention in another way outside of exports."""
        is_module = isinstance(self.module, torch.nn.Module)
        return is_module and any(isinstance(part, _FAST) for part in self.module.modules())

    def outputs(self, inputs: Arrays, *, fast: bool = True) -> dict[str, Array]:
        """Run the module itself, or the program where there is no module.

        Args:
            inputs: Inputs, by the names of the program.
            fast: Whether PyTorch may compute attention by its fast path.

        Returns:
            The outputs in their order.

        Raises:
            ExecutionError: The module cannot be run.
        """
        is_module = isinstance(self.module, torch.nn.Module)
        module = self.module if is_module else self.program.module()
        if self.read.graph_signature.buffers_to_mutate:
            module = copy.deepcopy(module)  # A run would change it.
        flat = self._flat_inputs(inputs)
        args, kwargs = pytree.tree_unflatten(flat, self.program.call_spec.in_spec)
        try:
            with torch.no_grad(), _fast_path(fast):
                outputs = module(*args, **kwargs)
        except Exception as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise ExecutionError(
                f"the module cannot be run on the inputs: {lines[0]}",
                hint="verify=False converts it without running it.",
            ) from error
        leaves = pytree.tree_leaves(outputs)
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        return {str(number): as_array(tensor) for number, tensor in enumerate(tensors)}

    @property
    def size(self) -> int:
        """The number of nodes that a recorded run computes."""
        return len(self.read.graph.nodes)

    def all_tensors(
        self, inputs: Arrays, *, exported: bool = False, bar: ProgressBar | None = None
    ) -> dict[str, Array]:
        """Run the program, and return the tensors of all nodes by their origins.

        Args:
            inputs: Inputs, by the names of the program.
            exported: Whether to run the program as exported instead of as read.
            bar: Counts the nodes.
        """
        program = self.program if exported else self.read
        recorder = _RecordingInterpreter(program.graph_module, bar)
        with torch.no_grad():
            recorder.run(*_all_arguments(program, self._flat_inputs(inputs)))
        return recorder.arrays

    # -- nodes --------------------------------------------------------------------------------

    def recorded_nodes(self) -> Iterator[RecordedNode]:
        """Yield the inputs and the operators of the program as exported."""
        nodes = live(self.program.graph)
        names = tensor_names(nodes)
        inputs = {node.name for node, _ in self._tensor_inputs()}
        for number, node in enumerate(nodes):
            is_input = node.op == "placeholder"
            if is_input and node.name not in inputs:
                continue  # It is a parameter.
            operation = "external" if is_input else base_name(node)
            yield RecordedNode(
                number, operation, names.get(node, node.name), origins(node, len(results(node)))
            )

    def output_origins(self) -> list[str]:
        """Return the origins of the outputs of the program as exported."""
        output = next(node for node in self.program.graph.nodes if node.op == "output")
        return [origin for node in output.all_input_nodes for origin in origins(node, 1)]


@contextmanager
def _fast_path(enabled: bool) -> Iterator[None]:
    """Disable PyTorch's fast path for attention, or leave it as it is.

    It returns 0 at the padded positions of an encoder, where exports compute attention as anywhere.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled and before)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _all_arguments(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """Return the arguments of the flat program: parameters, buffers, constants, inputs."""
    remaining = iter(inputs)
    arguments: list[Any] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            arguments.append(next(remaining))
        elif spec.target in program.state_dict:
            tensor = program.state_dict[spec.target]
            # A network that is not in evaluation mode changes its buffers.
            arguments.append(tensor.clone() if spec.kind == InputKind.BUFFER else tensor)
        else:
            arguments.append(program.constants[spec.target])
    return arguments


class _RecordingInterpreter(fx.Interpreter):
    """Runs a program and records the tensors of its nodes."""

    def __init__(self, module: fx.GraphModule, bar: ProgressBar | None) -> None:
        super().__init__(module)
        self.arrays: dict[str, Array] = {}
        self._bar = bar

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if self._bar is not None:
            self._bar.update(1)
        if n.op in ("placeholder", "call_function"):
            values = result if isinstance(result, (list, tuple)) else [result]
            for origin, value in zip(origins(n, len(values)), values, strict=True):
                if isinstance(value, torch.Tensor):
                    # A copy, since a later node may change it in place.
                    self.arrays[origin] = np.array(as_array(value))
        return result
