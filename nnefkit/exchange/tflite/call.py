"""Calls of TFLite operators, and the registry of their readers.

A reader takes a `Call` and returns the values of the operator's outputs: one value, or a list of
them. It calls `Call.refuse` for what NNEF cannot express.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn

from nnefkit.arrays import Array
from nnefkit.exchange import call
from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.compositions.elementwise import extreme, scalar_operation
from nnefkit.exchange.compositions.integer_range import narrowed
from nnefkit.exchange.refusal import Refusal, Unread
from nnefkit.exchange.reshaping import number, to_dtype, to_scalar
from nnefkit.exchange.source_value import SCALAR, Argument, DType, Value, values_in
from nnefkit.exchange.tflite.constants import Allowance
from nnefkit.exchange.tflite.variables import Variables
from nnefkit.operations import registry
from nnefkit.registry import Registry

READERS = Registry()
"""Name of an operator -> its reader."""
operator = READERS.register

INVALID = "The model breaks the rules of its operators: convert it again."


class Resource(NamedTuple):
    """A handle of a variable."""

    container: str
    name: str


Result = Value | Complex | Resource | Unread | None
"""An output of an operator: `UNREAD` if an operator of a branch or a loop was refused."""


@dataclass(eq=False)
class Call(call.OperatorCall):
    """An operator of a TFLite graph."""

    inputs: Sequence[Result]
    """None for an optional input that is not given."""
    options: Mapping[str, Any]
    input_names: Sequence[str]
    output_names: Sequence[str]
    dtypes: Sequence[DType | None]
    """The dtypes of the results in the model; float32 for codes of real numbers."""
    variables: Variables = field(repr=False)
    allowance: Allowance = field(repr=False)
    read_graph: Callable[[int, Sequence[Result]], list[Result]] = field(repr=False)
    """Reads a graph of the model by its number: takes the values of its inputs, returns those of
    its outputs."""
    states: Mapping[int, Any] = field(default_factory=dict)
    """Position of an input in which the operator keeps its state -> the key of the variable."""

    # -- inputs -------------------------------------------------------------------------------

    def __getitem__(self, index: int) -> Value:
        value = self.get(index)
        if value is None:
            self.refuse(f"its input {index} is missing", INVALID)
        return value

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None if it is not given.

        Raises:
            Refusal: It is complex, or a variable itself.
        """
        value = self.inputs[index] if index < len(self.inputs) else None
        if isinstance(value, Complex):
            self.refuse(
                "it computes with complex numbers, which NNEF does not have (3.3.1)",
                "Compute with their parts as two tensors.",
            )
        if value is not None and not isinstance(value, Value):
            self.refuse(f"its input {index} is not a tensor", INVALID)
        return value

    def ranked(self, index: int, rank: int) -> Value:
        """Return an input that must have a rank.

        Raises:
            Refusal: It is missing, or has another one.
        """
        value = self[index]
        if value.rank != rank:
            self.refuse(f"its input {index} has rank {value.rank}, not {rank}", INVALID)
        return value

    def keep(self, index: int, value: Value) -> None:
        """Store the state that an operator keeps in one of its inputs."""
        if index not in self.states:
            self.refuse(f"its input {index} must be a variable", INVALID)
        self.variables.assign(self.states[index], value, self.input_names[index])

    def resource(self, index: int) -> Resource:
        """Return an input that is a variable."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, Resource):
            self.refuse(f"its input {index} is not a variable", INVALID)
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
        """Return the integers of a constant input; see `constant`."""
        return [int(item) for item in self.constant(index, what).reshape(-1)]

    def number(self, index: int, what: str) -> int:
        """Return the integer of a constant input with one element; see `constant`."""
        items = self.ints(index, what)
        if len(items) != 1:
            self.refuse(f"its {what} must be one number", INVALID)
        return items[0]

    def front_axis(self, axis: int, rank: int) -> int:
        """Return an axis counted from the front.

        Raises:
            Refusal: There is no such axis.
        """
        if not -rank <= axis < rank:
            self.refuse(f"its axis is {axis}, but its input has rank {rank}", INVALID)
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
            self.refuse(f"its option '{names[values.index(min(values))]}' is not positive", INVALID)
        return values

    # -- results ------------------------------------------------------------------------------

    @property
    def dtype(self) -> DType:
        """The dtype of the first result."""
        dtype = self.dtypes[0] if self.dtypes else None
        if dtype is None:
            self.refuse("its result is not a tensor of numbers", INVALID)
        return dtype

    @property
    def name(self) -> str:
        """The name of the first result."""
        return next(filter(None, self.output_names), self.operator.lower())

    @property
    def invalid_hint(self) -> str:
        """A hint for models that are not valid."""
        return INVALID

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Refuse the operator.

        Raises:
            Refusal: Always.
        """
        raise Refusal(reason, hint)

    def ops(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> list[Value]:
        """Call an NNEF operation; what is computed from constants counts as memory.

        Raises:
            Refusal: The constants take too much memory.
        """
        values = values_in(inputs)
        if values and all(value.data is not None for value in values):
            self._allow(name, inputs, attribs)
        return super().ops(name, *inputs, data_type=data_type, **attribs)

    def op(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> Value:
        """Call an NNEF operation with one result; see `ops`."""
        (result,) = self.ops(name, *inputs, data_type=data_type, **attribs)
        return result

    def _allow(self, name: str, inputs: Sequence[Argument], attribs: Mapping[str, Any]) -> None:
        declaration = self.graph.declarations[name]
        given = dict(zip((n for n, _, _ in declaration.inputs), inputs, strict=False))
        arguments = [given.get(n, default) for n, _, default in declaration.inputs]
        filled = {n: attribs.get(n, default) for n, _, default in declaration.attributes}
        shapes = registry.SHAPE_RULES[name](*map(_shape, arguments), **filled)
        for shape in [shapes] if len(declaration.results) == 1 else shapes:
            for each in shape if isinstance(shape, list) else [shape]:
                self.allowance.take(each, 8)

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
        """Apply the fused activation of the operator.

        Raises:
            Refusal: It is unknown.
        """
        code = int(self.option("fused_activation_function"))
        if code not in _ACTIVATIONS:
            self.refuse(f"its fused activation has the number {code}", INVALID)
        return _ACTIVATIONS[code](self, x)


def _shape(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.shape
    return [_shape(item) for item in argument] if isinstance(argument, (list, tuple)) else ()


def _clamped(low: float, high: float) -> Callable[[Call, Value], Value]:
    return lambda c, x: c.to_result(c.op("clamp", to_scalar(c, x), low, high))


_ACTIVATIONS: Mapping[int, Callable[[Call, Value], Value]] = {
    0: lambda _, x: x,
    1: lambda c, x: c.to_result(c.op("relu", to_scalar(c, x))),
    2: _clamped(-1.0, 1.0),
    3: _clamped(0.0, 6.0),
    4: lambda c, x: c.op("tanh", x),
    5: lambda c, x: c.op("select", c.op("lt", x, 0.0), 1.0, 0.0),
}
"""Number of a fused activation -> the activation."""
