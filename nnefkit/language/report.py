"""Collecting the diagnostics of one text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES
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
            hint=hint or (fix(code, section) if severity == "error" else ""),
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


def fix(code: str, section: str) -> str:
    """Return the general hint for an error of a kind; empty if there is none."""
    return FORMS.get(section, "") if code == "syntax" else DIAGNOSTIC_CODES[code].fix
