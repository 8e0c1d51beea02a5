"""Problems of the operations of a graph, each at its position in the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nnefkit.errors import (
    MAX_LISTED,
    ArgumentError,
    Diagnostic,
    Source,
    Span,
    unlisted_problems,
)
from nnefkit.graph import Graph, Operation
from nnefkit.operations.registry import Problems

Locate = Callable[[Source, Span, str, str], Span]
"""``locate(source, span, argument, operation)``: span of an argument of the operation at `span`."""

_LOCATED = 4
"""How often the text may be searched for arguments: operations of one fragment share their text."""


class Reports:
    """Diagnostics, each at its position in the source of the graph."""

    def __init__(self, graph: Graph, locate: Locate | None) -> None:
        self._source = graph.source
        self._locate = locate
        self._diagnostics: list[Diagnostic] = []
        self._counts: dict[str, int] = {}
        self._searchable = 100_000 + _LOCATED * len(graph.source.text if graph.source else "")

    def add(self, op: Operation, error: ArgumentError) -> None:
        """Add the diagnostics of an error that a rule raised for `op`."""
        for diagnostic, argument in zip(error.diagnostics, error.arguments, strict=True):
            self._add(op, diagnostic, argument)

    def collect(self, op: Operation, problems: Problems) -> None:
        """Add the problems collected for `op`, if any."""
        try:
            problems.done()
        except ArgumentError as error:
            self.add(op, error)

    def in_order(self) -> list[Diagnostic]:
        """Return the diagnostics in the order of the text."""
        ordered = sorted(self._diagnostics, key=lambda d: d.span.start if d.span else -1)
        unlisted = sum(self._counts.values()) - len(ordered)
        return [*ordered, unlisted_problems(unlisted)] if unlisted else ordered

    def _add(self, op: Operation, diagnostic: Diagnostic, argument: str) -> None:
        severity = diagnostic.severity
        self._counts[severity] = self._counts.get(severity, 0) + 1
        if self._counts[severity] > MAX_LISTED[severity]:
            return
        source, span = self._source, op.span
        message = f"{op.name}: {diagnostic.message}"
        hint = diagnostic.hint
        if op.scope:
            hint = f"{hint} The operation is part of {' > '.join(op.scope)}.".strip()
        if source is None or span is None:
            message = f"{op.name} of {', '.join(map(repr, op.output_names))}: {diagnostic.message}"
            self._diagnostics.append(replace(diagnostic, message=message, hint=hint))
            return
        if argument and self._locate is not None and self._searchable > 0:
            self._searchable -= span.end - span.start
            span = self._locate(source, span, argument, op.name)
        self._diagnostics.append(
            source.diagnostic(
                diagnostic.code,
                message,
                span,
                severity=diagnostic.severity,
                hint=hint,
                section=diagnostic.section,
            )
        )
