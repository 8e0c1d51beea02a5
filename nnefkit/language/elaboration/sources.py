"""Tensors of the operations that introduce them: external, constant, variable (4.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.graph import Tensor
from nnefkit.graph.drafts import new_tensor

_ITEM_TYPES = {"scalar": np.float32, "integer": np.int64, "logical": np.bool_}
_MOST_DIMENSIONS = 64
_INTEGER_LIMIT = 2**63


def introduced_tensor(operation: str, name: str, dtype: str, attribs: Mapping[str, Any]) -> Tensor:
    """The tensor that an operation without tensor parameters introduces.

    Its shape is filled in if it makes sense, a constant's data if they fit the shape. What does
    not is left to the argument rules of the operation.
    """
    shape = attribs.get("shape")
    if not isinstance(shape, list) or not all(type(x) is int and x > 0 for x in shape):
        return Tensor(name, dtype)
    extents = tuple(shape)
    if operation == "variable":
        return new_tensor(name, dtype, extents, label=attribs.get("label"))
    if operation == "constant":
        return Tensor(name, dtype, extents, constant_data(dtype, extents, attribs["value"]))
    return Tensor(name, dtype, extents)


def constant_data(
    dtype: str, shape: tuple[int, ...], value: Sequence[Any]
) -> np.ndarray[Any, Any] | None:
    """The values of a constant, read-only; a view of one value where one is repeated (4.1.2)."""
    volume = math.prod(shape)
    item_type = _ITEM_TYPES.get(dtype)
    if item_type is None or len(value) not in (1, volume) or len(shape) > _MOST_DIMENSIONS:
        return None
    if volume * np.dtype(item_type).itemsize >= _INTEGER_LIMIT:
        return None
    with np.errstate(over="ignore"):
        data: np.ndarray[Any, Any] = np.array(value, dtype=item_type)
    data = data.reshape(shape) if len(value) == volume else np.broadcast_to(data, shape)
    data.flags.writeable = False
    return data
