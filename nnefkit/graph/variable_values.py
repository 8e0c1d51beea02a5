"""Values that are put in place of those of a variable."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.display.protocols import TensorLike
from nnefkit.errors import InputError

_KIND_HINTS = {
    "scalar": "It holds floating point numbers: numpy.asarray(values, numpy.float32).",
    "integer": "It holds integers: array.astype(numpy.int64).",
    "logical": "It holds bools: array != 0.",
    "string": "There are no files for strings.",
}

_KINDS = {"scalar": "fiu", "integer": "iu", "logical": "b", "string": ""}
"""NumPy's kinds of the values that a variable of each data-type can hold."""


def fitting(variable: TensorLike, values: Any) -> np.ndarray[Any, Any]:
    """`values` as the read-only data of `variable`.

    Raises:
        InputError: they have another shape, or are of no kind that its data-type can hold.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(
            f"the values for variable '{variable.name}' are no array: {error}"
        ) from None
    if array.dtype.kind not in _KINDS[variable.dtype]:
        raise InputError(
            f"variable '{variable.name}' ({variable.dtype}) cannot hold values of dtype "
            f"{array.dtype}",
            hint=_KIND_HINTS[variable.dtype],
            section="4.1.3",
        )
    if variable.shape is not None and array.shape != variable.shape:
        raise InputError(
            f"variable '{variable.name}' has shape {list(variable.shape)}, not {list(array.shape)}",
            hint="Another shape needs another graph: change it in the text."
            if array.size != prod(variable.shape)
            else f"array.reshape({variable.shape}) has it, if the order of the items is right.",
            section="4.1.3",
        )
    old = variable.data
    floating = isinstance(values, np.ndarray) and array.dtype.kind == "f"
    if old is not None and old.dtype.kind == "f" and not floating:
        # Neither a list of numbers nor whole numbers are meant to change the precision.
        array = array.astype(old.dtype)
    if array.flags.writeable:
        # Whoever goes on changing the array does not change the graph.
        array = array.copy()
        array.flags.writeable = False
    return array
