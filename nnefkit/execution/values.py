"""The NumPy dtypes that a graph is computed in."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.errors import ExecutionError
from nnefkit.graph import Graph, Tensor

Array = np.ndarray[Any, Any]


def scalar_dtype(graph: Graph) -> np.dtype[Any]:
    """What the tensors of data-type scalar are computed in: float64 if variables are, else float32.

    Half precision is a way to store weights; computing in it is slow and inexact on a CPU.
    """
    for tensor in graph.variables:
        if tensor.dtype == "scalar" and tensor.data is not None and tensor.data.dtype == np.float64:
            return np.dtype(np.float64)
    return np.dtype(np.float32)


def numpy_dtype(dtype: str | None, scalar: np.dtype[Any]) -> np.dtype[Any]:
    """The NumPy dtype of a tensor of the NNEF data-type `dtype` (3.3.1)."""
    if dtype == "integer":
        return np.dtype(np.int64)
    if dtype == "logical":
        return np.dtype(np.bool_)
    if dtype == "string":
        return np.dtype(np.str_)
    return scalar


def stored(tensor: Tensor, scalar: np.dtype[Any]) -> Array:
    """The values of a variable or constant as they are computed with, a copy only where need be.

    Raises:
        ExecutionError: there are none.
    """
    if tensor.data is None:
        raise ExecutionError(f"'{tensor.name}' has no values")
    dtype = numpy_dtype(tensor.dtype, scalar)
    if dtype.kind == "U":
        return tensor.data
    return tensor.data.astype(dtype, copy=False)
