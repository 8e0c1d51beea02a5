"""Calls of the kernel of one operation, for engines, tests and constant folding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError, did_you_mean
from nnefkit.operations.custom import definitions
from nnefkit.operations.registry import KERNELS

TYPED = frozenset({"constant", "cast"})
"""Operations whose kernels take the generic data type as the keyword ``dtype``."""

_SINGLE = np.dtype(np.float32)
_INTEGER = np.dtype(np.int64)
_LOGICAL = np.dtype(np.bool_)


def shape_of_literal(value: Any) -> Any:
    """Return the shape of a literal in place of a tensor: ``()``, or a list for an array."""
    return [shape_of_literal(item) for item in value] if isinstance(value, (list, tuple)) else ()


def as_argument(value: Any, dtype: np.dtype[Any] = _SINGLE) -> Any:
    """Return an argument in the form that kernels take: literals as arrays of rank 0 (3.3.1).

    Args:
        value: An array, a literal, or a list of both.
        dtype: Of scalar literals; integers become int64, logicals bool.
    """
    if isinstance(value, np.ndarray):
        return value if type(value) is np.ndarray else np.asarray(value)
    if isinstance(value, float):
        if dtype.itemsize < 4:
            with np.errstate(over="ignore"):
                return np.array(value, dtype)
        return np.array(value, dtype)
    if isinstance(value, bool):
        return np.array(value, _LOGICAL)
    if isinstance(value, int):
        return np.array(value, _INTEGER)
    if isinstance(value, (list, tuple)):
        return [as_argument(item, dtype) for item in value]
    return np.asarray(value)


def computing_dtype(inputs: Sequence[Any]) -> np.dtype[Any]:
    """Return the dtype of the scalar literals among `inputs`.

    It is the dtype of the first floating-point array, or float32 without one.
    """
    for value in inputs:
        if isinstance(value, np.ndarray):
            if value.dtype.kind == "f":
                return np.dtype(value.dtype)
        elif isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, np.ndarray) and item.dtype.kind == "f":
                    return np.dtype(item.dtype)
    return _SINGLE


def call(
    name: str, inputs: Sequence[Any], attribs: Mapping[str, Any], dtype: str | None = None
) -> tuple[Array, ...]:
    """Run the kernel of an operation.

    Args:
        name: The operation.
        inputs: Arrays, literals, or lists of both, in the order of the declaration.
        attribs: All attributes, defaults filled in.
        dtype: The generic data type, if the operation has one.

    Returns:
        All results; the elements of an array result are separate.

    Raises:
        ExecutionError: The operation has no kernel, or cannot run with these values.
    """
    kernel, takes_dtype = _kernel(name)
    if any(type(value) is not np.ndarray for value in inputs):
        single = computing_dtype(inputs)
        inputs = [as_argument(value, single) for value in inputs]
    more = {"dtype": dtype or "scalar"} if takes_dtype else {}
    result = kernel(*inputs, **attribs, **more)
    return tuple(_flat(result)) if isinstance(result, (tuple, list)) else (result,)


def _kernel(name: str) -> tuple[Callable[..., Any], bool]:
    """Return the kernel of an operation, and whether it takes the generic data type.

    Raises:
        ExecutionError: The operation has no kernel.
    """
    standard = KERNELS.get(name)
    if standard is not None:
        return standard, name in TYPED
    custom = definitions().get(name)
    if custom is None or custom.kernel is None:
        raise ExecutionError(
            f"operation '{name}' has no kernel",
            hint=did_you_mean(name, KERNELS) or "Custom operations must be registered to be run.",
        )
    return custom.kernel, custom.takes_dtype


def _flat(results: Sequence[Any]) -> Iterator[Array]:
    for result in results:
        if isinstance(result, list):
            yield from result
        else:
            yield result
