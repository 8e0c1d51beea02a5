"""The lowerings of operations to ONNX, registered under their NNEF names.

A lowering takes a `Builder`, then what a kernel takes: inputs by position, as `Value`s (a list of
them where the input is an array of tensors), attributes by keyword. It gives a value, or a list of
values for an operation with several results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnefkit.registry import Registry

Lowering = Callable[..., Any]

LOWERINGS = Registry()
lowering = LOWERINGS.register
"""``@lowering("conv")`` registers the lowering of an operation."""
