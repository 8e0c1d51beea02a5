"""Checks of new values for a variable."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.arguments import refuse_masked
from nnefkit.arrays import Array, Shape, as_array
from nnefkit.errors import InputError
from nnefkit.graph.tensor import Tensor

_HINTS = {
    "scalar": "It holds floating-point numbers: numpy.asarray(values, numpy.float32).",
    "integer": "It holds integers: array.astype(numpy.int64).",
    "logical": "It holds bools: array != 0.",
    "string": "Strings cannot be stored in files.",
}

_NUMPY_KINDS = {"scalar": "fiu", "integer": "iu", "logical": "b", "string": ""}
"""NumPy kinds of the values that a variable of each data type can hold."""


def fitting_values(variable: Tensor, values: Any) -> Array:
    """Return `values` as the read-only data of `variable`.

    Raises:
        InputError: They have another shape, or the data type of the variable cannot hold them.
    """
    array = _checked(variable, values)
    old = variable.data
    floating = isinstance(values, np.ndarray) and array.dtype.kind == "f"
    if old is not None and old.dtype.kind == "f" and not floating:
        # A list of numbers, or an array of integers, is not meant to change the precision.
        array = array.astype(old.dtype)
    if array.flags.writeable:
        # Copied, so that later changes to the caller's array do not change the graph.
        array = array.copy()
        array.flags.writeable = False
    return array


def _lacks_ones(given: Shape, shape: Shape) -> bool:
    """Return whether a shape differs from another one only by missing extents of 1."""
    left = [extent for extent in shape if extent != 1]
    return len(given) < len(shape) and [extent for extent in given if extent != 1] == left


def _checked(variable: Tensor, values: Any) -> Array:
    refuse_masked(values, f"the values for variable '{variable.name}'")
    try:
        array = as_array(values)
    except ValueError as error:  # rows of different lengths, tensors of other libraries
        raise InputError(
            f"the values for variable '{variable.name}' are not an array: {error}"
        ) from None
    if array.dtype.kind not in _NUMPY_KINDS[variable.dtype]:
        raise InputError(
            f"variable '{variable.name}' ({variable.dtype}) cannot hold values of dtype "
            f"{array.dtype}",
            hint=_HINTS[variable.dtype],
            section="4.1.3",
        )
    if variable.shape is not None and _lacks_ones(array.shape, variable.shape):
        # Frameworks store biases as [C], which are [1, C] here (4.3.1).
        array = array.reshape(variable.shape)
    if variable.shape is not None and array.shape != variable.shape:
        raise InputError(
            f"variable '{variable.name}' has shape {list(variable.shape)}, not {list(array.shape)}",
            hint="To use another shape, change the text of the graph."
            if array.size != prod(variable.shape)
            else f"array.reshape({variable.shape}) fits, if the elements are in the right order.",
            section="4.1.3",
        )
    return array
