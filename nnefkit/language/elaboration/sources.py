"""Tensors of external, variable and constant operations (4.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import Tensor
from nnefkit.graph.construction import new_tensor

_ARRAY_DTYPES = {"scalar": np.float32, "integer": np.int64, "logical": np.bool_}
_MAX_DIMENSIONS = 64
_BYTES_LIMIT = 2**63


def source_tensor(operation: str, name: str, dtype: str, attribs: Mapping[str, Any]) -> Tensor:
    """Return the tensor that an operation without tensor parameters introduces.

    Its shape is filled in if it is valid, a constant's data if they fit the shape. The argument
    rules of the operation report what is not valid.
    """
    shape = attribs.get("shape")
    if not isinstance(shape, list) or not all(type(x) is int and x > 0 for x in shape):
        return Tensor(name, dtype)
    extents = tuple(shape)
    if operation == "variable":
        return new_tensor(name, dtype, extents, label=attribs.get("label"))
    if operation == "constant":
        return Tensor(name, dtype, extents, _constant_data(dtype, extents, attribs["value"]))
    return Tensor(name, dtype, extents)


def _constant_data(dtype: str, shape: tuple[int, ...], value: Sequence[Any]) -> Array | None:
    """Return the read-only values of a constant, a view of one value if it is repeated (4.1.2).

    Args:
        dtype: ``"scalar"``, ``"integer"`` or ``"logical"``; None is returned for others.
        shape: The extents of the constant.
        value: One value for each element, or one for all of them; None is returned otherwise.
    """
    volume = math.prod(shape)
    array_dtype = _ARRAY_DTYPES.get(dtype)
    if array_dtype is None or len(value) not in (1, volume) or len(shape) > _MAX_DIMENSIONS:
        return None
    if volume * np.dtype(array_dtype).itemsize >= _BYTES_LIMIT:
        return None
    with np.errstate(over="ignore"):
        data: Array = np.array(value, dtype=array_dtype)
    data = data.reshape(shape) if len(value) == volume else np.broadcast_to(data, shape)
    data.flags.writeable = False
    return data
