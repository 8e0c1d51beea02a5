"""Literals among the inputs of an operation, as lowerings to PyTorch take them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from nnefkit.execution.engines.torch.lowerings import Number, Tensor
from nnefkit.execution.engines.torch.tensor_conversion import torch_dtype
from nnefkit.execution.lowering.call_arguments import Literals
from nnefkit.graph import Graph, Identifier, Operation


class TorchLiterals(Literals):
    """The literals of one operation, converted to numbers, or to tensors if they need a dtype.

    Args:
        graph: The graph of the operation.
        op: The operation.
        scalar: The dtype of the tensors of data-type scalar.
        device: Where tensors are made.
    """

    def __init__(
        self, graph: Graph, op: Operation, scalar: np.dtype[Any], device: torch.device
    ) -> None:
        super().__init__(graph, op, scalar)
        self._device = device
        self._alone = not any(isinstance(value, Identifier) for value in op.inputs.values())

    def argument(self, value: Any) -> Number | Tensor:
        """Return a literal that takes the place of a tensor."""
        if self._alone:
            return self.element(value)
        if not isinstance(value, bool) and self.scalars and not self.scalar_inputs:
            return self.element(value)
        number: Number = float(value) if self.dtype(value) == self.scalar else value
        return number

    def element(self, value: Any) -> Tensor:
        """Return a literal as a tensor of rank 0."""
        return torch.tensor(value, dtype=torch_dtype(self.dtype(value)), device=self._device)
