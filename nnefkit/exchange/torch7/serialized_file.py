"""The reader of Torch7 files: objects only, in binary or as text; nothing of a file is run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.budget import current_budget, remedy
from nnefkit.errors import StorageError
from nnefkit.exchange.torch7.objects import (
    LuaFunction,
    LuaTable,
    TorchObject,
    TorchStorage,
    TorchTensor,
)
from nnefkit.exchange.torch7.primitives import BinaryFile, TextFile, looks_like_text

_NIL, _NUMBER, _STRING, _TABLE, _OBJECT, _BOOLEAN, _FUNCTION = range(7)
_OLD_FUNCTION, _SHARED_FUNCTION = 7, 8

_KINDS = {
    "Float": np.float32,
    "Double": np.float64,
    "Half": np.float16,
    "Long": np.int64,
    "Int": np.int32,
    "Short": np.int16,
    "Byte": np.uint8,
    "Char": np.int8,
}
_DTYPES: dict[str, np.dtype[Any]] = {
    **{name: np.dtype(kind) for name, kind in _KINDS.items()},
    **{f"Cuda{name}": np.dtype(kind) for name, kind in _KINDS.items()},
    "Cuda": np.dtype(np.float32),
    "Cl": np.dtype(np.float32),
}
"""Name of a class without 'Tensor' or 'Storage' -> its dtype."""
_MAX_RANK = 32
_OPAQUE = ("tds.", "threads.", "torch.Timer", "torch.Generator", "torch.DiskFile", "ffi.")
"""Beginnings of the names of classes whose data only their own code can read."""


@dataclass(eq=False)
class _Filled:
    """An object whose parts are read one by one."""

    result: Any
    take: Callable[[Any], None]
    """Takes the next part."""
    left: int = 1
    """The number of parts that follow."""


def read_objects(data: bytes, path: str) -> Any:
    """Return the object that a file has.

    Integers of 8 bytes are tried first, and then those of 4, which 32-bit systems write.

    Args:
        data: The bytes of the file.
        path: Its path, for messages.

    Raises:
        StorageError: The file is damaged, or is not one of Torch7; or reading it takes longer
            than the budget allows.
    """
    if looks_like_text(data):
        return _ObjectReader(TextFile(data, path)).read()
    try:
        return _ObjectReader(BinaryFile(data, path, 8)).read()
    except StorageError as error:
        try:
            return _ObjectReader(BinaryFile(data, path, 4)).read_all()
        except StorageError:
            raise error from None


@dataclass(eq=False)
class _ObjectReader:
    source: BinaryFile | TextFile
    known: dict[int, Any] = field(default_factory=dict)
    """Index of an object in the file -> the object, which may be read only in part yet."""
    count: int = 0
    began: float = field(default_factory=time.monotonic)

    def read(self) -> Any:
        """Return the first object of the file, without recursion, since lists link to lists."""
        stack: list[_Filled] = []
        while True:
            value = self._begun()
            if isinstance(value, _Filled):
                stack.append(value)
                continue
            while stack:
                stack[-1].take(value)
                stack[-1].left -= 1
                if stack[-1].left:
                    break
                value = stack.pop().result
            else:
                return value

    def read_all(self) -> Any:
        """Return the object of a file that has nothing else.

        Raises:
            StorageError: It has: the integers may be of another size.
        """
        found = self.read()
        if self.source.position < len(self.source.data):
            raise self.source.damaged("there is more after the object")
        return found

    def _begun(self) -> Any:
        """Return the next object; a `_Filled` if it has parts that are not read yet."""
        self._check_budget()
        kind = self.source.int32()
        if kind == _NIL:
            return None
        if kind == _NUMBER:
            return self.source.double()
        if kind == _STRING:
            return self.source.text(self.source.int32())
        if kind == _BOOLEAN:
            return self.source.int32() == 1
        if kind == _TABLE:
            return self._table()
        if kind == _OBJECT:
            return self._object()
        if kind == _FUNCTION:
            return self._function(None)
        if kind in (_OLD_FUNCTION, _SHARED_FUNCTION):
            index = self.source.int32()
            return self.known[index] if index in self.known else self._function(index)
        raise self.source.damaged(f"there is no type {kind} of objects")

    def _check_budget(self) -> None:
        self.count += 1
        if self.count % 4096:
            return
        # Objects are cheap: sixteen of them count as one step.
        limits = current_budget()
        limit, attribute = limits.exceeded(self.count / 16, 0, time.monotonic() - self.began)
        if limit:
            raise StorageError(
                f"reading the {self.count:,} objects of the file takes more than {limit}",
                hint=remedy(attribute, "nnefkit.from_torch7(path)"),
                file=self.source.path,
            )

    # -- tables and functions ---------------------------------------------------------------------

    def _table(self) -> Any:
        index = self.source.int32()
        if index in self.known:
            return self.known[index]
        size = self.source.int32()
        if size < 0:
            raise self.source.damaged(f"a table has {size} entries")
        table = LuaTable()
        self.known[index] = table
        keys: list[Any] = []

        def take(value: Any) -> None:
            if not keys:
                keys.append(value)
                return
            key = keys.pop()
            if key is None or key != key:
                raise self.source.damaged("a table has an entry without a key")
            # In Python, true and 1 are one key.
            table.entries[("boolean", key) if isinstance(key, bool) else key] = value

        return _Filled(table, take, 2 * size) if size else table

    def _function(self, index: int | None) -> _Filled:
        """Skip the code of a function; the values that it refers to follow."""
        self.source.skip(self.source.int32())
        function = LuaFunction()
        if index is not None:
            self.known[index] = function
        return _Filled(function, lambda _: None)

    # -- objects with a class ---------------------------------------------------------------------

    def _object(self) -> Any:
        index = self.source.int32()
        if index in self.known:
            return self.known[index]
        name = self.source.text(self.source.int32())
        if name.startswith("V ") and name[2:].strip().lstrip("-").isdigit():
            name = self.source.text(self.source.int32())
        stem, kind = _split(name)
        if kind == "Tensor":
            return self._tensor(index, name)
        if kind == "Storage":
            size = self.source.int64()
            storage = TorchStorage(name, self.source.array(_DTYPES[stem], size))
            self.known[index] = storage
            return storage
        if name.startswith(_OPAQUE):
            raise StorageError(
                f"the file has an object of the class '{name}', which only its own code can read",
                hint="Save the network without it: torch.save(path, net:clearState()).",
                file=self.source.path,
            )
        made = TorchObject(name)
        self.known[index] = made

        def take(fields: Any) -> None:
            made.fields = fields

        return _Filled(made, take)

    def _tensor(self, index: int, name: str) -> _Filled:
        rank = self.source.int32()
        if not 0 <= rank <= _MAX_RANK:
            raise self.source.damaged(f"a tensor has {rank} dimensions")
        shape = tuple(int(n) for n in self.source.longs(rank))
        strides = tuple(int(n) for n in self.source.longs(rank))
        made = TorchTensor(name, shape, strides, self.source.int64() - 1, None)
        self.known[index] = made

        def take(storage: Any) -> None:
            if storage is not None and not isinstance(storage, TorchStorage):
                raise self.source.damaged(f"a {name} has no storage")
            made.storage = storage
            self._check_bounds(made)

        return _Filled(made, take)

    def _check_bounds(self, tensor: TorchTensor) -> None:
        if min(tensor.shape, default=0) < 0:
            raise self.source.damaged(f"a tensor has the shape {[*tensor.shape]}")
        if not tensor.shape or 0 in tensor.shape:
            return
        if tensor.storage is None:
            raise self.source.damaged("a tensor has no storage")
        last = tensor.offset + sum(
            (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
        )
        size = tensor.storage.data.size
        if min(tensor.strides) < 0 or not 0 <= tensor.offset <= last < size:
            raise self.source.damaged(f"a tensor exceeds its storage of {size:,} elements")


def _split(name: str) -> tuple[str, str]:
    """Return the dtype in the name of a class, and whether it is a Tensor or a Storage."""
    if name.startswith("torch."):
        for kind in ("Tensor", "Storage"):
            stem = name[len("torch.") :].removesuffix(kind)
            if name.endswith(kind) and stem in _DTYPES:
                return stem, kind
    return "", ""
