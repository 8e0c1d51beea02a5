"""Calls of TensorFlow's operators.

A reader takes a `Call` and returns the values of the operator's outputs: one value, or a list of
them. The readers of operators that TFLite has, too, are in `exchange.tensor_operators`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.refusal import Unread
from nnefkit.exchange.reshaping import transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TENSORFLOW, TensorCall

READERS = TENSORFLOW
"""Name of an operator -> its reader."""
operator = READERS.register

INVALID = "The graph breaks the rules of its operators: convert the network again."


class VariableHandle(NamedTuple):
    """A handle of a variable."""

    name: str


class Opaque(NamedTuple):
    """A constant that is not a tensor of numbers, such as a string."""

    kind: str


@dataclass(frozen=True)
class TensorList:
    """A list of tensors of one shape, some of which may not be set yet."""

    items: tuple[Value | None, ...]


class Dead:
    """The type of `DEAD`."""


DEAD = Dead()
"""What a branch that is not taken computes."""

BiasTakers = dict[int, tuple[Value, int, Callable[[Value], Value]]]
"""Identity of the result of a layer -> it, the axis of its channels, and what adds a bias to it."""
Result = Value | Complex | VariableHandle | Opaque | TensorList | Dead | Unread | None
T = TypeVar("T")


@dataclass(eq=False)
class Call(TensorCall):
    """An operator of a TensorFlow graph."""

    read_function: Callable[[str, Sequence[Result]], list[Result]] = field(repr=False)
    """Reads a function by its name: takes the values of its arguments, returns its results."""
    read_variable: Callable[[str], Value] = field(repr=False)
    """Returns the value of a variable by its name."""
    biases: BiasTakers = field(repr=False)
    is_only_reader: Sequence[bool]
    """Whether no other node reads the same node as an input."""

    @property
    def invalid_hint(self) -> str:
        """A hint for models that are not valid."""
        return INVALID

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None if it is not given.

        Raises:
            Refusal: It is complex, or not a tensor of numbers.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(value, Opaque):
            self.refuse(
                f"it computes with elements of type {value.kind}",
                "NNEF has scalars, integers and logicals (3.3.1); do this outside of the network.",
            )
        return super().get(index)

    def resource(self, index: int) -> VariableHandle:
        """Return an input that is a variable."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, VariableHandle):
            self.invalid(f"its input {index} is not a variable")
        return value

    def tensor_list(self, index: int) -> TensorList:
        """Return an input that is a list of tensors."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, TensorList):
            self.invalid(f"its input {index} is not a list of tensors")
        return value

    # -- biases -------------------------------------------------------------------------------

    def taking_bias(self, result: Value, axis: int, add: Callable[[Value], Value]) -> Value:
        """Return the result of a layer, and note how a bias is added inside of the layer."""
        self.biases[id(result)] = result, axis, add
        return result

    def with_bias(self, index: int, bias: Value) -> Value | None:
        """Return the layer that computes an input, with a bias; None if it takes none."""
        x = self[index]
        layer, axis, add = self.biases.get(id(x), (None, 0, None))
        if layer is not x or add is None or not self.is_only_reader[index] or bias.data is None:
            return None
        shape = (*(1,) * (x.rank - bias.rank), *bias.shape)
        wanted = [n if place == axis else 1 for place, n in enumerate(x.shape)]
        return add(bias) if [*shape] == wanted else None

    # -- layouts ------------------------------------------------------------------------------

    @property
    def is_channels_first(self) -> bool:
        """Whether the channels of its input are after the batch."""
        return str(self.option("data_format", "NHWC")).startswith("NC")

    def channels_last(self, index: int, rank: int) -> Value:
        """Return an input with its channels as the last axis."""
        x = self.ranked(index, rank)
        return transposed(self, x, [0, *range(2, rank), 1]) if self.is_channels_first else x

    def as_given(self, x: Value) -> Value:
        """Return a result, whose channels are the last axis, in the layout of the inputs."""
        if not self.is_channels_first:
            return x
        return transposed(self, x, [0, x.rank - 1, *range(1, x.rank - 1)])

    def inner(self, items: Sequence[T]) -> Sequence[T]:
        """Return those of the spatial axes, given one for each axis of the input."""
        return items[2:] if self.is_channels_first else items[1:-1]

    def window(self, name: str, rank: int, default: Any = None) -> list[int]:
        """Return an attribute that has a number for each axis of the input: the spatial ones.

        Raises:
            Refusal: Those of other axes are not 1, or a number is not positive.
        """
        given = [int(n) for n in self.option(name, default or [1] * rank)]
        if len(given) == 1:
            given = given * rank
        first, last = given[0], given[1] if self.is_channels_first else given[-1]
        if len(given) != rank or min(given) < 1:
            self.invalid(f"its attribute '{name}' is {given}")
        if (first, last) != (1, 1):
            self.refuse(
                f"its attribute '{name}' is {given}: along the batch or the channels, too",
                "Use windows over the spatial axes.",
            )
        return [*self.inner(given)]
