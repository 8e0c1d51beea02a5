"""Types of arrays and of their extents, and the check of arrays that are mapped from files."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
"""A NumPy array of any shape and dtype."""

Arrays = Mapping[str, Array]
"""Arrays by the names of their tensors."""

Shape = tuple[int, ...]
"""The extents of a tensor; ``()`` for rank 0."""

Ints = Sequence[int]
"""Integers, such as one for each dimension of a tensor."""

Padding = Sequence[tuple[int, int]]
"""Extents added before and after, for each dimension; negative ones crop."""


def has_masked(value: Any) -> bool:
    """Return whether an array-like has masked elements, as a whole or in an element of a list."""
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.ma.is_masked(value))
    if isinstance(value, (list, tuple)):
        return any(map(has_masked, value))
    return False


def as_array(value: Any) -> Array:
    """Return an array-like as an array.

    Tensors of PyTorch may require gradients, be on another device, or have 16-bit floats that NumPy
    does not have, which become float32.

    Raises:
        ValueError: It cannot be converted; the message is the reason.
    """
    torch = sys.modules.get("torch")
    try:
        if torch is not None and isinstance(value, torch.Tensor):
            value = value.detach().resolve_conj().resolve_neg()
            if value.is_floating_point() and value.dtype not in _floats(torch):
                value = value.float()
            value = value if value.device.type == "meta" else value.cpu()
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()
        raise ValueError(reason[0] if reason else type(error).__name__) from error


def converted(values: Any, dtype: Any) -> Array:
    """Return values in another floating-point dtype, without a warning of NaN or of overflow.

    Signaling NaN, such as arbitrary bytes may be, are converted to quiet ones; NumPy warns of them.
    The result is `values` itself if it has this dtype.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(values, dtype)


def _floats(torch: Any) -> tuple[Any, ...]:
    """Return the floating-point dtypes of PyTorch that NumPy has, too."""
    return torch.float16, torch.float32, torch.float64


def mapped_files(arrays: Iterable[Any]) -> list[Any]:
    """Return the mapped files that arrays are views of, each once."""
    files = {id(file): file for array in arrays for file in _file_of(array)}
    return [*files.values()]


def check_mapped(*arrays: Any) -> None:
    """Check that the files that arrays are mapped from are as they were, before values are used.

    A file that another program cut short would end the process.

    Raises:
        StorageError: A file was changed.
    """
    for array in arrays:
        for file in _file_of(array):
            file.check_unchanged()


def _file_of(array: Any) -> Iterator[Any]:
    base = array
    while base is not None:
        if hasattr(base, "check_unchanged"):
            yield base
            return
        base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)


_SINGLE_OR_DOUBLE = "fd"


def is_surely_finite(array: Array) -> bool:
    """Return whether all elements are finite, fast; False also if their squares overflow."""
    if array.dtype.char in _SINGLE_OR_DOUBLE:
        return math.isfinite(np.vdot(array, array))
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
