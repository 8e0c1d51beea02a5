"""The diagnostics of one text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from nnefkit.errors import (
    MAX_LISTED,
    Diagnostic,
    Severity,
    Source,
    Span,
    did_you_mean,
    unlisted_problems,
)

_LONGEST = 2000
"""Maximum length of a message or a hint, since names and lists of parameters can be long."""


def clipped(text: str) -> str:
    """Return a text without its middle part if it is too long for a message."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"


class TokenPositions(Protocol):
    """The positions of tokens in a source, as far as a report needs them."""

    source: Source

    def span(self, first: int, end: int) -> Span:
        """Return the span of the tokens from `first` up to but not including `end`."""

    def start(self, index: int) -> int:
        """Return the offset at which a token begins."""


class Report:
    """Collects the diagnostics of the text of some tokens."""

    def __init__(self, tokens: TokenPositions) -> None:
        self.tokens = tokens
        self.errors = 0
        self._diagnostics: dict[tuple[str, Span | None, str], Diagnostic] = {}
        self._warnings = 0
        self._unlisted = 0
        self._suggestions: dict[str, str] = {}
        self._patience = 200_000

    @property
    def problems(self) -> int:
        """The number of problems of any severity."""
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
        """Add a problem, once if it occurs again at the same place (in a fragment used twice)."""
        message, hint = clipped(message), clipped(hint)
        key = (code, span, message)
        if key in self._diagnostics:
            return
        if severity == "error":
            self.errors += 1
            listed = self.errors <= MAX_LISTED[severity]
        else:
            self._warnings += 1
            listed = self._warnings <= MAX_LISTED[severity]
        if not listed:
            self._unlisted += 1
            return
        self._diagnostics[key] = self.tokens.source.diagnostic(
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
        """Add a problem with one token, or those from `first` up to but not including `end`."""
        span = self.tokens.span(first, first + 1 if end is None else end)
        self.add(code, message, span, hint, section, severity)

    def line_of(self, index: int) -> int:
        """Return the line number of a token."""
        return self.tokens.source.position(self.tokens.start(index))[0]

    def suggest(self, name: str, known: Collection[str]) -> str:
        """Return ``"Did you mean ...?"``, unless the searches so far have taken too long."""
        if name not in self._suggestions:
            self._patience -= len(known)
            if self._patience < 0:
                return ""
            self._suggestions[name] = did_you_mean(name, known)
        return self._suggestions[name]

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All diagnostics, in the order of the text."""
        ordered = sorted(self._diagnostics.values(), key=lambda d: d.span.start if d.span else -1)
        if self._unlisted:
            ordered.append(unlisted_problems(self._unlisted, self.tokens.source.name))
        return ordered


FORMS = {
    "3.1": "Literals are written like this: 1, -2.5, 1e-3, 'text', true, false.",
    "3.2.1": "Write an assignment as: result = operation(tensor, attribute = value);",
    "3.2.2": "Write a fragment as: fragment name( tensor: tensor<scalar>, attribute: integer = 1 ) "
    "-> ( result: tensor<scalar> ) { ... }",
    "3.2.3": "Expressions are written like this: a if condition else b, [for i in array yield "
    "expression], length_of(array), array[0].",
    "3.2.4": "A document consists of: version 1.0; extensions; fragments; one graph.",
    "3.3.1": "The types are integer, scalar, logical, string and tensor<...>, arrays of them "
    "(type[]), and tuples of them ((type, type)).",
    "3.3.2": "The left-hand side consists of identifiers, or arrays and tuples of them.",
    "5.3": 'Write a line as: "tensor": operation(name = value, ...);',
}
"""Section to the hint for a syntax error in it: how its constructs are written."""


def fix(code: str, section: str) -> str:
    """Return the general hint for an error of a kind; empty if there is none."""
    if code == "syntax":
        return FORMS.get(section, "")
    # Imported for the first error: the texts of all codes would add 2 % to the import of nnefkit.
    from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES

    return DIAGNOSTIC_CODES[code].fix
