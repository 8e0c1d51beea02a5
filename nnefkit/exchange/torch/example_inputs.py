"""Example inputs as tensors: arrays of NumPy are converted, and shapes are filled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram as Program
from torch.utils import _pytree as pytree

from nnefkit.arguments import refuse_masked
from nnefkit.errors import InputError

_SEED = 0
_LARGEST = 2**31


def example_tensors(module: Any, inputs: Any, *, shapes: bool) -> Any:
    """Return inputs with tensors in the place of arrays, and of shapes.

    Floating-point arrays get the dtype of the module's parameters, in which it computes.

    Args:
        module: The module, the exported program or its path.
        inputs: A tensor or an array, a tuple of positional arguments, or a mapping.
        shapes: Whether a tuple or a list of integers, or of several of these, stands for random
            numbers of that shape.

    Raises:
        InputError: An array has no elements that a tensor can hold; or a shape is too large.
    """
    if shapes and _is_shape(inputs):
        return _random(module, inputs)
    if shapes and isinstance(inputs, (tuple, list)) and inputs and all(map(_is_shape, inputs)):
        return tuple(_random(module, shape) for shape in inputs)
    is_array = (np.ndarray, np.generic)
    return pytree.tree_map_only(is_array, lambda array: _tensor(module, array), inputs)


def _is_shape(value: Any) -> bool:
    """Return whether a value is a tuple or a list of positive integers, but not of one alone."""
    return (
        isinstance(value, (tuple, list))
        and len(value) > 1
        and all(isinstance(extent, int) and not isinstance(extent, bool) for extent in value)
        and min(value) > 0
    )


def _random(module: Any, shape: tuple[int, ...]) -> torch.Tensor:
    if math.prod(shape) > _LARGEST:
        raise InputError(f"an example input of shape {list(shape)} is too large")
    generator = torch.Generator().manual_seed(_SEED)
    return torch.randn(*shape, generator=generator, dtype=_dtype(module))


def _tensor(module: Any, array: Any) -> torch.Tensor:
    refuse_masked(array, "an example input")
    values = np.ascontiguousarray(array).reshape(np.shape(array))
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    try:
        tensor = torch.tensor(values)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(
            f"an example input is an array of dtype {values.dtype}, which PyTorch does not have",
            hint="Pass numbers or bools.",
        ) from None
    return tensor.to(_dtype(module)) if tensor.is_floating_point() else tensor


def _dtype(module: Any) -> torch.dtype:
    """Return the floating-point dtype that a module computes in."""
    if isinstance(module, (torch.nn.Module, Program)):
        for parameter in module.parameters():
            if parameter.is_floating_point():
                return parameter.dtype
    return torch.get_default_dtype()


def converted_kwargs(module: Any, kwargs: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return arguments by name with tensors in the place of arrays."""
    if kwargs is None:
        return None
    return {name: example_tensors(module, value, shapes=False) for name, value in kwargs.items()}
