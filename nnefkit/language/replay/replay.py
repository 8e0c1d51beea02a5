"""Replay of assignments that differ from earlier ones in names only.

A network repeats itself: the hundredth convolution is written like the first one, with other names.
The effect of an assignment follows from its tokens and the types of its identifiers alone. So when
a pattern of tokens occurs for the second time, the effect of the assignment on the graph is
recorded; from then on the recording is replayed with other names, without parsing. An assignment
that may have another effect (another type, a name defined twice, the name of an intermediate tensor
that is in use) is read in full.

This wraps `Assignments` from outside and changes nothing in the result. Without it, parsing 10,000
operations takes 1.6 to 2.2 times as long, and 4 times if most of them come from one fragment (the
networks of tests/benchmarks/test_parsing.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from nnefkit.errors import Span
from nnefkit.graph import FrozenDict, FrozenList, Identifier
from nnefkit.graph.construction import new_operation, new_tensor
from nnefkit.language.elaboration.assignments import Assignments
from nnefkit.language.replay.patterns import (
    MAX_TOKENS,
    Unrepeatable,
    identifier_offsets,
    token_patterns,
)
from nnefkit.language.replay.recording import (
    AssignmentRecorder,
    RecordedOperation,
    RecordedPattern,
    VariableTokens,
    recorded_names,
    variable_tokens,
)
from nnefkit.language.syntax.tree import Assignment
from nnefkit.language.types import UNKNOWN, Type

MAX_PATTERNS = 10_000
"""Maximum number of patterns: a text with more of them is not repetitive."""
_MAX_VARIANTS = 4
"""Maximum number of recordings of one pattern, for different types of its identifiers."""
_MAX_STEPS = 2000
_UNSEEN: list[RecordedPattern] = []


class _Pending(NamedTuple):
    """An assignment to be recorded once it has been read."""

    first: int
    end: int
    variants: list[RecordedPattern]


class _Before(NamedTuple):
    """The state of the graph before an assignment that is recorded."""

    types: dict[str, Type | None]
    side_effects: tuple[int, ...]
    operations: int
    tensors: int
    issued: int
    renamed: int
    steps: int


class Replay:
    """Adds assignments to a graph, repeated ones from recordings.

    It knows the patterns of one text. A parser asks `replayed` before it reads an assignment, and
    passes the assignments that it reads to `add`.
    """

    def __init__(self, assignments: Assignments) -> None:
        self.assignments = assignments
        self.builder = assignments.builder
        self.names = self.builder.names
        self.tokens = self.builder.tokens
        self.new_names = self.builder.new_names
        self.invocations = assignments.expansion.invocations
        self._patterns: list[Any] | None = None
        self._recordings: dict[tuple[Any, ...], list[RecordedPattern] | None] = {}
        """Recordings by pattern, None if its assignments cannot be recorded."""
        self._semicolon = -1
        self._pending: _Pending | None = None

    def replayed(self, first: int) -> int:
        """Carry out the assignment that begins with token `first` if it was recorded.

        Returns:
            The index of the token after it; 0 if nothing was done and it has to be read.
        """
        self._pending = None
        if self._patterns is None:
            declarations = self.builder.declarations.values()
            self._patterns = token_patterns(
                self.tokens, (d for d in declarations if not d.standard)
            )
        end = self._semicolon
        if end < first:
            end = self._semicolon = self._next_semicolon(first)
        if end - first > MAX_TOKENS:
            return 0
        pattern = tuple(self._patterns[first:end])
        variants = self._recordings.get(pattern, _UNSEEN)
        if variants is _UNSEEN:
            if len(self._recordings) < MAX_PATTERNS:
                self._recordings[pattern] = []
        elif variants is not None:
            for recording in variants:
                if self._replay(recording, first):
                    return end + 1
            if len(variants) < _MAX_VARIANTS:
                self._pending = _Pending(first, end, variants)
        return 0

    def add(self, assignment: Assignment) -> None:
        """Add the operations of an assignment that was read, and record it if it is repeated."""
        pending, self._pending = self._pending, None
        place = assignment.at, assignment.end
        if pending is None or assignment.value is None or pending[:2] != place:
            self.assignments.add(assignment)
            return
        before = self._before(pending)
        self.assignments.add(assignment)
        try:
            pending.variants.append(self._recording(pending, before))
        except Unrepeatable:
            assert self._patterns is not None  # noqa: S101 - for the type checker
            self._recordings[tuple(self._patterns[pending.first : pending.end])] = None

    def _next_semicolon(self, first: int) -> int:
        try:
            return self.tokens.texts.index(";", first)
        except ValueError:
            return len(self.tokens.texts) + MAX_TOKENS

    # -- replaying ----------------------------------------------------------------------------

    def _replay(self, recording: RecordedPattern, first: int) -> bool:
        # Unpacked, since accessing the fields one by one takes longer than everything else.
        (
            offsets,
            types,
            repeats,
            targets,
            new,
            literals,
            variable,
            operations,
            tensors,
            renamed,
            steps,
        ) = recording
        names = self._matching_names(offsets, types, repeats, first)
        if names is None or ((steps or new) and not self._reserve(names, new, steps)):
            return False
        types_now, defined_at = self.names.types, self.names.defined_at
        identifiers = self.names.identifiers
        for number, offset, type_ in targets:
            name = names[number]
            types_now[name] = type_
            defined_at[name] = first + offset
            identifiers[name] = Identifier(name)
        references: list[Any] = [identifiers.get(name) for name in names]
        if new:
            references += [Identifier(names[at] + name) for at, _, name in new]
        references += literals
        if variable is None:
            self._add_operations(operations, references, first)
            added = self.builder.tensors
            for number, tensor in tensors:
                name = references[number]
                added[name] = new_tensor(name, tensor.dtype, tensor.shape, tensor.data)
        else:
            self._add_variable(recording, variable, references, first)
        for number, other in renamed:
            self.new_names.rename(references[number], references[other])
        return True

    def _matching_names(
        self,
        offsets: tuple[int, ...],
        types: list[Type | None],
        repeats: tuple[tuple[int, int], ...],
        first: int,
    ) -> list[str] | None:
        """Return the identifiers of an assignment, None if a recording is not valid for them."""
        texts, types_now = self.tokens.texts, self.names.types
        names = [texts[first + offset] for offset in offsets]
        if [types_now.get(name) for name in names] != types or len({*names}) != len(names):
            return None
        if repeats and any(texts[first + a] != texts[first + b] for a, b in repeats):
            return None
        return names

    def _reserve(self, names: list[str], new: Sequence[tuple[int, str, str]], steps: int) -> bool:
        """Reserve the names of intermediate tensors and the steps of an expanded assignment."""
        bases = [(names[at] + base, names[at] + name) for at, base, name in new]
        return self.new_names.reserve(bases) and self.invocations.budget.take(steps)

    def _add_variable(
        self, recording: RecordedPattern, tokens: VariableTokens, references: list[Any], first: int
    ) -> None:
        texts, values = self.tokens.texts, self.tokens.values
        label = values[texts[first + tokens.label]]
        attribs = recording.operations[0].attribs
        if tokens.rank:
            begin = first + tokens.extents
            shape = [values[text] for text in texts[begin : begin + 2 * tokens.rank : 2]]
            attribs = FrozenDict(attribs, shape=FrozenList(shape), label=label)
        else:
            attribs = FrozenDict(attribs, label=label)
        self._add_operations(recording.operations, references, first, attribs)
        extents = tuple(attribs["shape"])
        for number, tensor in recording.tensors:
            name = references[number]
            self.builder.tensors[name] = new_tensor(name, tensor.dtype, extents, None, label)

    def _add_operations(
        self,
        operations: Sequence[RecordedOperation],
        references: list[Any],
        first: int,
        own_attribs: FrozenDict | None = None,
    ) -> None:
        """Add recorded operations; `own_attribs` replaces the recorded attributes."""
        texts, ends = self.tokens.texts, self.tokens.ends
        append = self.builder.operations.append
        for (
            name,
            input_keys,
            inputs,
            output_keys,
            outputs,
            flat,
            attribs,
            dtype,
            path,
            place,
        ) in operations:
            if flat:
                sources = [references[number] for number in inputs]
                results = [references[number] for number in outputs]
            else:
                sources, results = _filled(inputs, references), _filled(outputs, references)
            scope: tuple[str, ...] = ()
            if path:
                scope = tuple([f"{fragment}:{references[number]}" for fragment, number in path])
            span: Span | None
            if type(place) is tuple:
                begin, last = first + place[0], first + place[1]
                span = _new(Span, (ends[begin] - len(texts[begin]), ends[last]))
            else:
                span = place  # type: ignore[assignment]
            append(
                new_operation(
                    name,
                    # `strict` would double the time; the lengths agree by construction.
                    FrozenDict(zip(input_keys, sources)),  # noqa: B905
                    FrozenDict(zip(output_keys, results)),  # noqa: B905
                    own_attribs or attribs,
                    dtype,
                    scope,
                    span,
                )
            )

    # -- recording ----------------------------------------------------------------------------

    def _before(self, pending: _Pending) -> _Before:
        types, builder = self.names.types, self.builder
        return _Before(
            {text: types.get(text) for text in self.tokens.texts[pending.first : pending.end]},
            self._side_effects(),
            len(builder.operations),
            len(builder.tensors),
            len(self.new_names.issued),
            len(self.new_names.aliases),
            self.invocations.budget.steps,
        )

    def _side_effects(self) -> tuple[int, ...]:
        """Return counts that change if an assignment does more than add to the graph."""
        return self.builder.report.problems, self.names.externals, self.invocations.shapes_asked

    def _recording(self, pending: _Pending, before: _Before) -> RecordedPattern:
        """Return the recording of the assignment that was just added.

        Raises:
            Unrepeatable: It may have another effect the next time.
        """
        builder, tokens = self.builder, self.tokens
        first, end = pending.first, pending.end
        steps = self.invocations.budget.steps - before.steps
        if self._side_effects() != before.side_effects or steps > _MAX_STEPS:
            raise Unrepeatable
        offsets, repeats = identifier_offsets(tokens, first, end)
        numbers = {name: number for number, name in enumerate(offsets)}
        targets = self._targets(offsets, before)
        issued = _last(self.new_names.issued.items(), before.issued)
        new_names = tuple(recorded_names(issued, numbers, targets))
        for name, _ in issued:
            numbers[name] = len(numbers)
        recorder = AssignmentRecorder(tokens.texts, tokens.ends, first, end, numbers)
        operations = tuple(map(recorder.operation, builder.operations[before.operations :]))
        assert self._patterns is not None  # noqa: S101 - for the type checker
        return RecordedPattern(
            tuple(offsets.values()),
            [before.types[name] for name in offsets],
            tuple(repeats),
            targets,
            new_names,
            tuple(recorder.literals),
            variable_tokens(self._patterns[first:end], operations),
            operations,
            tuple(
                (recorder.number(name), tensor)
                for name, tensor in _last(builder.tensors.items(), before.tensors)
            ),
            tuple(
                (recorder.number(name), recorder.number(other))
                for name, other in _last(self.new_names.aliases.items(), before.renamed)
            ),
            steps,
        )

    def _targets(
        self, offsets: dict[str, int], before: _Before
    ) -> tuple[tuple[int, int, Type], ...]:
        """Return number, token and type of each name that the assignment has defined."""
        types, undefined = self.names.types, self.names.undefined
        if any(before.types[name] is UNKNOWN or name in undefined for name in offsets):
            raise Unrepeatable
        targets = tuple(
            (number, offset, types[name])
            for number, (name, offset) in enumerate(offsets.items())
            if before.types[name] is None and name in types
        )
        if any(type_ is UNKNOWN for _, _, type_ in targets):
            raise Unrepeatable
        return targets


_new: Callable[..., Any] = tuple.__new__
"""Creates a `Span` faster than its class does."""


def _last(items: Any, count_before: int) -> list[Any]:
    """Return the items of a dict view beyond the first ones, without iterating over those."""
    return [*islice(reversed(items), len(items) - count_before)][::-1]


def _filled(places: Iterable[Any], references: list[Any]) -> list[Any]:
    return [
        FrozenList([references[number] for number in place])
        if type(place) is tuple
        else references[place]
        for place in places
    ]
