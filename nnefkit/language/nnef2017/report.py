"""What changed between the provisional specification and 1.0, told once for each kind of change."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nnefkit.errors import Severity, Span
from nnefkit.language.report import Report

CODE = "provisional"

# What these tell is allowed by the provisional specification.
_ALLOWED = frozenset(
    (
        "named-tensor",
        "deprecated-function",
        "deprecated-operation",
        "result-type",
        "parameter-order",
        "mixed-tuple",
    )
)
_TYPE_CODES = frozenset(
    ("type-mismatch", "missing-argument", "ambiguous-type", "not-a-tensor", "result-mismatch")
)
_TYPES = re.compile(r"\binteger\b|\btensor<(?:scalar)?>")


class ProvisionalReport(Report):
    """The diagnostics of a provisional document: its own rules, in the words of its types."""

    def add(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str = "",
        section: str = "",
        severity: Severity = "error",
    ) -> None:
        """Adds a problem, unless it was none in 2017."""
        if code in _ALLOWED:
            return
        if code in _TYPE_CODES:
            message, hint = _TYPES.sub(_old_type, message), _TYPES.sub(_old_type, hint)
        super().add(code, message, span, hint, section, severity)


def _old_type(match: re.Match[str]) -> str:
    return "extent" if match[0] == "integer" else "tensor"


@dataclass(slots=True)
class _Change:
    span: Span
    hint: str
    section: str
    places: set[Span] = field(default_factory=set)


class Upgrades:
    """Collects what changed, and where."""

    def __init__(self) -> None:
        self._changes: dict[str, _Change] = {}

    def tell(self, message: str, span: Span | None, section: str, hint: str = "") -> None:
        """Notes one place of a change.

        Args:
            message: the same for all places of one kind of change.
            span: the place.
            section: of NNEF 1.0, that says how it is now.
            hint: told with the first place.
        """
        span = span or Span(0, 0)
        change = self._changes.get(message)
        if change is None:
            change = self._changes[message] = _Change(span, hint, section)
        change.places.add(span)

    def report(self, report: Report) -> None:
        """Adds one note for each kind of change."""
        for message, change in self._changes.items():
            first = min(change.places, key=lambda span: span.start)
            count = len(change.places)
            counted = f" ({count} places)" if count > 1 else ""
            report.add(CODE, message + counted, first, change.hint, change.section, "note")
