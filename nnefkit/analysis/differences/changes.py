"""The changes from one graph to another, one kind each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from nnefkit.display.elements import LONGEST_NAME, code
from nnefkit.display.nnef_text import abbreviated
from nnefkit.display.visible_text import visible

LONGEST_VALUE = 80
"""Maximum length of a value in a sentence."""


class OperationChange(NamedTuple):
    """An operation that was added, removed or changed."""

    kind: Literal["added", "removed", "changed"]
    operation: str
    """Its name, in the second graph unless it was removed."""
    tensor: str
    """Name of its first result in the first graph; empty if it was added."""
    other: str
    """The same in the second graph; empty if it was removed."""
    number: int | None
    """Index in the first graph, from 0."""
    other_number: int | None
    line: int | None
    """Line in the text of the first graph."""
    other_line: int | None
    changes: Mapping[str, tuple[Any, Any]]
    """What changed -> before and after: attributes, literal arguments, tensors that it reads (by
    parameter), ``"operation"`` for its name, ``"type"`` for its type argument. None stands for
    nothing, or for a literal that the other one has."""

    @property
    def words(self) -> str:
        """The changes, such as ``stride: [1, 1] → [2, 2]``."""
        return "; ".join(f"{key}: {arrow(*pair)}" for key, pair in self.changes.items())

    def __repr__(self) -> str:
        name = visible(self.tensor or self.other, LONGEST_NAME)
        words = f": {visible(self.words, LONGEST_VALUE)}" if self.changes else ""
        return f"<{self.kind} {name} ({self.operation}){words}>"


class PortChange(NamedTuple):
    """An input or an output that was added, removed or changed."""

    kind: Literal["added", "removed", "renamed", "changed", "moved"]
    port: Literal["input", "output"]
    tensor: str
    """Its name in the first graph; empty if it was added."""
    other: str
    before: Any = None
    """If it changed: its shape, data type or source; if it moved: its position."""
    after: Any = None

    @property
    def words(self) -> str:
        """The change in a few words."""
        names = arrow_of_names(self.tensor, self.other)
        detail = "" if self.before is None else f": {arrow(self.before, self.after)}"
        return f"{self.port} {names} {self.kind}{detail}"


class QuantizationChange(NamedTuple):
    """A tensor with other quantization info."""

    tensor: str
    other: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def words(self) -> str:
        """What changed, such as ``scale: 0.1 → 0.2``."""
        if self.before is None or self.after is None:
            return " → ".join(self.sides)
        return "; ".join(f"{key}: {arrow(a, b)}" for key, a, b in self._differing())

    @property
    def sides(self) -> tuple[str, str]:
        """What differs in the first graph and in the second one, such as ``scale: 0.1``."""
        if self.before is None or self.after is None:
            return _name(self.before), _name(self.after)
        first = "; ".join(f"{key}: {_shown(a)}" for key, a, _ in self._differing())
        return first, "; ".join(f"{key}: {_shown(b)}" for key, _, b in self._differing())

    def _differing(self) -> Iterator[tuple[str, Any, Any]]:
        before, after = self.before or {}, self.after or {}
        for key in dict.fromkeys((*before, *after)):
            if before.get(key) != after.get(key):
                yield key, before.get(key), after.get(key)


def _name(info: Mapping[str, Any] | None) -> str:
    return "nothing" if info is None else str(info.get("op-name", "quantized"))


def arrow(before: Any, after: Any) -> str:
    """Return ``before → after``."""
    return f"{_shown(before)} → {_shown(after)}"


def arrow_of_names(before: str, after: str) -> str:
    """Return one name in `backticks`, or ``before → after`` where they differ."""
    if not before or not after or before == after:
        return code(after or before)
    return f"{code(before)} → {code(after)}"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else abbreviated(value)
    return visible(text, LONGEST_VALUE)
