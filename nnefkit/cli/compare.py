"""``nnefkit compare``: the first difference between two recorded runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nnefkit.analysis import Comparison, compare
from nnefkit.analysis.compared_tensor import record, size
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, pairing, tolerance
from nnefkit.cli.tensor_names import name_pairs
from nnefkit.display.numbers import number
from nnefkit.errors import NnefError
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit compare expected.npz result.npz
  nnefkit compare recorded/ trace.npz --tolerance 1e-3 --axes auto
  nnefkit compare expected/ device/ --graph model.nnef.tgz
  nnefkit compare expected/ device/ --pair conv1=Conv_0 --names more.json

exit status: 0 the runs agree; 1 they diverge; 2 they cannot be compared. With
--min-snr or --min-cosine, these decide between 0 and 1 instead.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "compare",
        run,
        summary="find the first difference between two recorded runs",
        description="Compare the tensors of two runs by name. A run is a saved trace, an .npz "
        "or .safetensors file, results of Polygraphy (.json), or a folder of .npy, .dat or .pb "
        "files.",
        examples=_EXAMPLES,
    )
    parser.add_argument("a", metavar="A", help="the reference")
    parser.add_argument("b", metavar="B", help="the run that is compared with it")
    tolerance(parser)
    pairing(parser)
    parser.add_argument(
        "--graph",
        metavar="MODEL",
        help="the model that was run, for runs that do not know theirs: it orders the tensors and "
        "tells operations that introduce a difference from those that inherit it",
    )
    parser.add_argument(
        "--min-snr", type=float, metavar="DB", help="lowest signal-to-noise ratio of any tensor"
    )
    parser.add_argument(
        "--min-cosine", type=float, metavar="C", help="lowest cosine similarity of any tensor"
    )
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Compare two runs; return 1 if they diverge, and 2 if they cannot be compared."""
    try:
        comparison = compare(
            Path(options.a),
            Path(options.b),
            tolerance=options.tolerance,
            names=name_pairs(options),
            axes=options.axes,
            by_values=options.by_values,
            graph=None if options.graph is None else load(options.graph),
        )
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    if options.json:
        terminal.as_json(_record(options, comparison))
    else:
        terminal.card(comparison, "nnefkit compare --json")
    if options.min_snr is None and options.min_cosine is None:
        return 0 if comparison.ok else terminal.FAILED
    reason = _failed_gate(comparison, options.min_snr, options.min_cosine)
    if not options.json:
        terminal.line(f"failed: {reason}" if reason else "passed")
    return terminal.FAILED if reason else 0


def _failed_gate(comparison: Comparison, snr: float | None, cosine: float | None) -> str:
    """Return why a comparison fails the limits, in one line; empty if it does not."""
    for row in comparison.worst(len(comparison)):
        measured = row.metrics
        if measured is None or measured.mismatched:
            return f"{row.name}: {size(row)}"
        if snr is not None and not measured.snr >= snr:
            return f"{row.name} has an SNR of {number(measured.snr)} dB, less than {snr:g} dB"
        if cosine is not None and not measured.cosine >= cosine:
            return f"{row.name} has a cosine of {measured.cosine:.6g}, less than {cosine:g}"
    return ""


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
        "unpaired": [each._asdict() for each in comparison.unpaired],
        "tensors": [record(row) for row in comparison],
    }
