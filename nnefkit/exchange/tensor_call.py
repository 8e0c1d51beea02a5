"""Calls of operators whose arguments are tensors by position and options by name.

TFLite and TensorFlow name and order these alike. The readers of operators that both have take a
`TensorCall`; they are in `tensor_operators`, registered for either format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnefkit.arrays import Array
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.compositions.elementwise import extreme, scalar_operation
from nnefkit.exchange.compositions.integer_range import narrowed
from nnefkit.exchange.reshaping import number, to_dtype, to_scalar
from nnefkit.exchange.source_value import SCALAR, DType, Value
from nnefkit.registry import Registry

TFLITE, TENSORFLOW = Registry(), Registry()
"""Name of an operator of a format -> its reader."""
tflite, tensorflow = TFLITE.register, TENSORFLOW.register
_MAX_INTS = 1 << 16
"""Number of extents, axes, lengths or places that an argument lists, at most."""


@dataclass(eq=False)
class TensorCall(BoundedCall):
    """A call of an operator."""

    inputs: Sequence[Any]
    """Tensors, or what else the format passes; None for an optional input that is not given."""
    options: Mapping[str, Any]
    input_names: Sequence[str]
    output_names: Sequence[str]
    dtypes: Sequence[DType | None]
    """The dtypes of the results in the model."""
    allowance: Allowance = field(repr=False)

    # -- inputs -------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> Value:
        value = self.get(index)
        if value is None:
            self.invalid(f"its input {index} is missing")
        return value

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None if it is not given.

        Raises:
            Refusal: It is complex, or not a tensor.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(value, Complex):
            self.refuse(
                "it computes with complex numbers, which NNEF does not have (3.3.1)",
                "Compute with their parts as two tensors.",
            )
        if value is not None and not isinstance(value, Value):
            self.invalid(f"its input {index} is not a tensor")
        return value

    def ranked(self, index: int, rank: int) -> Value:
        """Return an input that must have a rank.

        Raises:
            Refusal: It is missing, or has another one.
        """
        value = self[index]
        if value.rank != rank:
            self.invalid(f"its input {index} has rank {value.rank}, not {rank}")
        return value

    def constant(self, index: int, what: str) -> Array:
        """Return the elements of an input that must be constant.

        Args:
            index: The index of the input.
            what: The meaning of the input, for the message.

        Raises:
            Refusal: The input is missing, or computed at run time.
        """
        value = self[index]
        if value.data is None:
            name = self.input_names[index]
            self.refuse(
                f"its {what} ('{name}') must be constant",
                "Make it constant in the network, and convert it again.",
            )
        return value.data

    def ints(self, index: int, what: str) -> list[int]:
        """Return the integers of a constant input; see `constant`.

        Raises:
            Refusal: There are more of them than any shape, order or list of parts has.
        """
        items = self.constant(index, what).reshape(-1)
        if items.size > _MAX_INTS:
            self.invalid(f"its {what} has {items.size:,} elements")
        return [int(item) for item in items]

    def number(self, index: int, what: str) -> int:
        """Return the integer of a constant input with one element; see `constant`."""
        items = self.ints(index, what)
        if len(items) != 1:
            self.invalid(f"its {what} must be one number")
        return items[0]

    def front_axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front.

        Raises:
            Refusal: There is no such axis.
        """
        if not -rank <= axis < rank:
            self.invalid(f"its axis is {axis}, but its input has rank {rank}")
        return axis + rank if axis < 0 else axis

    def option(self, name: str, default: Any = 0) -> Any:
        """Return an option of the operator, or its default in the format."""
        return self.options.get(name, default)

    def positive(self, *names: str) -> list[int]:
        """Return options that must be positive.

        Raises:
            Refusal: One is not.
        """
        values = [int(self.option(name)) for name in names]
        if min(values) < 1:
            self.invalid(f"its option '{names[values.index(min(values))]}' is not positive")
        return values

    # -- results ------------------------------------------------------------------------------

    @property
    def dtype(self) -> DType:
        """The dtype of the first result."""
        dtype = self.dtypes[0] if self.dtypes else None
        if dtype is None:
            self.invalid("its result is not a tensor of numbers")
        return dtype

    @property
    def name(self) -> str:
        """The name of the first result."""
        return next(filter(None, self.output_names), self.operator.lower())

    def elementwise(self, name: str, *values: Value | float, overflows: bool = False) -> Value:
        """Call an elementwise operation on scalars; the result has the dtype of the model.

        Args:
            name: The operation.
            *values: Its arguments, whose shapes broadcast from the right.
            overflows: Whether a result of integers may be outside of the range of their dtype.
        """
        if name in ("max", "min"):
            x, y = (to_scalar(self, number(self, value)) for value in values)
            result = extreme(self, name, x, y, is_integer=self.dtype.kind in "iu")
        else:
            result = scalar_operation(self, name, *values)
        return self.to_result(result, overflows=overflows)

    def to_result(self, x: Value, *, overflows: bool = False) -> Value:
        """Return what was computed as scalars in the dtype of the model."""
        if x.data_type != SCALAR:
            return x
        return to_dtype(self, narrowed(self, x, self.dtype) if overflows else x, self.dtype)

    def activated(self, x: Value) -> Value:
        """Apply the activation that is fused with the operator, if the format has such."""
        return x
