"""Fast construction of operations and tensors, for code that creates thousands of them.

A frozen dataclass assigns each field through ``object.__setattr__``, three times slower than
plain assignment to a slot. So the object is created as an instance of a class with the same base
and slots that is not frozen, and its class is changed once the fields are assigned. Without this,
parsing and shapes of 10,000 operations take 13 to 43 % longer (on the networks of
tests/benchmarks/test_parsing.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from nnefkit.display.displayed import Displayed
from nnefkit.errors import Span
from nnefkit.graph.operation import Operation
from nnefkit.graph.tensor import Tensor


class _MutableOperation(Displayed):
    __slots__ = ("attribs", "dtype", "inputs", "macs", "name", "outputs", "scope", "span")
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    attribs: Mapping[str, Any]
    dtype: str | None
    scope: tuple[str, ...]
    span: Span | None
    macs: int | None


class _MutableTensor(Displayed):
    __slots__ = ("data", "dtype", "label", "name", "origin", "quantization", "shape")
    name: str
    dtype: str
    shape: tuple[int, ...] | None
    data: Any
    label: str | None
    quantization: Mapping[str, Any] | None
    origin: str | None


def new_operation(
    name: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    attribs: Mapping[str, Any],
    dtype: str | None,
    scope: tuple[str, ...],
    span: Span | None,
    macs: int | None = None,
) -> Operation:
    """Return ``Operation(...)`` for mappings that are frozen already."""
    instance = _MutableOperation()
    instance.name = name
    instance.inputs = inputs
    instance.outputs = outputs
    instance.attribs = attribs
    instance.dtype = dtype
    instance.scope = scope
    instance.span = span
    instance.macs = macs
    instance.__class__ = Operation  # type: ignore[assignment]
    return cast("Operation", instance)


def new_tensor(
    name: str,
    dtype: str,
    shape: tuple[int, ...] | None = None,
    data: Any = None,
    label: str | None = None,
    quantization: Mapping[str, Any] | None = None,
    origin: str | None = None,
) -> Tensor:
    """Return ``Tensor(...)``."""
    instance = _MutableTensor()
    instance.name = name
    instance.dtype = dtype
    instance.shape = shape
    instance.data = data
    instance.label = label
    instance.quantization = quantization
    instance.origin = origin
    instance.__class__ = Tensor  # type: ignore[assignment]
    return cast("Tensor", instance)
