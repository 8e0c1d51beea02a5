"""The readers of ONNX operators, registered under the names of their operator types.

A reader takes a `Call` and gives the values of the node's outputs: one value, or a list of them
(None for one that nobody asked for). What NNEF cannot say it refuses by `Call.refuse`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from nnefkit.arrays import Array
from nnefkit.exchange import call
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_graph import Value
from nnefkit.registry import Registry

READERS = Registry()
"""Operator type -> its reader."""
operator = READERS.register

INVALID = "onnx.checker.check_model(model, full_check=True) reports what is wrong with the model."


@dataclass(eq=False)
class Call(call.Call):
    """A node of an ONNX graph; its operator is the operator type."""

    inputs: Sequence[Value | None]
    attributes: Mapping[str, Any]
    opset: int
    input_names: Sequence[str] = ()
    output_names: Sequence[str] = ()
    node: Any = field(default=None, repr=False)
    body: Callable[..., Any] | None = None
    """Reads a graph that is an attribute, within the names of the node's own graph."""

    def __getitem__(self, index: int) -> Value:
        value = self.get(index)
        if value is None:
            raise Refusal(f"its input {index} is missing", "The model is not valid.")
        return value

    def get(self, index: int) -> Value | None:
        """An input that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def wants(self, index: int) -> bool:
        """Whether the node has an output of that number, and it has a name."""
        return index < len(self.output_names) and bool(self.output_names[index])

    @property
    def invalid_hint(self) -> str:
        """How to find out what is wrong with a model."""
        return INVALID

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Says that NNEF has no way to say the node.

        Raises:
            Refusal: always.
        """
        raise Refusal(reason, hint)

    # -- attributes and constant inputs -------------------------------------------------------

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute: int, float, str, array, or a list of them."""
        return self.attributes.get(name, default)

    def values(self, index: int, what: str) -> Array | None:
        """The values of an input that must be known while the model is read; None without it.

        Raises:
            Refusal: they are computed when the model runs.
        """
        value = self.get(index)
        if value is None:
            return None
        if value.data is None:
            name = self.input_names[index]
            raise Refusal(
                f"its {what} ('{name}') must be known before the network runs", self._fixed(value)
            )
        return value.data

    def _fixed(self, value: Value) -> str:
        """What would make a value known."""
        names = [source.origin or source.name for source in self.graph.sources(value)]
        told = ", ".join(f"'{name}': ..." for name in names)
        if value in self.graph.externals:
            return f"It is an input of the model: constants={{{told}}} fixes it."
        whence = " and ".join(f"'{name}'" for name in names)
        return f"It is computed from {whence}; constants={{{told}}} fixes what it depends on."

    def ints(self, name: str, index: int | None = None) -> list[int] | None:
        """Integers that are an attribute, or an input in later opsets; None without both."""
        if name in self.attributes:
            found = self.attributes[name]
            return [int(item) for item in (found if isinstance(found, list) else [found])]
        data = None if index is None else self.values(index, name)
        return None if data is None else [int(item) for item in data.reshape(-1)]

    def axis(self, name: str, default: int, rank: int) -> int:
        """An axis, counted from the front."""
        axis = int(self.attribute(name, default))
        return axis + rank if axis < 0 else axis
