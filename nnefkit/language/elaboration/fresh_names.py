"""Names of the tensors that come out of expressions and fragments."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

from nnefkit.graph import FrozenDict, Identifier, Operation, Tensor


class FreshNames:
    """Gives names to intermediate tensors, and renames those that turn out to be a result."""

    def __init__(self, taken: Container[str]) -> None:
        self._taken = taken
        """All identifiers of the text, whether they come before or after."""
        self._counts: dict[str, int] = {}
        self._issued: set[str] = set()
        self._fresh: set[str] = set()
        self._aliases: dict[str, str] = {}
        self._log: tuple[list[tuple[str, str]], list[tuple[str, str]]] | None = None

    def begin(self) -> None:
        """Remembers from here on what is issued and renamed."""
        self._log = [], []

    def finish(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """What was issued (wish and name) and renamed (old and new name) since `begin`."""
        log, self._log = self._log, None
        return log or ([], [])

    def issue(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """Issues names for wishes of theirs; False, and nothing done, if others would come out."""
        counts = self._counts
        for wish, name in pairs:
            if wish in counts or name in self._taken or name in self._issued:
                return False
        for wish, name in pairs:
            counts[wish] = counts.get(wish, 0) + 1
            self._issued.add(name)
            self._fresh.add(name)
        return True

    def unused(self, base: str) -> str:
        """A name that begins with `base` and that nothing else has."""
        while True:
            count = self._counts[base] = self._counts.get(base, 0) + 1
            name = base if count == 1 else f"{base}_{count}"
            if name not in self._taken and name not in self._issued:
                self._issued.add(name)
                self._fresh.add(name)
                if self._log is not None:
                    self._log[0].append((base, name))
                return name

    def rename(self, tensor: str, name: str) -> bool:
        """Calls a tensor with a name of ours `name` in the end; False if it has another name."""
        if tensor not in self._fresh:
            return False
        self._fresh.discard(tensor)
        self._aliases[tensor] = name
        if self._log is not None:
            self._log[1].append((tensor, name))
        return True

    def renamed(
        self, operations: list[Operation], tensors: Mapping[str, Tensor]
    ) -> tuple[Iterable[Operation], Mapping[str, Tensor]]:
        """The same with the names that tensors got in the end."""
        aliases = self._aliases
        if not aliases:
            return operations, tensors
        changed = [
            replace(
                operation,
                inputs=FrozenDict(_renamed(dict(operation.inputs), aliases)),
                outputs=FrozenDict(_renamed(dict(operation.outputs), aliases)),
            )
            for operation in operations
        ]
        given = set(aliases.values())
        kept = {
            aliases.get(name, name): replace(tensor, name=aliases.get(name, name))
            for name, tensor in tensors.items()
            if name in aliases or name not in given
        }
        return changed, kept


def _renamed(values: Any, aliases: Mapping[str, str]) -> Any:
    if isinstance(values, Identifier):
        return Identifier(aliases.get(values, values))
    if isinstance(values, dict):
        return {key: _renamed(value, aliases) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return type(values)(_renamed(value, aliases) for value in values)
    return values
