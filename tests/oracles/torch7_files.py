"""A writer of Torch7 files, in binary or as text, for networks that tests write down."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np


class Module:
    """An object of a class that is written in Lua, with its fields."""

    def __init__(self, class_name: str, /, *modules: Any, **fields: Any) -> None:
        self.class_name = class_name if "." in class_name else f"nn.{class_name}"
        self.fields: dict[Any, Any] = {"train": False, **fields}
        if modules:
            self.fields["modules"] = [*modules]


class Longs:
    """A storage of integers, as sizes are stored."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = np.array(numbers, np.int64)


class Key:
    """A table as the key of another one."""

    def __init__(self, table: dict[Any, Any]) -> None:
        self.table = table


class Function:
    """A function, of which a file has the code and the values that it refers to."""


class Raw(bytes):
    """Bytes of a file."""


_CLASSES = {"f4": "Float", "f8": "Double", "i8": "Long", "i4": "Int", "u1": "Byte", "f2": "Half"}


class _Writer:
    def __init__(self, *, as_text: bool, long_size: int, versions: bool) -> None:
        self.out: list[bytes] = []
        self.as_text = as_text
        self.long_size = long_size
        self.versions = versions
        self.known: dict[int, int] = {}
        self.alive: list[Any] = []

    def _put(self, form: str, *numbers: Any) -> None:
        if self.as_text:
            if numbers:
                self.out.append(" ".join(f"{n!r}" for n in numbers).encode() + b"\n")
        else:
            self.out.append(struct.pack(f"<{len(numbers)}{form}", *numbers))

    def int32(self, *numbers: int) -> None:
        for number in numbers:
            self._put("i", number)

    def longs(self, *numbers: int) -> None:
        self._put("q" if self.long_size == 8 else "i", *numbers)

    def string(self, text: str) -> None:
        data = text.encode()
        self.int32(len(data))
        self.out.append(data + b"\n" if self.as_text and data else data)

    def is_known(self, kind: int, value: Any) -> bool:
        """Begin an object; whether the file has it already."""
        known = id(value) in self.known
        index = self.known.setdefault(id(value), len(self.known) + 1)
        self.alive.append(value)
        self.int32(kind, index)
        return known

    def write(self, value: Any) -> None:
        for kind, put in _WRITERS:
            if isinstance(value, kind):
                put(self, value)
                return
        raise TypeError(type(value))

    def name(self, class_name: str) -> None:
        if self.versions:
            self.string("V 1")
        self.string(class_name)


def _array(writer: _Writer, array: np.ndarray[Any, Any]) -> None:
    if writer.is_known(4, array):
        return
    base = array if array.base is None or not isinstance(array.base, np.ndarray) else array.base
    kind = _CLASSES[array.dtype.str[1:]]
    writer.name(f"torch.{kind}Tensor")
    writer.int32(array.ndim)
    writer.longs(*array.shape)
    writer.longs(*(stride // array.itemsize for stride in array.strides))
    first = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    writer.longs(first // array.itemsize + 1)
    if not array.size:
        writer.int32(0)
        return
    _storage(writer, base.reshape(-1), base, kind)


def _storage(writer: _Writer, data: np.ndarray[Any, Any], owner: Any, kind: str) -> None:
    key = (id(owner), "storage")
    known = key in writer.known
    index = writer.known.setdefault(key, len(writer.known) + 1)  # type: ignore[call-overload]
    writer.alive.append(owner)
    writer.int32(4, index)
    if known:
        return
    writer.name(f"torch.{kind}Storage")
    writer.longs(data.size)
    if not writer.as_text:
        stored = data.astype(np.int32) if kind == "Long" and writer.long_size == 4 else data
        writer.out.append(stored.tobytes())
    elif kind == "Byte":
        writer.out.append(data.tobytes() + b"\n")
    else:
        writer._put("", *(x.item() for x in data))


def _table(writer: _Writer, table: Any) -> None:
    if writer.is_known(3, table):
        return
    if isinstance(table, list):
        entries = {float(number): each for number, each in enumerate(table, 1)}
    else:
        entries = {key: each for key, each in table.items() if each is not None}
    writer.int32(len(entries))
    for key, each in entries.items():
        writer.write(key.table if isinstance(key, Key) else key)
        writer.write(each)


def _module(writer: _Writer, module: Module) -> None:
    if writer.is_known(4, module):
        return
    writer.name(module.class_name)
    _table(writer, module.fields)


def _longs(writer: _Writer, longs: Longs) -> None:
    _storage(writer, longs.numbers, longs, "Long")


def _number(writer: _Writer, number: float) -> None:
    writer.int32(1)
    writer._put("d", float(number))


def _boolean(writer: _Writer, value: bool) -> None:
    writer.int32(5, int(value))


def _string(writer: _Writer, value: str) -> None:
    writer.int32(2)
    writer.string(value)


def _function(writer: _Writer, function: Function) -> None:
    if writer.is_known(8, function):
        return
    writer.string("\x1bLuaJ code")
    _table(writer, [function])


def _nil(writer: _Writer, _: None) -> None:
    writer.int32(0)


def _raw(writer: _Writer, data: Raw) -> None:
    writer.out.append(data)


_WRITERS: list[tuple[type, Callable[[_Writer, Any], None]]] = [
    (Raw, _raw),
    (Module, _module),
    (Longs, _longs),
    (Function, _function),
    (np.ndarray, _array),
    (bool, _boolean),
    (int, _number),
    (float, _number),
    (str, _string),
    (list, _table),
    (dict, _table),
    (type(None), _nil),
]


def written(
    value: Any, *, as_text: bool = False, long_size: int = 8, versions: bool = True
) -> bytes:
    """Return the file of an object: modules, arrays, numbers, strings, lists and dicts of them.

    Args:
        value: The object.
        as_text: Whether the file is text.
        long_size: The number of bytes of a long.
        versions: Whether classes have versions, which very old files lack.
    """
    writer = _Writer(as_text=as_text, long_size=long_size, versions=versions)
    writer.write(value)
    return b"".join(writer.out)
