"""Calls of Caffe's layers.

A reader takes a `Call` and returns the values that the layer computes: one, or a list of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.caffe.messages import FORMAT
from nnefkit.exchange.caffe.model import CaffeLayer
from nnefkit.exchange.source_value import Value
from nnefkit.registry import Registry

READERS = Registry()
"""Type of a layer -> its reader."""
layer = READERS.register

INVALID = "The network breaks the rules of its layers: check it with the file of its weights."

_PARAMETERS = {
    "log_param": "ExpParameter",
    "lrn_param": "LRNParameter",
    "mvn_param": "MVNParameter",
    "elu_param": "ELUParameter",
    "relu_param": "ReLUParameter",
    "prelu_param": "PReLUParameter",
    "spp_param": "SPPParameter",
    "argmax_param": "ArgMaxParameter",
    "norm_param": "NormalizeParameter",
}
"""Field -> its message, where the name of the field does not say it."""


@dataclass(frozen=True)
class Normalized:
    """What a layer BatchNorm computes, which a layer Scale after it completes."""

    value: Value
    x: Value
    mean: Value
    variance: Value
    epsilon: float


@dataclass(eq=False)
class Call(BoundedCall):
    """A layer of a network."""

    layer: CaffeLayer = field(repr=False)
    inputs: Sequence[Value]
    allowance: Allowance = field(repr=False)
    read_weight: Callable[[CaffeLayer, int, str], Value] = field(repr=False)
    """Returns a weight of the layer, with the shape in the file."""
    normalized: dict[int, Normalized] = field(repr=False)
    """Identity of the result of a BatchNorm -> it."""
    is_only_reader: Sequence[bool]
    """Whether nothing else reads the same input."""

    @property
    def invalid_hint(self) -> str:
        """A hint for networks that are not valid."""
        return INVALID

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.layer.name

    def __getitem__(self, index: int) -> Value:
        if index >= len(self.inputs):
            self.invalid(f"its bottom {index} is missing")
        return self.inputs[index]

    def one(self) -> Value:
        """Return the only input.

        Raises:
            Refusal: There are several inputs, or none.
        """
        if len(self.inputs) != 1:
            self.invalid(f"it has {len(self.inputs)} bottoms, not 1")
        return self.inputs[0]

    def ranked(self, rank: int) -> Value:
        """Return the only input, which must have a rank.

        Raises:
            Refusal: It has another one.
        """
        x = self.one()
        if x.rank != rank:
            self.invalid(f"its bottom has rank {x.rank}, not {rank}")
        return x

    def parameter(self, name: str) -> Any:
        """Return the message of the layer's parameters; all have defaults if it is missing."""
        message = self.layer.message
        if name in message.DESCRIPTOR.fields_by_name:
            return getattr(message, name)
        camel = "".join(part.capitalize() for part in name.removesuffix("_param").split("_"))
        return FORMAT.parsed(_PARAMETERS.get(name, f"{camel}Parameter"), b"")

    def weight(self, index: int, role: str, shape: Sequence[int]) -> Value:
        """Return a weight with the shape that the layer wants.

        Args:
            index: Its position among the weights of the layer.
            role: What it is called.
            shape: Its shape; leading axes of extent 1 do not matter.

        Raises:
            Refusal: The file does not have it, or it has another shape.
        """
        value = self.read_weight(self.layer, index, role)
        if _stripped(value.shape) != _stripped(shape):
            found, wanted = ("×".join(map(str, s)) or "one number" for s in (value.shape, shape))
            self.invalid(f"its {role} is {found} in the file, not {wanted}")
        if value.shape == tuple(shape):
            return value
        return self.graph.derived(
            value, ("reshape", *shape), lambda data: data.reshape(tuple(shape))
        )


def _stripped(shape: Sequence[int]) -> list[int]:
    """Return a shape without leading axes of extent 1, which old files pad with."""
    first = next((axis for axis, extent in enumerate(shape) if extent != 1), len(shape))
    return [*shape[first:]]
