"""Operations and tensors in great numbers, made in a third of the time.

A frozen dataclass assigns each of its fields through ``object.__setattr__``. Here they are assigned
while the object is of a class with the same base and slots that is not frozen; then it changes its
class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from nnefkit.display.displayed import Displayed
from nnefkit.errors import Span
from nnefkit.graph.operation import Operation
from nnefkit.graph.tensor import Tensor


class _OperationDraft(Displayed):
    __slots__ = ("attribs", "dtype", "inputs", "macs", "name", "outputs", "scope", "span")
    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    attribs: Mapping[str, Any]
    dtype: str | None
    scope: tuple[str, ...]
    span: Span | None
    macs: int | None


class _TensorDraft(Displayed):
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
    """``Operation(...)``, for mappings that are frozen already."""
    draft = _OperationDraft()
    draft.name = name
    draft.inputs = inputs
    draft.outputs = outputs
    draft.attribs = attribs
    draft.dtype = dtype
    draft.scope = scope
    draft.span = span
    draft.macs = macs
    draft.__class__ = Operation  # type: ignore[assignment]
    return cast("Operation", draft)


def new_tensor(
    name: str,
    dtype: str,
    shape: tuple[int, ...] | None = None,
    data: Any = None,
    label: str | None = None,
    quantization: Mapping[str, Any] | None = None,
    origin: str | None = None,
) -> Tensor:
    """``Tensor(...)``."""
    draft = _TensorDraft()
    draft.name = name
    draft.dtype = dtype
    draft.shape = shape
    draft.data = data
    draft.label = label
    draft.quantization = quantization
    draft.origin = origin
    draft.__class__ = Tensor  # type: ignore[assignment]
    return cast("Tensor", draft)
