"""Running a module itself, as it is and with all that flows in it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export.graph_signature import ConstantArgument, InputKind
from torch.utils import _pytree as pytree

from nnefkit.arrays import Array, Arrays
from nnefkit.errors import ExecutionError, InputError
from nnefkit.exchange.proof import TOLERANCE
from nnefkit.exchange.torch.origins import origins
from nnefkit.exchange.torch.program import Program, as_array, results

_COARSE = 1e-2
"""The tolerance for items of 16 bits: a few times their last place, after some layers."""


@dataclass(frozen=True, eq=False)
class Source:
    """A module that was exported."""

    module: Any
    """What was given: a module, a program, or a path."""
    examples: tuple[tuple[Any, ...], dict[str, Any]] | None
    """Arguments to run it with."""
    program: Program
    """As it was exported."""
    read: Program
    """As it is read: its nodes are those that tensors tell as their origin."""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What a graph keeps of it in its provenance."""
        return {"versions": {"torch": torch.__version__}}

    @property
    def tolerance(self) -> float:
        """How far a graph may differ from it."""
        made = [value for node in self.read.graph.nodes for value in results(node)]
        kinds = {value.dtype for value in made if isinstance(value, torch.Tensor)}
        return _COARSE if kinds & {torch.float16, torch.bfloat16} else TOLERANCE

    def _tensors(self) -> list[tuple[fx.Node, int]]:
        """The placeholders of input tensors, with their places among all the inputs."""
        nodes = [node for node in self.read.graph.nodes if node.op == "placeholder"]
        specs = self.read.graph_signature.input_specs
        pairs = zip(nodes, specs, strict=True)
        inputs = [(n, s.arg) for n, s in pairs if s.kind == InputKind.USER_INPUT]
        return [
            (node, place)
            for place, (node, argument) in enumerate(inputs)
            if not isinstance(argument, ConstantArgument)
        ]

    def _flat(self, given: Arrays) -> list[Any]:
        """All the inputs in their order: tensors as given, others as they were exported."""
        specs = self.read.graph_signature.input_specs
        flat = [getattr(s.arg, "value", None) for s in specs if s.kind == InputKind.USER_INPUT]
        for node, place in self._tensors():
            example = node.meta["val"]
            array = np.array(given[node.name])
            flat[place] = torch.from_numpy(array).to(device=example.device, dtype=example.dtype)
        return flat

    def outputs(self, given: Arrays) -> dict[str, Array]:
        """What the module itself computes, outside of any exported program where there is one.

        Args:
            given: Inputs, by the names of the program.

        Returns:
            The outputs in their order.

        Raises:
            ExecutionError: it cannot be run.
        """
        held = self.module
        module = held if isinstance(held, torch.nn.Module) else self.program.module()
        if self.read.graph_signature.buffers_to_mutate:
            module = copy.deepcopy(module)  # a run would change it
        args, kwargs = pytree.tree_unflatten(self._flat(given), self.program.call_spec.in_spec)
        try:
            with torch.no_grad():
                found = module(*args, **kwargs)
        except Exception as error:
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise ExecutionError(
                f"the module cannot be run on the inputs: {told[0]}",
                hint="verify=False reads it without running it.",
            ) from error
        tensors = [leaf for leaf in pytree.tree_leaves(found) if isinstance(leaf, torch.Tensor)]
        return {str(number): as_array(tensor) for number, tensor in enumerate(tensors)}

    def everything(self, given: Arrays, *, exported: bool = False) -> dict[str, Array]:
        """All that flows in the program: origin of each tensor -> array.

        Args:
            given: Inputs, by the names of the program.
            exported: Whether to run the program as it was exported, and not as it is read.
        """
        program = self.program if exported else self.read
        recorder = _Recorder(program.graph_module)
        with torch.no_grad():
            recorder.run(*_all_inputs(program, self._flat(given)))
        return recorder.found

    def given(self) -> dict[str, Array]:
        """The example inputs by the names of the program.

        Raises:
            InputError: there are none, or they do not fit those that it was exported for.
        """
        if self.examples is None:
            raise InputError("the program brings no inputs along", hint="Give it inputs.")
        leaves = pytree.tree_leaves(self.examples)
        arrays = [as_array(leaf) for leaf in leaves if isinstance(leaf, torch.Tensor)]
        nodes = [node for node, _ in self._tensors()]
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


def _all_inputs(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """The arguments of the flat program: parameters, buffers, constants, inputs."""
    given = iter(inputs)
    found = []
    for spec in program.graph_signature.input_specs:
        if spec.kind == InputKind.USER_INPUT:
            found.append(next(given))
        elif spec.target in program.state_dict:
            held = program.state_dict[spec.target]
            # Networks that are not in evaluation mode change what they hold.
            found.append(held.clone() if spec.kind == InputKind.BUFFER else held)
        else:
            found.append(program.constants[spec.target])
    return found


class _Recorder(fx.Interpreter):
    """Runs a program and keeps all the tensors in it."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.found: dict[str, Array] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op in ("placeholder", "call_function"):
            values = result if isinstance(result, (list, tuple)) else [result]
            for name, value in zip(origins(n, len(values)), values, strict=True):
                if isinstance(value, torch.Tensor):
                    # A copy: what follows may change it in place.
                    self.found[name] = np.array(as_array(value))
        return result
