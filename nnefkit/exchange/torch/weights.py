"""Tensors that do not depend on the inputs: weights, and tensors computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from nnefkit.arrays import Array
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.exported_program import as_array

_SAME_ORDER = frozenset(
    ("view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "flatten", "unflatten")
).union(("contiguous", "detach", "alias", "clone"))
"""Operators whose result has the elements of a tensor in their order."""
_FORMS = {
    **dict.fromkeys(_SAME_ORDER, ""),
    **dict.fromkeys(("t", "transpose", "permute", "numpy_T", "mT"), "transposed"),
    **dict.fromkeys(("to", "_to_copy"), "converted"),
    "expand": "repeated",
}
"""Operators whose result is named after the weight that they change, and a word for the change."""


@dataclass(frozen=True, eq=False)
class Known:
    """A tensor that does not depend on the inputs."""

    tensor: torch.Tensor
    name: str
    held: bool = False
    """Whether it is a parameter or buffer of the network, which training may change."""
    base: Known | None = None
    """The tensor that it is a form of."""
    sources: frozenset[str] = frozenset()
    """The names of the stored tensors that it was computed from."""
    whole: bool = False
    """Whether it has all elements of the stored tensor of its name, in their order."""


def stored(tensor: torch.Tensor, name: str, *, held: bool = False) -> Known:
    """Return a tensor that the program stores as it is known."""
    return Known(tensor.detach(), name, held, sources=frozenset([name]), whole=True)


def computed(result: Any, operator: str, path: str, sources: list[Known]) -> Any:
    """Return the results of an operator in the module `path` as known tensors."""
    names: frozenset[str] = frozenset().union(*(source.sources for source in sources))
    if operator in _FORMS and len(sources) == 1 and isinstance(result, torch.Tensor):
        return _form(result, operator, sources[0])
    return _named(result, f"{path}.{operator.strip('_')}".lstrip("."), names)


def _form(result: torch.Tensor, operator: str, base: Known) -> Known:
    tensor = base.tensor
    is_rounded = result.dtype != tensor.dtype and (
        result.is_floating_point() != tensor.is_floating_point()
        or torch.promote_types(result.dtype, tensor.dtype) != result.dtype
    )
    is_same = result.numel() == tensor.numel() and not is_rounded
    whole = base.whole and is_same and _FORMS[operator] != "transposed"
    word = "" if whole or not base.whole else _FORMS[operator] or "converted"
    name = f"{base.name}_{word}" if word else base.name
    return Known(result, name, base=base, sources=base.sources, whole=whole)


def _named(result: Any, name: str, sources: frozenset[str]) -> Any:
    if isinstance(result, torch.Tensor):
        return Known(result, name, sources=sources)
    if isinstance(result, (list, tuple)):
        return [
            _named(item, f"{name}_{i}" if i else name, sources) for i, item in enumerate(result)
        ]
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
        value = self._graph.weight(array, known.name)
        value.sources, value.whole = known.sources, known.whole
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
            value = self._graph.constant(array, name=source.name)
            value.sources = source.sources
            return value
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
