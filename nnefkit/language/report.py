"""Collecting the diagnostics of one text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from nnefkit.errors import Diagnostic, Severity, Source, Span, did_you_mean

MOST_ERRORS = 1000
MOST_WARNINGS = 200
"""More problems of one text are counted and not told: nobody reads them."""


class TokenPositions(Protocol):
    """Tokens, as far as a report needs to know them."""

    source: Source

    def span(self, first: int, end: int) -> Span:
        """Return the span of the tokens from `first` up to but not including `end`."""

    def start(self, index: int) -> int:
        """Return the offset at which a token begins."""


class Report:
    """The diagnostics of the text behind some tokens."""

    def __init__(self, tokens: TokenPositions) -> None:
        self.tokens = tokens
        self.errors = 0
        self._found: dict[tuple[str, Span | None, str], Diagnostic] = {}
        self._warnings = 0
        self._untold = 0
        self._suggestions: dict[str, str] = {}
        self._patience = 200_000

    @property
    def problems(self) -> int:
        """How many there are of any severity."""
        return self.errors + self._warnings

    def add(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str = "",
        section: str = "",
        severity: Severity = "error",
    ) -> None:
        """Adds a problem; the same one at the same place (in a fragment used twice) counts once."""
        key = (code, span, message)
        if key in self._found:
            return
        if severity == "error":
            self.errors += 1
            room = self.errors <= MOST_ERRORS
        else:
            self._warnings += 1
            room = self._warnings <= MOST_WARNINGS
        if not room:
            self._untold += 1
            return
        self._found[key] = self.tokens.source.diagnostic(
            code,
            message,
            span,
            severity=severity,
            hint=hint or (remedy(code, section) if severity == "error" else ""),
            section=section,
        )

    def at(
        self,
        code: str,
        message: str,
        first: int,
        end: int | None = None,
        hint: str = "",
        section: str = "",
        severity: Severity = "error",
    ) -> None:
        """Adds a problem of the tokens from `first` up to and without `end` (or of one token)."""
        span = self.tokens.span(first, first + 1 if end is None else end)
        self.add(code, message, span, hint, section, severity)

    def line_of(self, index: int) -> int:
        """The line of a token."""
        return self.tokens.source.position(self.tokens.start(index))[0]

    def suggest(self, name: str, known: Collection[str]) -> str:
        """``"Did you mean ...?"``, as long as looking for it does not take too long in all."""
        if name not in self._suggestions:
            self._patience -= len(known)
            if self._patience < 0:
                return ""
            self._suggestions[name] = did_you_mean(name, known)
        return self._suggestions[name]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All of it in the order of the text."""
        found = sorted(self._found.values(), key=lambda d: d.span.start if d.span else -1)
        if self._untold:
            found.append(
                self.tokens.source.diagnostic(
                    "too-many-problems",
                    f"{self._untold} more problems are not listed",
                    None,
                    severity="note",
                )
            )
        return found


REMEDIES = {
    "ambiguous-type": "All arguments of generic type must be of one type.",
    "assigned-parameter": "Give the result of this assignment a name of its own.",
    "division-by-zero": "The divisor is known while the text is read, and must not be zero.",
    "duplicate-argument": "Each parameter takes one argument; leave one of them out.",
    "duplicate-parameter": "Give each of them a name of its own.",
    "duplicate-tensor": "Each tensor has one line; leave one of them out.",
    "endless-recursion": "A recursion ends by an if-else that chooses another branch.",
    "external-not-parameter": "Each external is assigned to one of the graph's parameters.",
    "index-out-of-range": "Items are counted from 0 to the length minus 1; a range may end with "
    "the length.",
    "invalid-cast": "The string must be what a literal of that type would be in the text.",
    "invalid-chaining": "Only operations with a single tensor as result can be chained.",
    "length-mismatch": "Iterate arrays of one length, or cut the longer one: a[:n].",
    "missing-argument": "Parameters without a default value need an argument.",
    "mixed-tuple": "Make them two parameters: one of tensors, one of attributes.",
    "needlessly-generic": "Leave <?> out, or use the type ? for a parameter or a result.",
    "not-a-number": "Choose operands for which the result is a real number.",
    "not-a-tensor": "Attributes are computed in fragments, or written where they are used.",
    "not-constant": "A quantization file consists of literals only.",
    "out-of-range": "Integers lie between -2^63 and 2^63 - 1, scalars within about 1.8e308.",
    "parameter-not-external": "Write: name = external(shape = [...]);",
    "positional-argument": "Positional arguments come first.",
    "ragged-array": "Nested arrays that make up a tensor have the same length at each level.",
    "redefined-identifier": "Each identifier is assigned once; give this one another name.",
    "result-mismatch": "The left-hand side must have the structure of the result: one name for a "
    "tensor, [a, b] for an array, a, b for a tuple.",
    "result-type": "Results are of type tensor<...>, or arrays or tuples of such types.",
    "too-long": "Loops, repetitions and recursions must stay within bounds.",
    "tuple-subscript": "Unpack the tuple instead: a, b = ...",
    "type-mismatch": "Only a literal is cast by itself, to a tensor; others are cast by integer(), "
    "scalar(), logical() and string().",
    "unassigned-result": "Every result is assigned in the body, exactly once.",
    "undefined-identifier": "Identifiers stand on the left-hand side of an assignment before they "
    "are used.",
    "undefined-parameter": "Write: name = external(shape = [...]);",
    "undefined-result": "Every result of the graph is assigned in its body.",
    "unknown-argument": "Arguments have the names of the parameters in the declaration.",
    "unknown-operation": "Operations are those of chapter 4 and the fragments of the document.",
    "unknown-shape": "It depends on errors told elsewhere, or on operations without a shape rule.",
    "unknown-tensor": "The lines name tensors by their identifiers in the graph.",
}
"""Code of a diagnostic -> hint."""

FORMS = {
    "3.1": "See what literals look like: 1, -2.5, 1e-3, 'text', true, false.",
    "3.2.1": "An assignment reads: result = operation(tensor, attribute = value);",
    "3.2.2": "A fragment reads: fragment name( tensor: tensor<scalar>, attribute: integer = 1 ) "
    "-> ( result: tensor<scalar> ) { ... }",
    "3.2.3": "Expressions read: a if condition else b, [for i in array yield item], "
    "length_of(array), array[0].",
    "3.2.4": "A document is: version 1.0; extensions; fragments; one graph.",
    "3.3.1": "The types are integer, scalar, logical, string and tensor<...>, arrays type[] of "
    "them, and tuples (type, type).",
    "3.3.2": "The left-hand side consists of identifiers, in arrays and tuples.",
    "5.3": 'A line reads: "tensor": operation(name = value, ...);',
}
"""Section whose grammar is not followed -> what its constructs look like."""


def remedy(code: str, section: str) -> str:
    """What mends an error of this kind; empty if nothing general can be said."""
    return FORMS.get(section, "") if code == "syntax" else REMEDIES.get(code, "")
