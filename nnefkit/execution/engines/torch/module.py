"""A graph as a PyTorch module that can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nnefkit.errors import ExecutionError
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.execution.engines.torch.parameter_names import ParameterNames
from nnefkit.execution.engines.torch.program import ProgramStep, make_program, run_step
from nnefkit.execution.engines.torch.run_shapes import RunShapes
from nnefkit.execution.engines.torch.tensor_conversion import as_array
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph


class GraphModule(torch.nn.Module):
    """A graph as a module that can be trained.

    ``module(*inputs)`` takes tensors in the order of the graph's inputs and returns the output, or
    a tuple of the outputs where there are several.

    The graph's variables are the module's parameters, named after their labels with dots for
    slashes, as the parameters of nested modules are; `parameter_names` lists the exceptions, such
    as ``forward``. Variables that do not hold real numbers, those that the graph updates, and the
    means and variances of batch normalizations are buffers; a call of the module updates them as
    a run of a session does (section 4.8). Constants are buffers that are not saved.

    Extents are taken from the inputs where the graph allows it, so that the batch size may differ
    from the graph's.

    Args:
        graph: All its variables have values.

    Raises:
        ExecutionError: A variable has no values.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        """The graph that it computes, with its initial weights."""
        self._places: dict[str, str] = {}
        """Tensor name -> name of the parameter or buffer."""
        self._updates = updates(graph)
        self._shapes = RunShapes(graph)
        self._steps: tuple[ProgramStep, ...] = ()
        names = ParameterNames(dir(self))
        scalar = scalar_dtype(graph)
        for op in graph.needed((*graph.outputs, *self._updates.values())):
            if op.is_weight:
                self._introduce(op.output_names[0], op.name == "constant", scalar, names)
        self._steps = self._program()

    def __getstate__(self) -> dict[str, Any]:
        # The steps consist of functions, which cannot be pickled. They follow from the graph.
        return {name: value for name, value in self.__dict__.items() if name != "_steps"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._steps = self._program()

    def _program(self) -> tuple[ProgramStep, ...]:
        wanted = (*self.graph.outputs, *self._updates.values())
        operations = self.graph.needed(wanted)
        scalar = scalar_dtype(self.graph)
        return make_program(self.graph, operations, wanted, scalar, torch.device("cpu"))

    def _introduce(
        self, name: str, constant: bool, scalar: np.dtype[Any], names: ParameterNames
    ) -> None:
        tensor = self.graph.tensors[name]
        # No label begins with a dot: this one, of a tensor without a label, is unique.
        place, first = names.of(f".{name}" if constant else tensor.label or f".{name}")
        self._places[name] = place
        if not first:
            return  # variables of one label share their data (4.1.3)
        parent, last = self._parent(place)
        if tensor.data is None:
            raise ExecutionError(f"variable '{name}' has no values")
        data = torch.from_numpy(np.array(stored(tensor, scalar)))
        fixed = constant or tensor.dtype != "scalar" or name in self._updates
        if fixed or _is_statistic(self.graph, name):
            parent.register_buffer(last, data, persistent=not constant)
        else:
            parent.register_parameter(last, torch.nn.Parameter(data))

    def _parent(self, place: str) -> tuple[torch.nn.Module, str]:
        """Return the module that holds a parameter, created if missing, and its name there."""
        *path, last = place.split(".")
        module: torch.nn.Module = self
        for part in path:
            if not isinstance(getattr(module, part, None), torch.nn.Module):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        return module, last

    def _parameter(self, place: str) -> Tensor:
        module: Any = self
        for part in place.split("."):
            module = getattr(module, part)
        tensor: Tensor = module
        return tensor

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """Compute the outputs.

        Args:
            *inputs: In the order of the graph's inputs.
            **named: More inputs, by name.

        Returns:
            The output, or a tuple of them where the graph has several.

        Raises:
            TypeError: An input is missing, or there are too many.
            InputError: The graph was converted, and is not valid for the shapes of the inputs.
            ExecutionError: The graph cannot be computed for these shapes, or an operation failed.
        """
        given = self.checked_inputs(*inputs, **named)
        values = given | {name: self._parameter(place) for name, place in self._places.items()}
        self._run(values)
        for variable, result in self._updates.items():
            with torch.no_grad():
                self._parameter(self._places[variable]).copy_(values[result])
        outputs = tuple(values[name] for name in self.graph.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def checked_inputs(self, *inputs: Tensor, **named: Tensor) -> dict[str, Tensor]:
        """Return the arguments of a call by the names of the graph's inputs; see `forward`."""
        given = dict(zip(self.graph.inputs, inputs, strict=False)) | named
        missing = [name for name in self.graph.inputs if name not in given]
        if missing or len(inputs) > len(self.graph.inputs) or len(given) > len(self.graph.inputs):
            raise TypeError(
                f"the graph's inputs are {', '.join(self.graph.inputs)}; "
                f"{len(inputs)} were given in this order, and by name: {', '.join(named) or 'none'}"
            )
        self._shapes.check({name: tensor.shape for name, tensor in given.items()})
        return given

    def _run(self, values: dict[str, Tensor]) -> None:
        if torch.compiler.is_dynamo_compiling():
            for step in self._steps:
                step.run(values)
        else:
            for step in self._steps:
                run_step(self.graph, step, values)

    def weights(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Return the current values of the variables by name, as ``graph.with_data`` takes them."""
        return {
            variable.name: as_array(self._parameter(self._places[variable.name])).copy()
            for variable in self.graph.variables
            if variable.name in self._places
        }


def _is_statistic(graph: Graph, name: str) -> bool:
    """Return whether a variable is a mean or variance of batches, which is not trained."""
    return all(
        op.name == "batch_normalization"
        and name in (op.inputs["mean"], op.inputs["variance"])
        and name not in (op.inputs["input"], op.inputs["offset"], op.inputs["scale"])
        for op in graph.consumers[name]
    )
