"""Calls of Torch7's modules.

A reader takes a `Call` and returns what the module computes: a tensor, or a table of them as a
list. Tables may be nested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite, prod
from typing import Any

from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.bounded_call import BoundedCall
from nnefkit.exchange.compositions.pooling import PoolingWindow
from nnefkit.exchange.refusal import Unread
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.memory import Held
from nnefkit.exchange.torch7.objects import LuaTable, TorchObject, TorchStorage, TorchTensor
from nnefkit.registry import Registry

READERS = Registry()
"""Class of a module -> its reader."""

INVALID = "The network breaks the rules of its modules: check the file, and the shape of the input."


class EarlierRefusalError(Exception):
    """A module cannot be read since one inside of it is refused, which is reported already."""


_MAX_LIST = 1 << 16
_MAX_INTEGER = 2**31


def module(*names: str, cudnn: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that registers a reader.

    Args:
        *names: Names of classes; without a package, it is nn.
        cudnn: Whether the package cudnn has the class as well.
    """
    full = [name if "." in name else f"nn.{name}" for name in names]
    if cudnn:
        full += [f"cudnn.{name}" for name in names if "." not in name]
    return READERS.register(*full)


@dataclass(eq=False)
class Call(BoundedCall):
    """A module, with what it reads."""

    module: TorchObject
    given: Any
    """A held tensor, or a list of what a table has."""
    path: str
    """The path to the module: its positions in the containers that it is in."""
    name: str
    """The name of its result: the path, or that of a container whose result it is."""
    allowance: Allowance = field(repr=False)
    read: Callable[..., Any] = field(repr=False)
    """Reads a module: the module, what it is given, its path, and the name of its result if that
    is another one."""
    pooled: dict[int, tuple[Value, PoolingWindow]] = field(repr=False)
    """Identity of a module for maxima -> its last input, with a batch, and its windows."""
    read_weight: Callable[[TorchTensor, str], Value] = field(repr=False)
    """Returns the constant for a tensor of the file, under a name."""

    @property
    def invalid_hint(self) -> str:
        """A hint for networks that are not valid."""
        return INVALID

    # -- inputs -----------------------------------------------------------------------------------

    def one(self) -> Value:
        """Return the input, which must be a tensor.

        Raises:
            Refusal: It is a table.
        """
        return self.tensor(self.given)

    def tensor(self, given: Any) -> Value:
        """Return what is given as a tensor.

        Raises:
            Refusal: It is a table.
        """
        if not isinstance(given, Held):
            self.invalid(f"its input is a table of {len(given)} values, not a tensor")
        return given.value

    def table(self, count: int | None = None) -> list[Any]:
        """Return the input, which must be a table, as held tensors and lists.

        Args:
            count: The number of its values.

        Raises:
            Refusal: It is a tensor, or has another number of values.
        """
        if not isinstance(self.given, list):
            self.invalid("its input is a tensor, not a table")
        if (count is not None and len(self.given) != count) or not self.given:
            self.invalid(f"its input is a table of {len(self.given)} values, not {count or 'more'}")
        return self.given

    def tensors(self, count: int | None = None) -> list[Value]:
        """Return the input, which must be a table of tensors; see `table`."""
        return [self.tensor(part) for part in self.table(count)]

    def ranked(self, *ranks: int) -> Value:
        """Return the input, which must be a tensor of one of some ranks.

        Raises:
            Refusal: It is not.
        """
        x = self.one()
        if x.rank not in ranks:
            wanted = " or ".join(map(str, ranks))
            self.invalid(f"its input has {x.rank} dimensions, not {wanted}")
        return x

    def batched(self, x: Value, rank: int, compute: Callable[[Value], Value]) -> Value:
        """Return what is computed of a tensor with a batch, which Torch7 lets users leave out.

        Args:
            x: The tensor, with or without a batch.
            rank: The rank with it.
            compute: Computes the result with a batch.

        Raises:
            Refusal: The tensor has neither rank.
        """
        if x.rank == rank:
            return compute(x)
        if x.rank != rank - 1:
            self.invalid(f"its input has {x.rank} dimensions, not {rank - 1} or {rank}")
        result = compute(reshaped(self, x, (1, *x.shape)))
        return reshaped(self, result, result.shape[1:])

    def dimension(self, number: int, rank: int) -> int:
        """Return the axis for a dimension, which counts from 1, or from the end if negative.

        Raises:
            Refusal: There is no such dimension.
        """
        axis = number + rank if number < 0 else number - 1
        if not 0 <= axis < rank:
            self.invalid(f"its dimension is {number}, but its input has {rank} dimensions")
        return axis

    # -- fields -----------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Return whether the module has a field."""
        return self.module.get(name) is not None

    def number(self, name: str, default: float | None = None) -> float:
        """Return a field that is a finite number; files of old versions may lack some.

        Raises:
            Refusal: It is missing without a default, or is something else.
        """
        value = self.module.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, float) or not isfinite(value):
            self.invalid(f"its field '{name}' is {_described(value)}, not a number")
        return value

    def integer(self, name: str, default: int | None = None, least: int | None = None) -> int:
        """Return a field that is an integer.

        Raises:
            Refusal: It is not, or it is less than `least`.
        """
        value = self.number(name, None if default is None else float(default))
        if value != int(value) or abs(value) > _MAX_INTEGER:
            self.invalid(f"its field '{name}' is {value:g}, not an integer")
        if least is not None and value < least:
            self.invalid(f"its field '{name}' is {value:g}")
        return int(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a field as a logical; as in Lua, all but false and nothing is true."""
        value = self.module.get(name)
        return default if value is None else value is not False

    def extents(self, name: str) -> list[int]:
        """Return a field that lists integers, as a storage, a table or a tensor.

        Raises:
            Refusal: It does not.
        """
        value = self.module.get(name)
        numbers: Sequence[Any] | None = None
        if isinstance(value, TorchStorage) and value.data.size <= _MAX_LIST:
            numbers = value.data.tolist()
        elif isinstance(value, TorchTensor) and prod(value.shape) <= _MAX_LIST:
            numbers = value.array().reshape(-1).tolist()
        elif isinstance(value, LuaTable):
            numbers = value.list()[:_MAX_LIST]
        if numbers is None or not all(map(_is_integer, numbers)):
            self.invalid(f"its field '{name}' is {_described(value)}, not a list of integers")
        return [int(number) for number in numbers]

    def stored(self, name: str) -> TorchTensor | None:
        """Return a field that is a tensor with elements; None if there is none."""
        value = self.module.get(name)
        if isinstance(value, TorchTensor) and not value.is_empty:
            return value
        if value is not None and not isinstance(value, TorchTensor):
            self.invalid(f"its field '{name}' is {_described(value)}, not a tensor")
        return None

    def weight(self, name: str, shape: Sequence[int] | None = None) -> Value:
        """Return a weight as a constant.

        Args:
            name: The field.
            shape: The shape that it gets; by default that in the file.

        Raises:
            Refusal: It is missing, or has another number of elements.
        """
        tensor = self.stored(name)
        if tensor is None:
            self.invalid(f"its tensor '{name}' is missing")
        value = self.read_weight(tensor, f"{self.path.replace('_', '.')}.{name}")
        if shape is None or value.shape == tuple(shape):
            return value
        if prod(value.shape) != prod(shape):
            found, wanted = ("×".join(map(str, s)) or "one number" for s in (value.shape, shape))
            self.invalid(f"its tensor '{name}' is {found}, not {wanted}")
        return reshaped(self, value, shape)

    def optional(self, name: str, shape: Sequence[int] | None = None) -> Value | None:
        """Return a weight, None without it; see `weight`."""
        return None if self.stored(name) is None else self.weight(name, shape)

    # -- modules inside ---------------------------------------------------------------------------

    def modules(self, count: int | None = None) -> list[Any]:
        """Return the modules of a container.

        Raises:
            Refusal: It has others than modules, or another number of them.
        """
        value = self.module.get("modules")
        found = value.list() if isinstance(value, LuaTable) else []
        if not all(isinstance(each, TorchObject) for each in found):
            self.invalid("its field 'modules' has something else than modules")
        if count is not None and len(found) != count:
            self.invalid(f"it has {len(found)} modules, not {count}")
        return found

    def inner(self, number: int) -> str:
        """Return the path to the module inside of this one at a position, from 1."""
        return f"module{number}" if self.path == "module" else f"{self.path}_{number}"

    def outcome(self, module: Any, given: Any, number: int, name: str = "") -> Any:
        """Return what a module inside of this one computes, or `UNREAD` if it is refused.

        Args:
            module: The module.
            given: What it is given.
            number: Its position, from 1.
            name: The name of its result, if it is another one than its path.
        """
        return self.read(module, given, self.inner(number), name)

    def inside(self, module: Any, given: Any, number: int, name: str = "") -> Any:
        """Return what a module inside of this one computes; see `outcome`.

        Raises:
            EarlierRefusalError: It is refused.
        """
        return checked(self.outcome(module, given, number, name))


def checked(result: Any) -> Any:
    """Return what modules have computed.

    Raises:
        EarlierRefusalError: Some of it is not read.
    """
    if has_unread(result):
        raise EarlierRefusalError
    return result


def has_unread(tree: Any) -> bool:
    """Return whether something in a tree of tensors is not read."""
    if isinstance(tree, list):
        return any(map(has_unread, tree))
    return isinstance(tree, Unread)


def _is_integer(number: Any) -> bool:
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool)
    return is_number and abs(number) <= _MAX_INTEGER and number == int(number)


def _described(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, (bool, float)):
        return str(value).lower()
    return f"'{value[:40]}'" if isinstance(value, str) else repr(value)
