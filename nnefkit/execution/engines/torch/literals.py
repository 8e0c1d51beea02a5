"""Calls of lowerings: an operation's arguments brought into the form that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from nnefkit.execution.engines.torch.lowerings import Tensor
from nnefkit.execution.engines.torch.operations import LOWERINGS
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operations.kernel_call import TYPED

Function = Callable[..., Any]


def bind(graph: Graph, op: Operation, scalar: torch.dtype, device: torch.device) -> Function:
    """A function of the tensors that `op` reads (`op.input_names`) that gives a flat sequence.

    Literals and attributes are bound. The results are in the order of `op.output_names`.
    """
    function: Function = LOWERINGS[op.name]
    attribs = {name: _frozen(value) for name, value in op.attribs.items()}
    if op.dtype is not None and op.name in TYPED:
        attribs["dtype"] = op.dtype
    if op.name == "cast":
        attribs["scalar"] = scalar
    if attribs:
        function = partial(function, **attribs)
    arguments = list(op.inputs.values())
    if not all(isinstance(value, Identifier) for value in arguments):
        function = _with_literals(function, _Literals(graph, op, scalar, device), arguments)
    return _flattened(function, list(op.outputs.values()))


def _frozen(value: Any) -> Any:
    """Lists as tuples: attributes are keys of caches."""
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


class _Literals:
    """How the literals of one operation are passed: as numbers, if a tensor tells their dtype."""

    def __init__(
        self, graph: Graph, op: Operation, scalar: torch.dtype, device: torch.device
    ) -> None:
        dtypes = {graph.tensors[name].dtype for name in op.input_names}
        results = {graph.tensors[name].dtype for name in op.output_names}
        self.beside_scalars = "scalar" in dtypes
        self.whole_are_scalars = "scalar" in dtypes | results
        self.scalar = scalar
        self.device = device

    def argument(self, value: Any) -> Any:
        """A literal that stands for a tensor."""
        if isinstance(value, (list, tuple)):
            return [self.tensor(item) for item in value]
        if isinstance(value, bool) or self.beside_scalars or not self.whole_are_scalars:
            return float(value) if self._is_scalar(value) else value
        return self.tensor(value)

    def tensor(self, value: Any) -> Tensor:
        """A literal as a tensor of rank 0."""
        dtype = self.scalar if self._is_scalar(value) else None
        return torch.tensor(value, dtype=dtype, device=self.device)

    def _is_scalar(self, value: Any) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, float) or (whole and self.whole_are_scalars)


def _with_literals(function: Function, literals: _Literals, arguments: Sequence[Any]) -> Function:
    # The arguments with None for each tensor, and where the tensors go.
    template: list[Any] = []
    places: list[tuple[int, int | None]] = []
    several = all(not isinstance(value, Identifier) for value in arguments)
    for i, value in enumerate(arguments):
        if isinstance(value, (list, tuple)):
            items = [None if isinstance(v, Identifier) else literals.tensor(v) for v in value]
            places += [(i, j) for j, item in enumerate(items) if item is None]
            template.append(items)
        elif isinstance(value, Identifier):
            places.append((i, None))
            template.append(None)
        else:
            template.append(literals.tensor(value) if several else literals.argument(value))

    def call(*tensors: Tensor) -> Any:
        filled = [list(item) if isinstance(item, list) else item for item in template]
        for (i, j), tensor in zip(places, tensors, strict=True):
            if j is None:
                filled[i] = tensor
            else:
                filled[i][j] = tensor
        return function(*filled)

    return call


def _flattened(function: Function, results: Sequence[Any]) -> Function:
    single = len(results) == 1
    if not any(isinstance(result, (list, tuple)) for result in results):
        if not single:
            return function
        return lambda *tensors: (function(*tensors),)

    def call(*tensors: Tensor) -> Sequence[Tensor]:
        result = function(*tensors)
        if single:
            return list(result)
        flat: list[Tensor] = []
        for item in result:
            flat.extend(item if isinstance(item, (list, tuple)) else (item,))
        return flat

    return call
