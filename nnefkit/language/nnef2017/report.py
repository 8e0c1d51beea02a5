"""The report of a provisional document, and its notes on what changed since."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from nnefkit.errors import Severity, Span
from nnefkit.language.report import Report

CODE = "provisional"

# Allowed by the provisional specification.
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
    """The diagnostics of a provisional document, by its own rules and with its own type names."""

    def add(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str = "",
        section: str = "",
        severity: Severity = "error",
    ) -> None:
        """Add a problem, unless it was allowed in 2017."""
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
    """Collects the changes since 2017 that a document is affected by, and where."""

    def __init__(self) -> None:
        self._changes: dict[str, _Change] = {}

    def note(self, message: str, span: Span | None, section: str, hint: str = "") -> None:
        """Note one place of a change.

        Args:
            message: The description, the same for all places of one kind of change.
            span: The place.
            section: The section of NNEF 1.0 that states the current rule.
            hint: Shown with the first place.
        """
        span = span or Span(0, 0)
        change = self._changes.get(message)
        if change is None:
            change = self._changes[message] = _Change(span, hint, section)
        change.places.add(span)

    def report(self, report: Report) -> None:
        """Add one note for each kind of change to a report."""
        for message, change in self._changes.items():
            first = min(change.places, key=lambda span: span.start)
            count = len(change.places)
            counted = f" ({count} places)" if count > 1 else ""
            report.add(CODE, message + counted, first, change.hint, change.section, "note")
