"""The NumPy dtypes that a graph is computed in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.graph import FrozenDict, Graph, Tensor
from nnefkit.operations.tensor_introduction import constant

_DATA_TYPES = {"b": "logical", "i": "integer", "u": "integer"}


def data_type(dtype: np.dtype[Any]) -> str:
    """Return the NNEF data-type (3.3.1) of arrays of a numeric NumPy dtype."""
    return _DATA_TYPES.get(dtype.kind, "scalar")


def scalar_dtype(graph: Graph) -> np.dtype[Any]:
    """Return the dtype that scalars are computed in: float64 if a variable is, else float32.

    Half precision is a way to store weights; computing in it is slow and inexact on a CPU.
    """
    for tensor in graph.variables:
        if tensor.dtype == "scalar" and tensor.data is not None and tensor.data.dtype == np.float64:
            return np.dtype(np.float64)
    return np.dtype(np.float32)


def with_precise_constants(graph: Graph) -> Graph:
    """Return `graph` with its constants in float64 if it is computed in float64."""
    scalar = scalar_dtype(graph)
    if scalar.itemsize <= 4:
        return graph
    tensors = dict(graph.tensors)
    for op in graph.operations:
        tensor = tensors.get(op.output_names[0]) if op.name == "constant" else None
        if tensor is not None and tensor.dtype == "scalar":
            data = constant(
                shape=op.attribs["shape"], value=op.attribs["value"], dtype="scalar", scalar=scalar
            )
            data.flags.writeable = False
            tensors[tensor.name] = replace(tensor, data=data)
    return replace(graph, tensors=FrozenDict(tensors))


def numpy_dtype(dtype: str | None, scalar: np.dtype[Any]) -> np.dtype[Any]:
    """Return the NumPy dtype of a tensor of the NNEF data-type `dtype` (3.3.1)."""
    if dtype == "integer":
        return np.dtype(np.int64)
    if dtype == "logical":
        return np.dtype(np.bool_)
    if dtype == "string":
        return np.dtype(np.str_)
    return scalar


def stored(tensor: Tensor, scalar: np.dtype[Any]) -> Array:
    """Return the values of a variable or constant in the dtype that is computed in.

    Raises:
        ExecutionError: The variable has no values, or integers above 2^63 - 1.
    """
    if tensor.data is None:
        raise ExecutionError(f"'{tensor.name}' has no values")
    dtype = numpy_dtype(tensor.dtype, scalar)
    if dtype.kind == "U":
        return tensor.data
    if tensor.data.dtype == np.uint64 and tensor.data.size and tensor.data.max() >= 2**63:
        raise ExecutionError(
            f"'{tensor.name}' has {tensor.data.max():,}, which exceeds 64-bit integers",
            hint=f"Integers of NNEF end at {2**63 - 1:,}.",
        )
    return tensor.data.astype(dtype, copy=False)
