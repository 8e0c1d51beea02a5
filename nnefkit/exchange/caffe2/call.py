"""Calls of Caffe2's operators.

A reader takes a `Call` and returns the values that the operator computes: one, or a list of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.caffe2.arguments import INVALID, Arguments
from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.reshaping import to_dtype
from nnefkit.exchange.source_value import Value
from nnefkit.registry import Registry

READERS = Registry()
"""Type of an operator -> its reader."""
operator = READERS.register

_MAX_INTS = 1 << 16


@dataclass(eq=False)
class Call(BoundedCall):
    """A call of an operator."""

    inputs: Sequence[Value]
    arguments: Arguments = field(repr=False)
    names: Sequence[str]
    """The names of its results."""
    allowance: Allowance = field(repr=False)

    @property
    def invalid_hint(self) -> str:
        """A hint for networks that are not valid."""
        return INVALID

    # -- inputs -------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> Value:
        if index >= len(self.inputs):
            self.invalid(f"its input {index} is missing")
        return self.inputs[index]

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None."""
        return self.inputs[index] if index < len(self.inputs) else None

    def ranked(self, least: int, most: int = 32) -> Value:
        """Return the first input, whose rank must be in a range.

        Raises:
            Refusal: It has another one.
        """
        x = self[0]
        if not least <= x.rank <= most:
            wanted = f"{least}" if least == most else f"{least} or more"
            self.invalid(f"its input has rank {x.rank}, not {wanted}")
        return x

    def alike(self) -> Sequence[Value]:
        """Return all inputs, which must have one shape.

        Raises:
            Refusal: They do not.
        """
        first = self[0].shape
        if any(value.shape != first for value in self.inputs):
            self.invalid(f"its inputs have the shapes {[[*value.shape] for value in self.inputs]}")
        return self.inputs

    def constant_integers(self, index: int, what: str) -> list[int]:
        """Return the elements of an input that must be a constant row of integers.

        Raises:
            Refusal: It depends on the inputs of the network, or is not one.
        """
        value = self[index]
        if value.data is None:
            self.refuse(
                f"its {what} depends on the inputs of the network",
                "Give it as an argument, or as a constant.",
            )
        if value.rank > 1 or value.dtype.kind not in "iu" or value.data.size > _MAX_INTS:
            self.invalid(f"its {what} is not a row of integers")
        return [int(each) for each in np.reshape(value.data, -1)]

    def axis(self, axis: int, rank: int, *, ends: bool = False) -> int:
        """Return an axis counted from the front.

        Args:
            axis: The axis, which may count from the end.
            rank: The number of axes.
            ends: Whether the end of the shape is a position, too.

        Raises:
            Refusal: There is no such axis.
        """
        front = axis + rank if axis < 0 else axis
        if not 0 <= front < rank + ends:
            self.invalid(f"its axis is {axis}, but its input has rank {rank}")
        return front

    # -- the order of axes --------------------------------------------------------------------

    @property
    def is_channels_last(self) -> bool:
        """Whether its channels are the last axis.

        Raises:
            Refusal: The argument `order` is neither of the two.
        """
        order = self.arguments.text("order", "NCHW")
        if order.upper() not in ("NCHW", "NHWC"):
            self.invalid(f"its order is '{order}'")
        return order.upper() == "NHWC"

    def image(self, x: Value) -> Value:
        """Return a tensor of the order of this operator with its channels after the batch."""
        return channels_first(self, x) if self.is_channels_last and x.rank > 2 else x

    def in_order(self, result: Value) -> Value:
        """Return a tensor with its channels after the batch in the order of this operator."""
        return channels_last(self, result) if self.is_channels_last and result.rank > 2 else result

    # -- results ------------------------------------------------------------------------------

    def scalar(self, name: str, *values: Value | float) -> Value:
        """Call an elementwise operation on tensors that broadcast from the right.

        The result has the data type of the first tensor; integers are truncated.
        """
        first = next(value for value in values if isinstance(value, Value))
        return to_dtype(self, scalar_operation(self, name, *values), first.dtype)
