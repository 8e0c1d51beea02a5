"""NumPy arrays as tensors and back, without copies where that is safe."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from nnefkit.arrays import Array
from nnefkit.execution.engines.torch.lowerings import Tensor


class _Writable:
    """The memory of an array, declared to be writable.

    PyTorch has no read-only tensors and warns about every read-only array, such as weights mapped
    from a file. The engine never writes to a tensor that it did not create.
    """

    def __init__(self, array: Array) -> None:
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self._array = array  # the memory lives as long as this


def as_tensor(array: Array) -> Tensor:
    """Return a tensor that shares the memory of `array`, if possible; it must not be written to."""
    if array.dtype.kind in "uif" and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array).reshape(array.shape)
    if not array.flags.writeable:
        array = np.asarray(_Writable(array))
    return torch.from_numpy(array)


def as_array(tensor: Tensor) -> Array:
    """Return the values of a tensor, in its own memory if that is on the CPU."""
    array: Array = tensor.detach().cpu().numpy()
    return array


@cache
def torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    """Return the dtype of tensors that corresponds to a NumPy dtype."""
    return torch.from_numpy(np.empty(0, dtype)).dtype
