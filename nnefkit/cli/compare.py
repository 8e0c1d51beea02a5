"""``nnefkit compare``: where two recorded runs part."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnefkit.analysis import Comparison, compare, findings
from nnefkit.cli import terminal
from nnefkit.cli.options import command, json_output
from nnefkit.errors import NnefError

if TYPE_CHECKING:
    from nnefkit.cli.options import Commands

_EXAMPLES = """\
  nnefkit compare expected.npz result.npz
  nnefkit compare recorded/ trace.npz --tolerance 1e-3 --axes auto

exit status: 0 they agree; 1 they part; 2 they cannot be compared.
"""


def declare(commands: Commands) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "compare",
        run,
        summary="tell where two recorded runs part",
        description="Compares the tensors of two runs by their names: saved traces, .npz files, or "
        "folders of .npy\nor .dat files.",
        examples=_EXAMPLES,
    )
    parser.add_argument("a", metavar="A", help="the reference")
    parser.add_argument("b", metavar="B", help="what is measured against it")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="SHARE",
        help="how much may differ, relative to the largest magnitude in a tensor "
        "(default: what fits its dtype)",
    )
    parser.add_argument(
        "--axes",
        choices=["auto"],
        help="auto: where shapes differ, try other orders of the axes (NHWC, NCHW)",
    )
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Compares; the status is 1 if the runs part, 2 if they cannot be compared."""
    try:
        found = compare(
            Path(options.a), Path(options.b), tolerance=options.tolerance, axes=options.axes
        )
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    if options.json:
        terminal.as_json(_record(options, found))
    else:
        terminal.line(repr(found))
    return 0 if found.ok else terminal.FAILED


def _record(options: argparse.Namespace, found: Comparison) -> dict[str, Any]:
    first = found.first_divergence
    return {
        "a": options.a,
        "b": options.b,
        "ok": found.ok,
        "equal": found.equal,
        "first_divergence": None if first is None else first.name,
        "only_in_a": found.missing.first_only,
        "only_in_b": found.missing.second_only,
        "tensors": [findings.record(row) for row in found],
    }
