"""``nnefkit validate``: all that is wrong with models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnefkit.analysis import ValidationReport, validate
from nnefkit.cli import terminal
from nnefkit.cli.options import command, json_output, strictness
from nnefkit.errors import Diagnostic

if TYPE_CHECKING:
    from nnefkit.cli.options import Commands

_EXAMPLES = """\
  nnefkit validate model.nnef.tgz
  nnefkit validate models/*/ --warnings-as-errors
  nnefkit validate --json model/ | jq '.[].diagnostics[].message'

exit status: 0 all models are valid; 1 one is not; 2 wrong usage.
"""


def declare(commands: Commands) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "validate",
        run,
        summary="tell all that is wrong with a model",
        description="Checks the text, types, arguments, shapes, files and weights of models, and "
        "tells all that is\nwrong with them, not the first error only.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a folder with a graph.nnef, such a text itself, or an archive (tar, tgz, zip)",
    )
    json_output(parser)
    strictness(parser)
    parser.add_argument(
        "--warnings-as-errors", action="store_true", help="exit with status 1 on warnings, too"
    )


def run(options: argparse.Namespace) -> int:
    """Validates; the status is 1 if a model is not valid."""
    passed = True
    reports = []
    for path in options.paths:
        report = validate(Path(path), strict=options.strict)
        ok = report.ok and not (options.warnings_as_errors and report.warnings)
        passed = passed and ok
        if options.json:
            reports.append(_record(path, report))
        else:
            _tell(report, ok=ok)
    if options.json:
        terminal.as_json(reports)
    return 0 if passed else terminal.FAILED


def _tell(report: ValidationReport, *, ok: bool) -> None:
    terminal.diagnostics(report.diagnostics)
    terminal.verdict(str(report).rsplit("\n", 1)[-1], ok=ok)


def _record(path: str, report: ValidationReport) -> dict[str, Any]:
    return {
        "file": path,
        "ok": report.ok,
        "errors": len(report.errors),
        "warnings": len(report.warnings),
        "notes": len(report.notes),
        "diagnostics": [_diagnostic(found) for found in report.diagnostics],
    }


def _diagnostic(found: Diagnostic) -> dict[str, Any]:
    return {
        "code": found.code,
        "severity": found.severity,
        "message": found.message,
        "file": found.file,
        "line": found.line,
        "column": found.column,
        "length": None if found.span is None else found.span.end - found.span.start,
        "hint": found.hint,
        "section": found.section,
    }
