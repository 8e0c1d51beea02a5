"""Arguments of Caffe2's operators, each of which has one of several fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nnefkit.exchange.caffe2.messages import DTYPES, TYPE_NAMES
from nnefkit.exchange.refusal import refuse

INVALID = "The network breaks the rules of its operators: export it again from Caffe2."
_MAX_LIST = 1 << 16
"""Number of extents, axes or places that an argument lists, at most."""


def text_of(data: bytes) -> str:
    """Return the characters of a name, whose bytes need not be UTF-8."""
    return bytes(data).decode("utf-8", "backslashreplace")


class Arguments:
    """The arguments of one operator by name.

    As in Caffe2, an argument must have the field that is asked for: a whole number is not a real
    one, and one number is not a list.

    Args:
        message: Its `OperatorDef`.
    """

    def __init__(self, message: Any) -> None:
        self._message = message
        self._found: Mapping[str, Any] | None = None

    @property
    def _arguments(self) -> Mapping[str, Any]:
        if self._found is None:
            self._found = {text_of(each.name): each for each in self._message.arg}
        return self._found

    def __contains__(self, name: str) -> bool:
        return name in self._arguments

    def _field(self, name: str, field: str, what: str) -> Any:
        argument = self._arguments[name]
        if not argument.HasField(field):
            refuse(f"its argument '{name}' is not {what}", INVALID)
        return getattr(argument, field)

    def integer(self, name: str, default: int) -> int:
        """Return a whole number, or a default if it is not given."""
        return int(self._field(name, "i", "a whole number")) if name in self else default

    def flag(self, name: str, default: bool = False) -> bool:
        """Return whether a whole number is not 0."""
        return bool(self.integer(name, int(default)))

    def number(self, name: str, default: float) -> float:
        """Return a finite real number, or a default if it is not given."""
        if name not in self:
            return default
        found = float(self._field(name, "f", "a real number"))
        if not math.isfinite(found):
            refuse(f"its argument '{name}' is {found}", INVALID)
        return found

    def text(self, name: str, default: str) -> str:
        """Return a string, or a default if it is not given."""
        return text_of(self._field(name, "s", "a string")) if name in self else default

    def number_or_text(self, name: str) -> int | str:
        """Return a whole number, or a string."""
        if self._arguments[name].HasField("s"):
            return self.text(name, "")
        return self.integer(name, 0)

    def is_integer(self, name: str) -> bool:
        """Return whether an argument is given as a whole number."""
        found = self._arguments.get(name)
        return found is not None and found.HasField("i") and not found.HasField("f")

    def integers(self, name: str) -> list[int]:
        """Return a list of whole numbers; an empty one if it is not given."""
        found = self._list(name, "ints", "whole numbers")
        if len(found) > _MAX_LIST:
            refuse(f"its argument '{name}' lists {len(found):,} numbers", INVALID)
        return [int(each) for each in found]

    def numbers(self, name: str) -> Any:
        """Return a list of real numbers; an empty one if it is not given."""
        return self._list(name, "floats", "real numbers")

    def all_integers(self, name: str) -> Any:
        """Return a list of any number of whole numbers; an empty one if it is not given."""
        return self._list(name, "ints", "whole numbers")

    def texts(self, name: str) -> list[bytes]:
        """Return a list of strings; an empty one if it is not given."""
        return [bytes(each) for each in self._list(name, "strings", "strings")]

    def _list(self, name: str, field: str, what: str) -> Any:
        if name not in self:
            return []
        argument = self._arguments[name]
        found = getattr(argument, field)
        if not found and any(filled.name not in ("name", field) for filled, _ in _fields(argument)):
            refuse(f"its argument '{name}' is not a list of {what}", INVALID)
        return found


def _fields(message: Any) -> Any:
    return message.ListFields()


_GIVEN = {
    "GivenTensorBoolFill": "bool",
    "GivenTensorByteStringToUInt8Fill": "uint8",
    "GivenTensorDoubleFill": "float64",
    "GivenTensorInt16Fill": "int16",
    "GivenTensorInt64Fill": "int64",
    "GivenTensorIntFill": "int32",
    "GivenTensorStringFill": "str",
}
"""Type of a fill -> the dtype of what it makes."""


def data_type(arguments: Arguments, name: str, default: str) -> str:
    """Return the dtype that an argument states by its number or its name.

    Raises:
        Refusal: There is no such type.
    """
    if name not in arguments:
        return default
    number = arguments.number_or_text(name)
    if isinstance(number, str):
        number = TYPE_NAMES.get(number.upper(), 0)
    if number not in DTYPES:
        refuse(f"its argument '{name}' is {number}, which is not a type of data", INVALID)
    return DTYPES[number]


def fill_dtype(kind: str, arguments: Arguments) -> str:
    """Return the dtype of what a fill makes.

    Args:
        kind: The type of the operator.
        arguments: Its arguments.

    Raises:
        Refusal: There is no such type.
    """
    if kind in _GIVEN:
        return _GIVEN[kind]
    whole = kind == "ConstantFill" and arguments.is_integer("value")
    return data_type(arguments, "dtype", "int64" if whole else "float32")
