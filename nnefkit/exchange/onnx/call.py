"""Calls of ONNX operators, and the registry of their readers.

A reader takes a `Call` and returns the values of the node's outputs: one value, or a list of them
(None for an output that is not used). It calls `Call.refuse` for what NNEF cannot express.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from nnefkit.arrays import Array
from nnefkit.exchange import call
from nnefkit.exchange.refusal import Refusal, Unread
from nnefkit.exchange.reshaping import aligned, number, reshaped
from nnefkit.exchange.source_value import SCALAR, Value
from nnefkit.registry import Registry

if TYPE_CHECKING:
    from onnx import NodeProto

READERS = Registry()
"""Name of an operator -> its reader; those of other domains than ONNX's own are qualified."""

F = TypeVar("F", bound=Callable[..., Any])

ONNX_DOMAINS = ("", "ai.onnx")
ML = "ai.onnx.ml"
"""The domain of classical models: trees, linear models, scalers."""
MICROSOFT = "com.microsoft"
"""The domain of fused and quantized layers, as ONNX Runtime writes them."""


def operator(*names: str, domain: str = "") -> Callable[[F], F]:
    """Return a decorator that registers a function as the reader of some operators of a domain."""
    return READERS.register(*(qualified(domain, name) for name in names))


def qualified(domain: str, name: str) -> str:
    """Return the name of an operator with its domain, as in ``ai.onnx.ml.Scaler``."""
    return name if domain in ONNX_DOMAINS else f"{domain}.{name}"


Result = Value | Unread | None
"""An output of a node: `UNREAD` if a node in a branch or a loop was refused, None if unused."""

INVALID = "onnx.checker.check_model(model, full_check=True) reports what is wrong with the model."

_FLAGS = frozenset(
    [
        "align_corners",
        "allowzero",
        "antialias",
        "ceil_mode",
        "channels_last",
        "count_include_pad",
        "do_rotary",
        "exclude_outside",
        "exclusive",
        "fmod",
        "input_forget",
        "inverse",
        "is_causal",
        "keepdims",
        "largest",
        "linear_before_reset",
        "noop_with_empty_axes",
        "one_class",
        "onesided",
        "reverse",
        "saturate",
        "select_last_index",
        "sorted",
        "storage_order",
        "training_mode",
        "transA",
        "transB",
        "unidirectional",
        "upper",
    ]
)
"""Attributes that are 0 or 1."""


@dataclass(eq=False)
class Call(call.OperatorCall):
    """A node of an ONNX graph; its operator is the operator type."""

    inputs: Sequence[Value | None]
    attributes: Mapping[str, Any]
    opset: int
    input_names: Sequence[str] = ()
    output_names: Sequence[str] = ()
    node: NodeProto | None = field(default=None, repr=False)
    read_graph: Callable[..., list[Result]] = field(default=lambda *_: [], repr=False)
    """Reader of a graph that is an attribute: takes it and the values of its inputs, returns those
    of its outputs."""
    version: int = 0
    """The version of the operator's own domain; `opset` is that of ONNX's domain."""

    def __getitem__(self, index: int) -> Value:
        value = self.get(index)
        if value is None:
            raise Refusal(f"its input {index} is missing", INVALID)
        return value

    def ranked(self, index: int, least: int) -> Value:
        """Return an input that has at least so many dimensions.

        Raises:
            Refusal: It is missing, or it has fewer.
        """
        value = self[index]
        if value.rank < least:
            self.refuse(
                f"its input {index} has rank {value.rank}, and needs at least {least} dimensions",
                self.invalid_hint,
            )
        return value

    def check_scalars(self, *values: Value | None) -> None:
        """Refuse integers and logicals, which no schema rules out for operators of vendors."""
        if any(value is not None and value.data_type != SCALAR for value in values):
            self.refuse(
                "it computes with scalars, but its input holds others", "Cast it to float32."
            )

    def one_number(self, value: Value, what: str) -> Value:
        """Return a tensor of one element, such as a scale, with rank 0.

        Raises:
            Refusal: It has other than one element.
        """
        if prod(value.shape) != 1:
            self.refuse(f"its {what} has shape {[*value.shape]}, and must be one number", INVALID)
        return reshaped(self, value, ())

    def one_or_each(self, value: Value, count: int, what: str) -> Value:
        """Return a scale or a zero point: of rank 0, or one for each of so many rows or columns.

        Raises:
            Refusal: It has another shape.
        """
        if prod(value.shape) != 1 and value.shape != (count,):
            self.refuse(f"its {what} has shape {[*value.shape]} for an extent of {count}", INVALID)
        return reshaped(self, value, ()) if prod(value.shape) == 1 else value

    def get(self, index: int) -> Value | None:
        """Return an optional input, or None if it is missing."""
        return self.inputs[index] if index < len(self.inputs) else None

    def wants(self, index: int) -> bool:
        """Whether the node has an output of that index with a name."""
        return index < len(self.output_names) and bool(self.output_names[index])

    @property
    def invalid_hint(self) -> str:
        """A hint for models that are not valid."""
        return INVALID

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Refuse the node.

        Raises:
            Refusal: Always.
        """
        raise Refusal(reason, hint)

    def elementwise(self, name: str, *values: Value | float) -> Value:
        """Call an elementwise operation; shapes broadcast as in ONNX."""
        if self.opset < 7 and len(values) == 2:
            values = self._old_broadcast(*values)
        return self.op(name, *aligned(self, *(number(self, value) for value in values)))

    def _old_broadcast(self, x: Value | float, y: Value | float) -> tuple[Value | float, ...]:
        """Align the second argument with an axis of the first, as it was before opset 7."""
        axis = self.attribute("axis")
        is_aligned = axis is not None and bool(self.attribute("broadcast", 0))
        if is_aligned and isinstance(x, Value) and isinstance(y, Value):
            y = reshaped(self, y, y.shape + (1,) * (x.rank - y.rank - int(axis) % x.rank))
        return x, y

    # -- attributes and constant inputs -------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute: a number, a string, an array, a graph, or a list of them.

        Raises:
            Refusal: It is a flag, and neither 0 nor 1. Runtimes disagree on other values.
        """
        value = self.attributes.get(name, default)
        if name in _FLAGS and value not in (0, 1):
            self.refuse(f"its attribute '{name}' is {value}", "It can be 0 or 1.")
        return value

    def number(self, name: str, default: float) -> float:
        """Return a float attribute as the shortest decimal that represents it."""
        return self.decimal(self.attribute(name, default))

    def axis(self, name: str, default: int, rank: int, *, past: bool = False) -> int:
        """Return an axis that is an attribute, counted from the front.

        Args:
            name: The name of the attribute.
            default: The axis without the attribute.
            rank: The rank of the tensor.
            past: Whether the axis may be the rank itself, for operators that name the axes after
                the first ones.

        Raises:
            Refusal: There is no such axis.
        """
        return self.front_axis(int(self.attribute(name, default)), rank, past=past)

    def front_axis(self, axis: int, rank: int, *, past: bool = False) -> int:
        """Return an axis counted from the front.

        Raises:
            Refusal: There is no such axis. ONNX Runtime wraps some of them modulo 2^32.
        """
        if not -rank <= axis < rank + past:
            self.refuse(f"its axis is {axis}, but its input has rank {rank}", self.invalid_hint)
        return axis + rank if axis < 0 else axis

    def axis_input(self, index: int, rank: int, default: int | None = None) -> int:
        """Return an axis that is a constant input, counted from the front.

        Raises:
            Refusal: The input is not a constant with one element, or there is no such axis.
        """
        given = self.constant(index, "axis")
        if given is None and default is not None:
            return self.front_axis(default, rank)
        if given is None or given.size != 1:
            self.refuse("its axis must be one number", self.invalid_hint)
        return self.front_axis(int(given.reshape(-1)[0]), rank)

    def ints(self, name: str, index: int | None = None) -> list[int] | None:
        """Return integers that are an attribute, or an input in later opsets; None without either.

        Raises:
            Refusal: The input is not constant.
        """
        if name in self.attributes:
            value = self.attributes[name]
            return [int(item) for item in (value if isinstance(value, list) else [value])]
        data = None if index is None else self.constant(index, name)
        return None if data is None else [int(item) for item in data.reshape(-1)]

    def axes(self, index: int, rank: int) -> list[int] | None:
        """Return the axes in attribute or input ``axes``, counted from the front.

        Raises:
            Refusal: The input is not constant, or there is no such axis.
        """
        axes = self.ints("axes", index)
        return None if axes is None else [self.front_axis(axis, rank) for axis in axes]

    def constant(self, index: int, what: str) -> Array | None:
        """Return the elements of an input that must be constant, or None if it is missing.

        Args:
            index: The index of the input.
            what: The meaning of the input, for the message.

        Raises:
            Refusal: The input is computed at run time.
        """
        value = self.get(index)
        if value is None:
            return None
        if value.data is None:
            name = self.input_names[index]
            raise Refusal(f"its {what} ('{name}') must be constant", self._constant_hint(value))
        return value.data

    def required_constant(self, index: int, what: str) -> Array:
        """Return the elements of an input that must be given and constant; see `constant`."""
        data = self.constant(index, what)
        if data is None:
            raise Refusal(f"its {what} is missing", INVALID)
        return data

    def _constant_hint(self, value: Value) -> str:
        """Return a hint that says how to make a value constant."""
        names = [source.origin or source.name for source in self.graph.sources(value)]
        constants = ", ".join(f"'{name}': ..." for name in names)
        advice = f"To make it constant, pass constants={{{constants}}}."
        if value in self.graph.externals:
            return f"It is an input of the model. {advice}"
        listed = " and ".join(f"'{name}'" for name in names)
        return f"It is computed from {listed}. {advice}"
