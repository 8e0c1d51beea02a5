"""The weights of a network: one constant for each tensor, however many modules share it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.objects import TorchTensor


class TensorConstants:
    """Makes constants of the tensors of a file, in float32.

    Args:
        graph: The graph under construction.
        allowance: The memory for them.
    """

    def __init__(self, graph: SourceGraph, allowance: Allowance) -> None:
        self._graph = graph
        self._allowance = allowance
        self._known: dict[Any, Value] = {}

    def read(self, tensor: TorchTensor, name: str) -> Value:
        """Return the constant for a tensor.

        Raises:
            Refusal: It takes too much memory: a tensor may repeat the elements of its storage.
        """
        if tensor.key not in self._known:
            stored = 0 if tensor.storage is None else tensor.storage.data.size
            if prod(tensor.shape) > stored:
                self._allowance.take(tensor.shape, 4)
            with np.errstate(over="ignore"):
                data = tensor.array().astype(np.float32)
            self._graph.weights.add(name)
            self._known[tensor.key] = self._graph.weight(data, name)
        return self._known[tensor.key]
