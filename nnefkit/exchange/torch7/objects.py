"""The objects of a Torch7 file as plain data: tables, objects with a class, tensors, functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.arrays import Array


@dataclass(eq=False, repr=False)
class LuaTable:
    """A table of Lua; equal only to itself, so that it can be a key of another one."""

    entries: dict[Any, Any] = field(default_factory=dict)
    """Key -> value. Keys are numbers, strings, logicals, or other objects."""

    def __repr__(self) -> str:
        return f"LuaTable({len(self.entries)} entries)"

    def list(self) -> list[Any]:
        """Return the values of the keys 1, 2, ... up to the first one that is missing."""
        values: list[Any] = []
        while (value := self.entries.get(float(len(values) + 1))) is not None:
            values.append(value)
        return values

    def get(self, key: Any) -> Any:
        """Return the value of a key, None if there is none."""
        return self.entries.get(key)


@dataclass(eq=False, repr=False)
class TorchObject:
    """An object with a class, such as a module: the fields are those of a table."""

    class_name: str
    fields: Any = None
    """What the file has for it: a table for all classes that are written in Lua."""

    def __repr__(self) -> str:
        return f"TorchObject({self.class_name})"

    @property
    def table(self) -> LuaTable:
        """Its fields; an empty table if the file has something else."""
        return self.fields if isinstance(self.fields, LuaTable) else LuaTable()

    def get(self, key: Any) -> Any:
        """Return a field, None if there is none."""
        return self.table.get(key)

    def with_array(self, name: str, array: Array) -> TorchObject:
        """Return the object with a field that is a tensor of other elements."""
        data = np.ascontiguousarray(array)
        steps = tuple(stride // data.itemsize for stride in data.strides)
        storage = TorchStorage("torch.FloatStorage", data.reshape(-1))
        tensor = TorchTensor("torch.FloatTensor", data.shape, steps, 0, storage)
        return TorchObject(self.class_name, LuaTable({**self.table.entries, name: tensor}))

    @property
    def short_name(self) -> str:
        """The name of its class without that of the package."""
        return self.class_name.rpartition(".")[2]


@dataclass(eq=False, repr=False)
class TorchStorage:
    """A row of numbers."""

    class_name: str
    data: Array

    def __repr__(self) -> str:
        return f"TorchStorage({self.class_name}, {self.data.size})"


@dataclass(eq=False, repr=False)
class TorchTensor:
    """A view of a storage; only its shape is known until the elements are copied."""

    class_name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    """The position of the first element, from 0."""
    storage: TorchStorage | None

    def __repr__(self) -> str:
        return f"TorchTensor({self.class_name}, {'x'.join(map(str, self.shape)) or 'empty'})"

    @property
    def is_empty(self) -> bool:
        """Whether it has no elements: modules free their buffers so."""
        return not self.shape or 0 in self.shape or self.storage is None

    @property
    def key(self) -> tuple[Any, ...]:
        """What two tensors that are the same view of the same storage have in common."""
        return id(self.storage), self.shape, self.strides, self.offset

    def array(self) -> Array:
        """Return a copy of the elements.

        The reader of the file has checked that all of them are inside of the storage.
        """
        if self.storage is None or self.is_empty:
            return np.zeros(self.shape or (0,), np.float32)
        data = self.storage.data
        steps = [stride * data.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(
            data[self.offset :], self.shape, steps, writeable=False
        )
        return np.ascontiguousarray(view)


@dataclass(frozen=True, eq=False)
class LuaFunction:
    """A function that was left out: nothing of it is run."""
