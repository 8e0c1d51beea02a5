"""``nnefkit compare``: the first difference between two recorded runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nnefkit.analysis import Comparison, compare
from nnefkit.analysis.compared_tensor import record
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output
from nnefkit.errors import NnefError
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit compare expected.npz result.npz
  nnefkit compare recorded/ trace.npz --tolerance 1e-3 --axes auto
  nnefkit compare expected/ device/ --graph model.nnef.tgz

exit status: 0 the runs agree; 1 they diverge; 2 they cannot be compared.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "compare",
        run,
        summary="find the first difference between two recorded runs",
        description="Compare the tensors of two runs by name. A run is a saved trace, an .npz "
        "file, or a folder of .npy or .dat files.",
        examples=_EXAMPLES,
    )
    parser.add_argument("a", metavar="A", help="the reference")
    parser.add_argument("b", metavar="B", help="the run that is compared with it")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="T",
        help="largest allowed difference, relative to the largest magnitude in the tensor "
        "(default: depends on the dtype)",
    )
    parser.add_argument(
        "--axes",
        choices=["auto"],
        help="auto: where shapes differ, try other orders of the axes (NHWC, NCHW)",
    )
    parser.add_argument(
        "--graph",
        metavar="MODEL",
        help="the model that was run, for runs that do not know theirs: it orders the tensors and "
        "tells operations that introduce a difference from those that inherit it",
    )
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Compare two runs; return 1 if they diverge, and 2 if they cannot be compared."""
    try:
        comparison = compare(
            Path(options.a),
            Path(options.b),
            tolerance=options.tolerance,
            axes=options.axes,
            graph=None if options.graph is None else load(options.graph),
        )
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    if options.json:
        terminal.as_json(_record(options, comparison))
    else:
        terminal.line(repr(comparison))
    return 0 if comparison.ok else terminal.FAILED


def _record(options: argparse.Namespace, comparison: Comparison) -> dict[str, Any]:
    first = comparison.first_divergence
    return {
        "a": options.a,
        "b": options.b,
        "ok": comparison.ok,
        "equal": comparison.equal,
        "first_divergence": None if first is None else first.name,
        "suspects": comparison.suspects,
        "only_in_a": comparison.missing.first_only,
        "only_in_b": comparison.missing.second_only,
        "tensors": [record(row) for row in comparison],
    }
