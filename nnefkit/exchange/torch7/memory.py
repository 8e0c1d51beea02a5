"""Tensors as Torch7 passes them on: views of memory that modules may overwrite in place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_value import Value


class _Overwritten(NamedTuple):
    old: Value
    new: Value
    module: str
    """The name of the module that did it."""


@dataclass(eq=False)
class Memory:
    """The memory of one or more tensors."""

    overwritten: list[_Overwritten] = field(default_factory=list)
    reread: list[str] = field(default_factory=list)
    """The modules whose overwriting matters to others that read the memory afterwards."""


class Held:
    """A tensor that a module has computed, and the memory that it is in.

    Args:
        value: The tensor.
        memory: Its memory, if other tensors share it.
    """

    __slots__ = ("_seen", "_value", "memory")

    def __init__(self, value: Value, memory: Memory | None = None) -> None:
        self._value = value
        self.memory = Memory() if memory is None else memory
        self._seen = len(self.memory.overwritten)

    @property
    def value(self) -> Value:
        """The tensor as a module that runs now finds it.

        Raises:
            Refusal: A module has overwritten a part of it, or a tensor that it is a part of.
        """
        value = self._value
        for old, new, module in self.memory.overwritten[self._seen :]:
            if old is not value:
                raise Refusal(
                    f"'{module}' has overwritten a part of its input in place",
                    "Save the network with modules that do not compute in place.",
                )
            value = new
            self.memory.reread.append(module)
        return value

    def overwrite(self, new: Value, module: str) -> Held:
        """Replace the tensor in its memory, for all that read it later."""
        self.memory.overwritten.append(_Overwritten(self.value, new, module))
        return Held(new, self.memory)


def held(result: Any, memory: Memory | None = None) -> Any:
    """Return tensors, or tables of them, as held ones; those that are held already stay."""
    if isinstance(result, list):
        return [held(part, memory) for part in result]
    return Held(result, memory) if isinstance(result, Value) else result


def values(tree: Any) -> Any:
    """Return a tree of held tensors as a tree of tensors."""
    if isinstance(tree, list):
        return [values(part) for part in tree]
    return tree.value if isinstance(tree, Held) else tree
