"""Recordings: the effect of an assignment on a graph, with numbers instead of names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from nnefkit.errors import Span
from nnefkit.graph import FrozenDict, Identifier, Operation, Tensor
from nnefkit.language.replay.patterns import ANY_EXTENT, ANY_LABEL, Unrepeatable
from nnefkit.language.types import Type

Reference = Any
"""Number of a name or a literal, or a tuple of numbers for an array."""


class RecordedOperation(NamedTuple):
    """An operation of a recording; numbers refer to names and literals."""

    name: str
    input_keys: tuple[str, ...]
    inputs: tuple[Reference, ...]
    output_keys: tuple[str, ...]
    outputs: tuple[Reference, ...]
    flat: bool
    """True if no input or output is an array."""
    attribs: FrozenDict
    dtype: str | None
    scope: tuple[tuple[str, int], ...]
    """Fragment and number of the name in each call label."""
    span: tuple[int, int] | Span | None
    """First and last token, counted from the first of the assignment; a span of another text."""


class VariableTokens(NamedTuple):
    """The tokens of a variable that differ from one variable to the next."""

    label: int
    extents: int
    """The first extent."""
    rank: int
    """The number of extents, 0 if they are part of the pattern."""


class RecordedPattern(NamedTuple):
    """The effect of the assignments of one pattern; tokens are counted from the first one."""

    offsets: tuple[int, ...]
    """The tokens that are distinct identifiers; their names have the numbers 0, 1, ..."""
    types: list[Type | None]
    """Their types before the assignment; None for those that it defines."""
    repeats: tuple[tuple[int, int], ...]
    """Pairs of tokens that are the same identifier."""
    targets: tuple[tuple[int, int, Type], ...]
    """Number, token and type of each name that is defined."""
    new_names: tuple[tuple[int, str, str], ...]
    """Intermediate tensors: number of a target, and the suffixes of base and name."""
    literals: tuple[Any, ...]
    """Literal inputs; their numbers follow those of the names."""
    variable: VariableTokens | None
    operations: tuple[RecordedOperation, ...]
    tensors: tuple[tuple[int, Tensor], ...]
    renamed: tuple[tuple[int, int], ...]
    """Pairs of an intermediate tensor and the name that replaces it."""
    steps: int
    """Number of steps of the budget that it takes."""


class AssignmentRecorder:
    """Replaces names by numbers in the operations of one assignment."""

    def __init__(
        self, texts: list[str], ends: list[int], first: int, end: int, numbers: Mapping[str, int]
    ) -> None:
        self.numbers = numbers
        self.literals: list[Any] = []
        self._begins = {ends[i] - len(texts[i]): i - first for i in range(first, end)}
        self._ends = {ends[i]: i - first for i in range(first, end)}
        self._whole = Span(min(self._begins), max(self._ends))

    def number(self, name: str) -> int:
        """Return the number of a name."""
        try:
            return self.numbers[name]
        except KeyError:
            raise Unrepeatable from None

    def operation(self, operation: Operation) -> RecordedOperation:
        """Return an operation with numbers instead of names.

        Raises:
            Unrepeatable: It has attributes with names in them, or nested arrays.
        """
        attribs = operation.attribs
        for value in attribs.values():
            if isinstance(value, Identifier) or (
                isinstance(value, (list, tuple))
                and any(isinstance(element, (list, Identifier)) for element in value)
            ):
                raise Unrepeatable
        inputs = tuple(map(self._reference, operation.inputs.values()))
        outputs = tuple(map(self._reference, operation.outputs.values()))
        return RecordedOperation(
            operation.name,
            tuple(operation.inputs),
            inputs,
            tuple(operation.outputs),
            outputs,
            not any(type(reference) is tuple for reference in (*inputs, *outputs)),
            FrozenDict(attribs),
            operation.dtype,
            tuple(map(self._call, operation.scope)),
            self._span(operation.span),
        )

    def _reference(self, value: Any) -> Reference:
        if isinstance(value, list):
            if any(isinstance(element, (list, tuple)) for element in value):
                raise Unrepeatable
            return tuple(map(self._reference, value))
        if isinstance(value, Identifier):
            return self.number(value)
        if isinstance(value, tuple):
            raise Unrepeatable
        self.literals.append(value)
        return len(self.numbers) + len(self.literals) - 1

    def _call(self, label: str) -> tuple[str, int]:
        fragment, _, name = label.partition(":")
        return fragment, self.number(name)

    def _span(self, span: Span | None) -> tuple[int, int] | Span | None:
        if span is None or span.end <= self._whole.start or span.start >= self._whole.end:
            return span
        if span.start not in self._begins or span.end not in self._ends:
            raise Unrepeatable
        return self._begins[span.start], self._ends[span.end]


def recorded_names(
    issued: Sequence[tuple[str, str]],
    numbers: Mapping[str, int],
    targets: Sequence[tuple[int, int, Type]],
) -> Iterable[tuple[int, str, str]]:
    """Yield the names of intermediate tensors, relative to the target that they begin with.

    Args:
        issued: Name and base of each intermediate tensor.
        numbers: The numbers of the identifiers of the assignment.
        targets: Number, token and type of each name that is defined.

    Raises:
        Unrepeatable: A name does not follow from that of one target.
    """
    defined = {number for number, _, _ in targets}
    counts: dict[str, int] = {}
    for name, base in issued:
        count = counts[base] = counts.get(base, 0) + 1
        stems = [
            (number, text)
            for text, number in numbers.items()
            if number in defined and (base == text or base.startswith(f"{text}_"))
        ]
        if len(stems) != 1 or name != (base if count == 1 else f"{base}_{count}"):
            raise Unrepeatable
        number, text = stems[0]
        yield number, base[len(text) :], name[len(text) :]


def variable_tokens(
    pattern: Sequence[Any], operations: Sequence[RecordedOperation]
) -> VariableTokens | None:
    """Return the tokens of a variable that differ between repetitions, None if there are none.

    Raises:
        Unrepeatable: A label is not that of a single variable.
    """
    if ANY_LABEL not in pattern:
        return None
    if pattern.count(ANY_LABEL) > 1 or [op.name for op in operations] != ["variable"]:
        raise Unrepeatable
    rank = pattern.count(ANY_EXTENT)
    return VariableTokens(pattern.index(ANY_LABEL), pattern.index(ANY_EXTENT) if rank else 0, rank)
