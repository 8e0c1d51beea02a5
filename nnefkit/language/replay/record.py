"""What assignments of one form add to a graph, in numbers in place of names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from nnefkit.errors import Span
from nnefkit.graph import FrozenDict, Identifier, Operation, Tensor
from nnefkit.language.types import Type


class Part(NamedTuple):
    """An operation of a stamp; numbers refer to the names that are put in."""

    name: str
    input_keys: tuple[str, ...]
    inputs: tuple[Any, ...]
    """Number of a name or literal, or a tuple of them for an array."""
    output_keys: tuple[str, ...]
    outputs: tuple[Any, ...]
    flat: bool
    """Whether there is no array among them."""
    attribs: FrozenDict
    dtype: str | None
    scope: tuple[tuple[str, int], ...]
    """Fragment and number of the name behind it."""
    span: tuple[int, int] | Span | None
    """First and last token from the beginning of the assignment, or the same place always."""


class Stamp(NamedTuple):
    """What assignments of one form add to a graph."""

    names: tuple[int, ...]
    """The tokens that are different identifiers, counted from the beginning of the assignment."""
    kinds: list[Type | None]
    """Their types before; None for what the assignment itself makes known."""
    repeats: tuple[tuple[int, int], ...]
    """Pairs of tokens that are the same identifier."""
    targets: tuple[tuple[int, int, Type], ...]
    """Number, token and type of the names that are defined."""
    fresh: tuple[tuple[int, str, str], ...]
    """Number of the target, and what is behind it in wish and name of an intermediate tensor."""
    literals: tuple[Any, ...]
    label: int
    """The token of the label of a variable, if there is one."""
    extents: tuple[int, int]
    """The first token of the extents of a variable, and how many there are."""
    parts: tuple[Part, ...]
    tensors: tuple[tuple[int, Tensor], ...]
    renamed: tuple[tuple[int, int], ...]
    steps: int


class Unfit(Exception):  # noqa: N818 - caught at once: the assignment is read in full each time
    """Something of an assignment cannot be put into a stamp."""


class Record:
    """Operations of one assignment on their way into a stamp."""

    def __init__(
        self, texts: list[str], ends: list[int], first: int, end: int, numbers: dict[str, int]
    ) -> None:
        self.numbers = numbers
        self.names = len(numbers)
        self.literals: list[Any] = []
        self.begins = {ends[i] - len(texts[i]): i - first for i in range(first, end)}
        self.ends = {ends[i]: i - first for i in range(first, end)}
        self.whole = Span(min(self.begins), max(self.ends))

    def number(self, name: str) -> int:
        """The number of a name."""
        try:
            return self.numbers[name]
        except KeyError:
            raise Unfit from None

    def part(self, operation: Operation) -> Part:
        """An operation with numbers in place of names."""
        attribs = operation.attribs
        for value in attribs.values():
            if isinstance(value, Identifier) or (
                isinstance(value, (list, tuple))
                and any(isinstance(item, (list, Identifier)) for item in value)
            ):
                raise Unfit
        inputs = tuple(map(self.reference, operation.inputs.values()))
        outputs = tuple(map(self.reference, operation.outputs.values()))
        return Part(
            operation.name,
            tuple(operation.inputs),
            inputs,
            tuple(operation.outputs),
            outputs,
            not any(type(reference) is tuple for reference in (*inputs, *outputs)),
            FrozenDict(attribs),
            operation.dtype,
            tuple(map(self.called, operation.scope)),
            self.place(operation.span),
        )

    def reference(self, value: Any) -> Any:
        """A name or literal, or an array of them, in numbers."""
        if isinstance(value, list):
            if any(isinstance(item, (list, tuple)) for item in value):
                raise Unfit
            return tuple(map(self.reference, value))
        if isinstance(value, Identifier):
            return self.number(value)
        if isinstance(value, tuple):
            raise Unfit
        self.literals.append(value)
        return self.names + len(self.literals) - 1

    def called(self, label: str) -> tuple[str, int]:
        """A fragment's call in `Operation.scope`."""
        fragment, _, name = label.partition(":")
        return fragment, self.number(name)

    def place(self, span: Span | None) -> tuple[int, int] | Span | None:
        """A place in the assignment, or one in a fragment."""
        if span is None or span.end <= self.whole.start or span.start >= self.whole.end:
            return span
        if span.start not in self.begins or span.end not in self.ends:
            raise Unfit
        return self.begins[span.start], self.ends[span.end]


def intermediates(
    issued: Sequence[tuple[str, str]],
    numbers: dict[str, int],
    targets: Sequence[tuple[int, int, Type]],
) -> Iterable[tuple[int, str, str]]:
    """The names of intermediate tensors, by what is behind the name of a target in them."""
    defined = {number for number, _, _ in targets}
    counts: dict[str, int] = {}
    for wish, name in issued:
        count = counts[wish] = counts.get(wish, 0) + 1
        stems = [
            (number, text)
            for text, number in numbers.items()
            if number in defined and (wish == text or wish.startswith(f"{text}_"))
        ]
        if len(stems) != 1 or name != (wish if count == 1 else f"{wish}_{count}"):
            raise Unfit
        number, text = stems[0]
        yield number, wish[len(text) :], name[len(text) :]
