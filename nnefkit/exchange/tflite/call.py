"""Calls of TFLite operators, and the registry of their readers.

A reader takes a `Call` and returns the values of the operator's outputs: one value, or a list of
them. It calls `Call.refuse` for what NNEF cannot express. The readers of operators that TensorFlow
has, too, are in `exchange.tensor_operators`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.refusal import Unread
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TFLITE, TensorCall
from nnefkit.exchange.tflite.variables import Variables

READERS = TFLITE
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
class Call(TensorCall):
    """An operator of a TFLite graph; the dtypes of codes of real numbers are float32."""

    variables: Variables = field(repr=False)
    read_graph: Callable[[int, Sequence[Result]], list[Result]] = field(repr=False)
    """Reads a graph of the model by its number: takes the values of its inputs, returns those of
    its outputs."""
    states: Mapping[int, Any] = field(default_factory=dict)
    """Position of an input in which the operator keeps its state -> the key of the variable."""

    def keep(self, index: int, value: Value) -> None:
        """Store the state that an operator keeps in one of its inputs."""
        if index not in self.states:
            self.invalid(f"its input {index} must be a variable")
        self.variables.assign(self.states[index], value, self.input_names[index])

    def resource(self, index: int) -> Resource:
        """Return an input that is a variable."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if not isinstance(value, Resource):
            self.invalid(f"its input {index} is not a variable")
        return value

    @property
    def invalid_hint(self) -> str:
        """A hint for models that are not valid."""
        return INVALID

    def activated(self, x: Value) -> Value:
        """Apply the fused activation of the operator.

        Raises:
            Refusal: It is unknown.
        """
        code = int(self.option("fused_activation_function"))
        if code not in _ACTIVATIONS:
            self.invalid(f"its fused activation has the number {code}")
        return _ACTIVATIONS[code](self, x)


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
