"""Operations whose names are deprecated (4.9.5)."""

from __future__ import annotations

from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import Invocation

DEPRECATED = {"linear_quantize": "min_max_linear_quantize"}
"""New names of deprecated operations."""


def report_deprecated(invocation: Invocation, report: Report) -> None:
    """Warn that an operation is deprecated."""
    report.at(
        "deprecated-operation",
        f"'{invocation.name}' is deprecated",
        invocation.at,
        hint=f"Its new name is {DEPRECATED[invocation.name]}.",
        section="4.9.5",
        severity="warning",
    )
