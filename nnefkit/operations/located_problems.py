"""Problems of the operations of a graph, each at its position in the text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from nnefkit.errors import ArgumentError, Diagnostic, Source, Span
from nnefkit.graph import Graph, Operation
from nnefkit.operations.registry import Problems

Locate = Callable[[Source, Span, str], Span]
"""``locate(source, span, argument)``: span of an argument in the assignment at `span`."""


class Reports:
    """Diagnostics, each at its position in the source of the graph."""

    def __init__(self, graph: Graph, locate: Locate | None) -> None:
        self._source = graph.source
        self._locate = locate
        self._diagnostics: list[Diagnostic] = []

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
        return sorted(self._diagnostics, key=lambda d: d.span.start if d.span else -1)

    def _add(self, op: Operation, diagnostic: Diagnostic, argument: str) -> None:
        source, span = self._source, op.span
        message = f"{op.name}: {diagnostic.message}"
        hint = diagnostic.hint
        if op.scope:
            hint = f"{hint} The operation is part of {' > '.join(op.scope)}.".strip()
        if source is None or span is None:
            message = f"{op.name} of {', '.join(map(repr, op.output_names))}: {diagnostic.message}"
            self._diagnostics.append(replace(diagnostic, message=message, hint=hint))
            return
        if argument and self._locate is not None:
            span = self._locate(source, span, argument)
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
