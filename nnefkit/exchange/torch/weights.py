"""Tensors that do not depend on the inputs: weights, and tensors computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nnefkit.arrays import Array
from nnefkit.exchange.source_graph import SourceGraph, Value
from nnefkit.exchange.torch.exported_program import as_array

_FORMS = frozenset(
    ("t", "transpose", "permute", "view", "reshape", "unsqueeze", "squeeze", "flatten", "expand")
).union(("contiguous", "detach", "alias", "_to_copy", "to", "clone"))
"""Operators whose result has the name of the weight that they reshape or convert."""


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that does not depend on the inputs."""

    tensor: torch.Tensor
    name: str
    held: bool = False
    """Whether it is a parameter or buffer of the network, which training may change."""
    base: Known | None = None
    """The tensor that it is a form of."""


def computed(result: Any, operator: str, path: str, sources: list[Known]) -> Any:
    """Return the results of an operator in the module `path` as known tensors."""
    form = operator in _FORMS and len(sources) == 1
    name = sources[0].name if form else f"{path}.{operator.strip('_')}".lstrip(".")
    return _named(result, name, sources[0] if form else None)


def _named(result: Any, name: str, base: Known | None) -> Any:
    if isinstance(result, torch.Tensor):
        return Known(result, name, base=base)
    if isinstance(result, (list, tuple)):
        return [_named(item, f"{name}_{i}" if i else name, None) for i, item in enumerate(result)]
    return result


class Constants:
    """Values of known tensors; tensors that share their elements share a value."""

    def __init__(self, graph: SourceGraph) -> None:
        self._graph = graph
        self._values: dict[Any, tuple[torch.Tensor, Value]] = {}

    def value(self, known: Known) -> Value:
        """Return a known tensor as a value."""
        tensor = known.tensor
        key: Any = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if key not in self._values:
            # The tensor stays alive, so that no other one reuses its memory.
            self._values[key] = tensor, self._made(known)
        return self._values[key][1]

    def _made(self, known: Known) -> Value:
        tensor, base = known.tensor, known.base
        if base is not None and _memory(base.tensor) == _memory(tensor):
            return self._form(tensor, base)
        array = as_array(tensor)
        value = self._graph.constant(array, name=known.name)
        value.filler = not known.held and _is_filled(array)
        return value

    def _form(self, tensor: torch.Tensor, base: Known) -> Value:
        """Return another tensor in reshaped or transposed form."""
        source = self.value(base)
        array = as_array(tensor)
        shape = tuple(tensor.shape)
        how: tuple[Any, ...] | None = None
        if shape == source.shape and tensor.stride() == base.tensor.stride():
            return source
        if tensor.is_contiguous() and base.tensor.is_contiguous():
            how = ("reshape", shape)
        elif tensor.dim() == base.tensor.dim():
            axes = _permutation(base.tensor, tensor)
            how = ("transpose", *axes) if axes else None
        if how is None:
            return self._graph.constant(array, name=source.name)
        return self._graph.derived(source, how, lambda _: array)


def _memory(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Return a key that is equal for tensors with the same elements in memory."""
    return tensor.data_ptr(), tensor.numel(), tensor.dtype


def _permutation(base: torch.Tensor, tensor: torch.Tensor) -> list[int] | None:
    """Return the axes of `base` in the order that they have in `tensor`."""
    free = [*range(base.dim())]
    axes = []
    for extent, stride in zip(tensor.shape, tensor.stride(), strict=True):
        axis = next((a for a in free if (base.shape[a], base.stride(a)) == (extent, stride)), None)
        if axis is None:
            return None
        free.remove(axis)
        axes.append(axis)
    return axes


def _is_filled(array: Array) -> bool:
    """Return whether all elements are the same finite number."""
    return bool(array.size > 1 and np.isfinite(array).all() and (array == array.flat[0]).all())
