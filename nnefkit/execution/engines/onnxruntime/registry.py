"""The lowerings of operations to ONNX, registered under their NNEF names.

A lowering takes a `Builder`, then what a kernel takes: inputs by position, as `Value`s (a list of
them where the input is an array of tensors), attributes by keyword. It gives a value, or a list of
values for an operation with several results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Lowering = Callable[..., Any]

LOWERINGS: dict[str, Lowering] = {}

F = TypeVar("F", bound=Lowering)


def lowering(*names: str) -> Callable[[F], F]:
    """``@lowering("conv")`` registers the lowering of an operation."""

    def register(function: F) -> F:
        for name in names:
            if name in LOWERINGS:
                raise ValueError(f"'{name}' is registered twice")
            LOWERINGS[name] = function
        return function

    return register
