"""Assignments that differ from earlier ones in names only, carried out without reading them again.

A network repeats itself: the hundredth convolution says what the first one said, of other tensors.
What an assignment does follows from its tokens and from the types of its identifiers alone. So the
second time that an assignment of some form occurs, what it adds to the graph is recorded (a
`Stamp`); from then on, names are put into the record. Whatever is not certain to go the same way
(another type, a name defined twice, an intermediate tensor's name that is taken) is read in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from nnefkit.errors import Span
from nnefkit.graph import FrozenDict, FrozenList, Identifier
from nnefkit.graph.drafts import new_operation, new_tensor
from nnefkit.language.declarations.declaration import Declaration, declarations
from nnefkit.language.replay.record import Part, Record, Stamp, Unfit, intermediates
from nnefkit.language.syntax.lexer import IDENTIFIER, LITERAL
from nnefkit.language.syntax.tree import Assignment
from nnefkit.language.types import UNKNOWN, Type

if TYPE_CHECKING:
    from nnefkit.language.elaboration.graph_builder import GraphBuilder

MOST_TOKENS = 400
"""Longer assignments do not recur; they are constants with many values."""
MOST_FORMS = 10_000
"""A text of more forms than these does not repeat itself."""
_MOST_VARIANTS = 4
_MOST_STEPS = 2000
_ANY_NAME = object()
_ANY_LABEL = object()
_ANY_EXTENT = object()
_NEW: list[Stamp] = []


class _Before(NamedTuple):
    """How things stood before an assignment that is to be recorded."""

    first: int
    end: int
    kinds: dict[str, Type | None]
    state: tuple[int, ...]
    operations: int
    tensors: int
    steps: int


class Stamps:
    """The forms of assignments that a text has had."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.names = builder.names
        self.tokens = builder.tokens
        self._codes: list[Any] | None = None
        self._known: dict[tuple[Any, ...], list[Stamp] | None] = {}
        self._semicolon = -1
        self._due: tuple[int, int, list[Stamp]] | None = None

    # -- forms --------------------------------------------------------------------------------

    def _coded(self) -> list[Any]:
        """For each token what it means for the form of its assignment."""
        words = _words(d for d in self.builder.declarations.values() if not d.standard)
        words |= _standard_words()
        tokens = self.tokens
        codes: dict[str, Any] = {
            text: _ANY_NAME if kind == IDENTIFIER and text not in words else text
            for text, kind in tokens.kinds.items()
        }
        found: list[Any] = list(map(codes.__getitem__, tokens.texts))
        # Variables differ in their labels, and most of them in their extents.
        texts, values = tokens.texts, tokens.values
        positive = {text for text, value in values.items() if type(value) is int and value > 0}
        at = -1
        for _ in range(texts.count("label")):
            at = texts.index("label", at + 1)
            if texts[at + 1] != "=" or type(values.get(texts[at + 2])) is not str:
                continue
            found[at + 2] = _ANY_LABEL
            if texts[at - 1] == "," and texts[at - 2] == "]":
                # Behind: shape = [extent, extent, ...]
                first = at - 3
                while texts[first - 1] == "," and at - first < MOST_TOKENS:
                    first -= 2
                if texts[first - 3 : first] == ["shape", "=", "["]:
                    last = at - 2
                    if positive.issuperset(texts[first:last:2]):
                        found[first:last:2] = [_ANY_EXTENT] * len(range(first, last, 2))
        return found

    def repeated(self, first: int) -> int:
        """Carries out the assignment that begins with token `first` if its form is known.

        Returns:
            The token behind it; 0, and nothing done, if it has to be read.
        """
        self._due = None
        if self._codes is None:
            self._codes = self._coded()
        end = self._semicolon
        if end < first:
            try:
                end = self.tokens.texts.index(";", first)
            except ValueError:
                end = len(self.tokens.texts) + MOST_TOKENS
            self._semicolon = end
        if end - first > MOST_TOKENS:
            return 0
        form = tuple(self._codes[first:end])
        variants = self._known.get(form, _NEW)
        if variants is _NEW:
            if len(self._known) < MOST_FORMS:
                self._known[form] = []
        elif variants is not None:
            for stamp in variants:
                if self._apply(stamp, first):
                    return end + 1
            if len(variants) < _MOST_VARIANTS:
                self._due = first, end, variants
        return 0

    # -- putting names into a record ----------------------------------------------------------

    def _apply(self, stamp: Stamp, first: int) -> bool:
        # Unpacked, since asking for fields one by one takes longer than all the rest.
        offsets, kinds, repeats, targets, wishes, literals = stamp[:6]
        label, extents, parts, made, renamed, steps = stamp[6:]
        builder, texts, types = self.builder, self.tokens.texts, self.names.types
        names = [texts[first + offset] for offset in offsets]
        if [types.get(name) for name in names] != kinds or len({*names}) != len(names):
            return False
        for one, other in repeats:
            if texts[first + one] != texts[first + other]:
                return False
        fresh: list[str] = []
        if wishes:
            pairs = [(names[at] + wish, names[at] + name) for at, wish, name in wishes]
            if not builder.expansion.fresh.issue(pairs):
                return False
            fresh = [name for _, name in pairs]
        if steps and not builder.expansion.calls.take(steps):
            return False
        defined_at, known = self.names.defined_at, self.names.identifiers
        for number, offset, kind in targets:
            name = names[number]
            types[name] = kind
            defined_at[name] = first + offset
            known[name] = Identifier(name)
        refs: list[Any] = [known.get(name) for name in names]
        if fresh:
            refs += map(Identifier, fresh)
        refs += literals
        own = self._variable(parts[0].attribs, first, label, extents) if label else None
        self._emit(parts, refs, first, own)
        tensors = builder.tensors
        for number, tensor in made:
            name = refs[number]
            if own is None:
                tensors[name] = new_tensor(name, tensor.dtype, tensor.shape, tensor.data)
            else:
                shape = tuple(own["shape"])
                tensors[name] = new_tensor(name, tensor.dtype, shape, None, own["label"])
        for number, other in renamed:
            builder.expansion.fresh.rename(refs[number], refs[other])
        return True

    def _variable(
        self, attribs: FrozenDict, first: int, label: int, extents: tuple[int, int]
    ) -> FrozenDict:
        """The attributes of a variable."""
        texts, values = self.tokens.texts, self.tokens.values
        text = values[texts[first + label]]
        at, count = extents
        if not count:
            return FrozenDict(attribs, label=text)
        begin = first + at
        shape = [values[extent] for extent in texts[begin : begin + 2 * count : 2]]
        return FrozenDict(attribs, shape=FrozenList(shape), label=text)

    def _emit(
        self, parts: Sequence[Part], refs: list[Any], first: int, own: FrozenDict | None
    ) -> None:
        """Adds the operations; `own` are attributes of this one assignment."""
        texts, ends = self.tokens.texts, self.tokens.ends
        append = self.builder.operations.append
        for name, input_keys, inputs, output_keys, outputs, flat, attribs, dtype, path, at in parts:
            if flat:
                given = FrozenDict(zip(input_keys, [refs[i] for i in inputs], strict=True))
                results = FrozenDict(zip(output_keys, [refs[i] for i in outputs], strict=True))
            else:
                given = FrozenDict(zip(input_keys, _filled(inputs, refs), strict=True))
                results = FrozenDict(zip(output_keys, _filled(outputs, refs), strict=True))
            scope: tuple[str, ...] = ()
            if path:
                scope = tuple([f"{called}:{refs[number]}" for called, number in path])
            span: Span | None
            if type(at) is tuple:
                begin, last = first + at[0], first + at[1]
                span = _new(Span, (ends[begin] - len(texts[begin]), ends[last]))
            else:
                span = at  # type: ignore[assignment]
            append(new_operation(name, given, results, own or attribs, dtype, scope, span))

    # -- recording ----------------------------------------------------------------------------

    def before(self, assignment: Assignment) -> _Before | None:
        """Begins a record of what an assignment does, if it is worth it."""
        if self._due is None or assignment.value is None:
            return None
        if self._due[:2] != (assignment.at, assignment.end):
            return None
        first, end, _ = self._due
        tokens, types = self.tokens, self.names.types
        kinds = {text: types.get(text) for text in tokens.texts[first:end]}
        builder = self.builder
        builder.expansion.fresh.begin()
        return _Before(
            first,
            end,
            kinds,
            self._state(),
            len(builder.operations),
            len(builder.tensors),
            builder.expansion.calls.steps,
        )

    def _state(self) -> tuple[int, ...]:
        """What changes if an assignment does more than to add to the graph."""
        report, calls = self.builder.report, self.builder.expansion.calls
        return report.problems, self.names.externals, calls.shapes_asked

    def after(self, before: _Before) -> None:
        """Keeps the record."""
        assert self._due is not None  # noqa: S101 - for the type checker
        issued, renamed = self.builder.expansion.fresh.finish()
        variants, self._due = self._due[2], None
        try:
            variants.append(self._stamp(before, issued, renamed))
        except Unfit:
            assert self._codes is not None  # noqa: S101 - for the type checker
            self._known[tuple(self._codes[before.first : before.end])] = None

    def _stamp(
        self,
        before: _Before,
        issued: Sequence[tuple[str, str]],
        renamed: Sequence[tuple[str, str]],
    ) -> Stamp:
        builder, names = self.builder, self.names
        steps = builder.expansion.calls.steps - before.steps
        if self._state() != before.state or steps > _MOST_STEPS:
            raise Unfit
        offsets, repeats = self._identifiers(before)
        numbers = {name: number for number, name in enumerate(offsets)}
        kinds = [before.kinds[name] for name in offsets]
        if UNKNOWN in kinds or any(name in names.undefined for name in offsets):
            raise Unfit
        targets = [
            (number, offsets[name], names.types[name])
            for name, number in numbers.items()
            if before.kinds[name] is None and name in names.types
        ]
        if any(kind is UNKNOWN for _, _, kind in targets):
            raise Unfit
        fresh = tuple(intermediates(issued, dict(numbers), targets))
        for _, name in issued:
            numbers[name] = len(numbers)
        record = Record(self.tokens.texts, self.tokens.ends, before.first, before.end, numbers)
        parts = tuple(map(record.part, islice(builder.operations, before.operations, None)))
        count = len(builder.tensors) - before.tensors
        added = [*islice(reversed(builder.tensors.items()), count)][::-1]
        label, extents = self._varying(before, parts)
        return Stamp(
            tuple(offsets.values()),
            kinds,
            tuple(repeats),
            tuple(targets),
            fresh,
            tuple(record.literals),
            label,
            extents,
            parts,
            tuple((record.number(name), tensor) for name, tensor in added),
            tuple((record.number(name), record.number(other)) for name, other in renamed),
            steps,
        )

    def _identifiers(self, before: _Before) -> tuple[dict[str, int], list[tuple[int, int]]]:
        """Name -> token of the identifiers that are no operations and no parameters."""
        texts, kinds = self.tokens.texts, self.tokens.kinds
        offsets: dict[str, int] = {}
        repeats: list[tuple[int, int]] = []
        behind = False
        for index in range(before.first, before.end):
            text, following = texts[index], texts[index + 1]
            if text == "=":
                behind = True
            elif text == "-" and kinds[following] == LITERAL and not _is_operand(texts[index - 1]):
                # Whether that is one literal depends on white space.
                raise Unfit
            elif kinds[text] == IDENTIFIER and not (
                following == "("
                or (following == "<" and texts[index + 3] == ">")
                or (following == "=" and behind)
            ):
                if text in offsets:
                    repeats.append((offsets[text], index - before.first))
                else:
                    offsets[text] = index - before.first
        return offsets, repeats

    def _varying(self, before: _Before, parts: Sequence[Part]) -> tuple[int, tuple[int, int]]:
        """Where the label of a variable and its extents stand."""
        codes = (self._codes or [])[before.first : before.end]
        if _ANY_LABEL not in codes:
            return 0, (0, 0)
        count = codes.count(_ANY_EXTENT)
        if codes.count(_ANY_LABEL) > 1 or len(parts) != 1 or parts[0].name != "variable":
            raise Unfit
        return codes.index(_ANY_LABEL), (codes.index(_ANY_EXTENT) if count else 0, count)


_new: Callable[..., Any] = tuple.__new__


def _words(declarations: Iterable[Declaration]) -> set[str]:
    """The names of operations and of their parameters."""
    words: set[str] = set()
    for declaration in declarations:
        words.add(declaration.name)
        words.update(declaration.by_name)
    return words


@cache
def _standard_words() -> frozenset[str]:
    return frozenset(_words(declarations().values()))


def _is_operand(text: str) -> bool:
    """Whether a minus sign behind a token subtracts."""
    return text in (")", "]") or text[:1].isalnum() or text[:1] in ("_", "'", '"')


def _filled(references: Iterable[Any], refs: list[Any]) -> list[Any]:
    return [
        FrozenList([refs[number] for number in reference])
        if type(reference) is tuple
        else refs[reference]
        for reference in references
    ]
