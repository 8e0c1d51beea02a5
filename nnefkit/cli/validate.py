"""``nnefkit validate``: all problems of models."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from nnefkit.analysis import ValidationReport, validate
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, model_path, strictness
from nnefkit.display.diagnostic_text import MORE, explaining_command
from nnefkit.display.repetition import repetitions
from nnefkit.errors import Diagnostic

_EXAMPLES = """\
  nnefkit validate model.nnef.tgz
  nnefkit validate models/*/ --warnings-as-errors
  nnefkit validate --json model/ | jq '.[].diagnostics[].message'

exit status: 0 all models are valid; 1 a model is not valid; 2 wrong usage.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "validate",
        run,
        summary="report all problems of a model",
        description="Check the text, types, arguments, shapes, files and weights of models, and "
        "report all problems, not only the first one.",
        examples=_EXAMPLES,
    )
    model_path(parser, several=True)
    json_output(parser)
    strictness(parser)
    parser.add_argument(
        "--warnings-as-errors", action="store_true", help="exit with status 1 on warnings as well"
    )


def run(options: argparse.Namespace) -> int:
    """Validate models; return 1 if one of them is not valid."""
    passed = True
    reports = []
    for path in options.paths:
        report = validate(Path(path), strict=options.strict)
        ok = report.ok and not (options.warnings_as_errors and report.warnings)
        passed = passed and ok
        if options.json:
            reports.append(_record(path, report))
        else:
            _print(report, ok=ok)
    if options.json:
        terminal.as_json(reports)
    if any(not os.path.lexists(path) for path in options.paths):
        return terminal.USAGE
    return 0 if passed else terminal.FAILED


def _print(report: ValidationReport, *, ok: bool) -> None:
    terminal.diagnostics(report.diagnostics)
    if report.diagnostics:
        terminal.line(f"{MORE}{explaining_command(report.diagnostics)}\n")
        if any(group.others for group in repetitions(report.diagnostics)):
            terminal.line("all of them, one by one: nnefkit validate --json\n")
    terminal.verdict(str(report).rsplit("\n", 1)[-1], ok=ok)


def _record(path: str, report: ValidationReport) -> dict[str, Any]:
    return {
        "file": path,
        "ok": report.ok,
        "errors": len(report.errors),
        "warnings": len(report.warnings),
        "notes": len(report.notes),
        "diagnostics": [_diagnostic(diagnostic) for diagnostic in report.diagnostics],
    }


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "length": None if diagnostic.span is None else diagnostic.span.end - diagnostic.span.start,
        "hint": diagnostic.hint,
        "section": diagnostic.section,
    }
