"""A graph as a PyTorch module that can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nnefkit.errors import ExecutionError
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.execution.engines.torch.memory import as_array
from nnefkit.execution.engines.torch.parameter_names import Paths
from nnefkit.execution.engines.torch.program import Step, steps, torch_dtype
from nnefkit.execution.variables import updates
from nnefkit.graph import Graph


class GraphModule(torch.nn.Module):
    """Computes a graph, differentiably: ``module(*inputs)`` in the order of the graph's inputs.

    Variables are its parameters, named after their labels with dots for slashes, so that
    ``state_dict`` names them as the modules of a usual network would be named; see `paths` for
    labels that cannot be names, such as ``forward``. Those that hold no
    real numbers, those that the graph updates, and the means and variances of batch normalizations
    are buffers; a call of the module updates them as a run of a session would (4.8). Constants are
    buffers that are not saved.

    Extents are taken from the inputs where the graph allows it, so that another batch size than
    the graph's may be used.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        """What it computes, with the weights that it began with."""
        self._places: dict[str, str] = {}
        """Tensor name -> name of the parameter or buffer."""
        self._updates = updates(graph)
        self._steps: tuple[Step, ...] = ()
        paths = Paths(dir(self))
        wanted = (*graph.outputs, *self._updates.values())
        operations = graph.needed(wanted)
        scalar = scalar_dtype(graph)
        for op in operations:
            if op.is_weight:
                self._introduce(op.output_names[0], op.name == "constant", scalar, paths)
        device = torch.device("cpu")
        self._steps = steps(graph, operations, wanted, torch_dtype(scalar), device)

    def _introduce(self, name: str, constant: bool, scalar: np.dtype[Any], paths: Paths) -> None:
        tensor = self.graph.tensors[name]
        # No label begins with a dot: constants have no label, and none of their own.
        place, first = paths.of(f".{name}" if constant else tensor.label or f".{name}")
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
        """The module that holds a parameter, made where it is missing, and its name there."""
        *path, last = place.split(".")
        module: torch.nn.Module = self
        for part in path:
            if not isinstance(getattr(module, part, None), torch.nn.Module):
                module.add_module(part, torch.nn.Module())
            module = getattr(module, part)
        return module, last

    def _held(self, place: str) -> Tensor:
        module: Any = self
        for part in place.split("."):
            module = getattr(module, part)
        tensor: Tensor = module
        return tensor

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """Computes the outputs.

        Args:
            *inputs: In the order of the graph's inputs.
            **named: Or by name.

        Returns:
            The output, or a tuple of them where the graph has several.
        """
        given = dict(zip(self.graph.inputs, inputs, strict=False)) | named
        missing = [name for name in self.graph.inputs if name not in given]
        if missing or len(inputs) > len(self.graph.inputs) or len(given) > len(self.graph.inputs):
            raise TypeError(
                f"the graph's inputs are {', '.join(self.graph.inputs)}; "
                f"{len(inputs)} were given in this order, and by name: {', '.join(named) or 'none'}"
            )
        values = given | {name: self._held(place) for name, place in self._places.items()}
        for step in self._steps:
            step.run(values)
        for variable, result in self._updates.items():
            with torch.no_grad():
                self._held(self._places[variable]).copy_(values[result])
        outputs = tuple(values[name] for name in self.graph.outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def weights(self) -> Mapping[str, np.ndarray[Any, Any]]:
        """Variable name -> its values now, as ``graph.with_data`` takes them back."""
        return {
            variable.name: as_array(self._held(self._places[variable.name])).copy()
            for variable in self.graph.variables
            if variable.name in self._places
        }


def _is_statistic(graph: Graph, name: str) -> bool:
    """Whether it is a mean or variance of batches, which is measured and not trained."""
    return all(
        op.name == "batch_normalization"
        and name in (op.inputs["mean"], op.inputs["variance"])
        and name not in (op.inputs["input"], op.inputs["offset"], op.inputs["scale"])
        for op in graph.consumers[name]
    )
