"""Types of elements by their numbers in TensorFlow's files, and the elements of constants."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import DType
from nnefkit.exchange.tensorflow.messages import DATA_TYPES, REFERENCE

_DTYPES: Mapping[str, Any] = {
    "FLOAT": np.float32,
    "DOUBLE": np.float64,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
    "COMPLEX64": np.complex64,
    "COMPLEX128": np.complex128,
}
_LISTS = {
    "FLOAT": "float_val",
    "DOUBLE": "double_val",
    "INT64": "int64_val",
    "BOOL": "bool_val",
    "UINT32": "uint32_val",
    "UINT64": "uint64_val",
    "COMPLEX64": "scomplex_val",
    "COMPLEX128": "dcomplex_val",
}
"""Type -> the field that lists elements of it; others are in ``int_val``."""
_BROKEN = "Convert the model again; the elements of this constant are broken."


def type_name(number: int) -> str:
    """Return the name of a type of elements."""
    return DATA_TYPES.get(number % REFERENCE, str(number)).lower()


def dtype_of(number: int) -> DType | None:
    """Return the dtype of a type of elements; None for one that NumPy does not have."""
    kind = _DTYPES.get(DATA_TYPES.get(number % REFERENCE, ""))
    return None if kind is None else np.dtype(kind)


def computed_dtype(number: int) -> DType | None:
    """Return the dtype in which a type is computed: float32 for the narrower types of scalars."""
    if DATA_TYPES.get(number % REFERENCE) in ("HALF", "BFLOAT16"):
        return np.dtype(np.float32)
    return dtype_of(number)


def shape_of(message: Any) -> tuple[int, ...] | None:
    """Return a shape, with -1 for open extents; None if the rank is open."""
    if message.unknown_rank:
        return None
    return tuple(max(dim.size, -1) for dim in message.dim)


def elements(message: Any, allowance: Allowance) -> Array:
    """Return the elements of a constant.

    Args:
        message: The `TensorProto`.
        allowance: Counts them.

    Raises:
        Refusal: They are not numbers, or more or fewer than the shape implies.
    """
    name = DATA_TYPES.get(message.dtype, "")
    is_brain = name == "BFLOAT16"
    dtype = np.dtype(np.uint16) if is_brain else dtype_of(message.dtype)
    if dtype is None:
        refuse(
            f"a constant has elements of type {type_name(message.dtype)}",
            "NNEF has tensors of scalars, integers and logicals (3.3.1).",
        )
    shape = shape_of(message.tensor_shape)
    if shape is None or min(shape, default=0) < 0:
        refuse("a constant has no fixed shape", _BROKEN)
    count = prod(shape)
    if message.tensor_content:
        data = message.tensor_content
        if len(data) != count * dtype.itemsize:
            refuse(f"a constant of shape {[*shape]} has {len(data):,} bytes", _BROKEN)
        flat = np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)
    else:
        flat = _listed(message, name, dtype, count, allowance)
    if is_brain:
        flat = (flat.astype(np.uint32) << 16).view(np.float32)
    return flat.reshape(shape)


def _listed(message: Any, name: str, dtype: DType, count: int, allowance: Allowance) -> Array:
    """Return elements that are listed; the last one stands for all that follow."""
    if name in ("HALF", "BFLOAT16"):
        bits = np.asarray([number & 0xFFFF for number in message.half_val], np.uint16)
        listed = bits.view(dtype)
    else:
        values = np.asarray(getattr(message, _LISTS.get(name, "int_val")))
        if dtype.kind == "c":
            pairs = values[: values.size // 2 * 2].reshape(-1, 2)
            listed = (pairs[:, 0] + 1j * pairs[:, 1]).astype(dtype)
        else:
            listed = values.astype(dtype)
    if listed.size > count:
        refuse(f"a constant of {count} elements lists {listed.size}", _BROKEN)
    if listed.size == count:
        return listed
    allowance.take((count,), dtype.itemsize)
    flat = np.full(count, listed[-1] if listed.size else 0, dtype)
    flat[: listed.size] = listed
    return flat
