"""Calls of Keras layers and operations, and the registry of their readers.

A reader takes a `Call` and returns the result of the layer: a value, or a list of them. What it
does not ask for, of the arguments and the options of the layer, must have no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.keras.model import LayerInfo
from nnefkit.exchange.keras.options import INVALID, Options
from nnefkit.exchange.refusal import Refusal, refuse
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.registry import Registry

READERS = Registry()
"""Kind of a layer -> its reader."""
layer = READERS.register

MASKING = Registry()
"""Kind of a layer -> how it passes a mask on; others drop it, as in Keras."""


@dataclass(eq=False)
class Call(BoundedCall):
    """A call of a Keras layer."""

    layer: LayerInfo
    path: str
    """The path of the layer: the names of the networks around it, and its own."""
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    variables: Mapping[str, Mapping[str, Array]] = field(repr=False)
    """Path of a layer -> its variables."""
    weights: dict[tuple[str, str], Value] = field(repr=False)
    """(Path, name) of a variable -> its value, shared by all calls."""
    masks: dict[int, tuple[Value, Value]] = field(repr=False)
    """Id of a value -> the value, and the logical mask that goes with it."""
    read: Callable[[LayerInfo, str, Sequence[Any], Mapping[str, Any]], Any] = field(repr=False)
    """Reads a call of another layer, given its path and its arguments."""
    allowance: Allowance = field(repr=False)
    is_keras_2: bool = False
    name: str = ""
    """The name of the result."""

    def __post_init__(self) -> None:
        self.options = Options(self.layer.config)
        self._asked: set[str | int] = set()

    @property
    def invalid_hint(self) -> str:
        """A hint for models that are not valid."""
        return INVALID

    # -- arguments ----------------------------------------------------------------------------

    @property
    def x(self) -> Value:
        """The first argument, a tensor of scalars.

        Raises:
            Refusal: It is not a tensor.
        """
        return to_scalar(self, self.tensor(0))

    def argument(self, index: int, name: str = "", default: Any = None) -> Any:
        """Return an argument by its position or its name."""
        self._asked |= {index, name}
        if index < len(self.args):
            return self.args[index]
        return self.kwargs.get(name, default) if name else default

    def tensor(self, index: int, name: str = "") -> Value:
        """Return an argument that is a tensor.

        Raises:
            Refusal: It is not.
        """
        value = self.argument(index, name or ("inputs" if index == 0 else ""))
        if isinstance(value, (list, tuple)) and len(value) == 1:
            (value,) = value
        return self.as_tensor(value)

    def as_tensor(self, value: Any) -> Value:
        """Return a tensor, or a number or an array as a constant.

        Raises:
            Refusal: It is none of them.
        """
        if isinstance(value, Value):
            return value
        array = np.asarray(value) if isinstance(value, _NUMBERS) or _is_numbers(value) else None
        if array is None or array.dtype.kind not in "biuf":
            refuse("an argument is not a tensor", INVALID)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        return self.graph.constant(array, name=f"{self.path}.constant")

    def tensors(self) -> list[Value]:
        """Return the first argument, a list of tensors.

        Raises:
            Refusal: It is not a list of tensors.
        """
        value = self.argument(0, "inputs")
        if not isinstance(value, (list, tuple)):
            refuse("its inputs are not a list", INVALID)
        return [self.as_tensor(each) for each in value]

    def check(self) -> None:
        """Refuse what the reader did not ask for, if it may have an effect.

        Raises:
            Refusal: There is an option, an argument or a mode that is not read.
        """
        if self.kwargs.get("training") and "training" not in self._asked:
            refuse("it is called with training=True", "Build the model for inference.")
        self.options.check()
        extra = [
            str(key)
            for key, value in [*enumerate(self.args), *self.kwargs.items()]
            if key not in self._asked and key not in ("training", "name") and _matters(value)
        ]
        if extra:
            refuse(f"its argument '{extra[0]}' is not read", "Leave it out.")

    # -- weights ------------------------------------------------------------------------------

    def weight(self, name: str, attribute: str = "") -> Value:
        """Return a variable of the layer.

        Args:
            name: Its name.
            attribute: The path of the layer inside of this one that has it.

        Raises:
            Refusal: The model does not have it.
        """
        path = f"{self.path}/{attribute}" if attribute else self.path
        key = path, name
        if key not in self.weights:
            data = self.variables.get(path, {}).get(name)
            if data is None:
                refuse(
                    f"its weight '{name}' is missing",
                    "The weights do not belong to the architecture: save the model again.",
                )
            if 0 in data.shape:
                refuse(f"its weight '{name}' is empty", INVALID)
            title = f"{path}/{name}"
            self.graph.weights.add(title)
            self.weights[key] = self.graph.weight(_computed(data), title)
        return self.weights[key]

    def shaped(self, name: str, shape: Sequence[int], attribute: str = "") -> Value:
        """Return a variable that must have a shape; see `weight`.

        Raises:
            Refusal: It has another one, or is missing.
        """
        value = self.weight(name, attribute)
        if value.shape != tuple(shape):
            refuse(f"its weight '{name}' is {[*value.shape]}, not {[*shape]}", INVALID)
        return value

    def optional(self, name: str, option: str, default: bool = True) -> Value | None:
        """Return a variable that the layer has if an option is set, None otherwise."""
        return self.weight(name) if self.options.flag(option, default) else None

    # -- masks --------------------------------------------------------------------------------

    def mask_of(self, value: Any, index: int = -1, name: str = "mask") -> Value | None:
        """Return the mask of a tensor: an argument, or what goes with the tensor; None without one.

        Args:
            value: The tensor.
            index: The position of the argument.
            name: The name of the argument.
        """
        given = self.argument(index, name) if index >= 0 else self.kwargs.get(name)
        self._asked.add(name)
        if isinstance(given, Value):
            return given
        if given is not None:
            refuse("its mask is not a tensor", INVALID)
        return self.masks[id(value)][1] if id(value) in self.masks else None

    def set_mask(self, value: Value, mask: Value) -> None:
        """Let a mask go with a tensor."""
        self.masks[id(value)] = value, mask

    # -- data format --------------------------------------------------------------------------

    def is_channels_first(self) -> bool:
        """Return whether the channels are the second axis, as `data_format` says.

        Raises:
            Refusal: The format is unknown.
        """
        choices = "channels_last", "channels_first"
        return self.options.text("data_format", "channels_last", *choices) == "channels_first"

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Refuse the layer.

        Raises:
            Refusal: Always.
        """
        raise Refusal(reason, hint)


_NUMBERS = (bool, int, float, np.ndarray)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, _NUMBERS) for each in value)


def _matters(value: Any) -> bool:
    return (
        value is not None
        and value is not False
        and not (isinstance(value, (list, tuple, dict)) and not value)
    )


def _computed(data: Array) -> Array:
    """Return the elements of a weight in a dtype in which it is computed."""
    if data.dtype == np.float16:
        return data.astype(np.float32)
    if data.dtype == np.float64:
        with np.errstate(over="ignore"):
            narrow = data.astype(np.float32)
        return narrow if np.array_equal(narrow, data, equal_nan=True) else data
    return data
