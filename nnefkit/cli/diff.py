"""``nnefkit diff``: what differs between two models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nnefkit.analysis import Diff, diff
from nnefkit.analysis.compared_tensor import record
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, strictness
from nnefkit.errors import NnefError
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit diff before.nnef.tgz after.nnef.tgz
  nnefkit diff model/ quantized/ --json | jq .operations
  nnefkit diff export1/ export2/ --tolerance 1e-6

exit status: 0 the models compute the same (only names of tensors and labels may
differ); 1 they differ; 2 they cannot be compared.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "diff",
        run,
        summary="find what differs between two models",
        description="Compare two models: operations and their attributes, wiring, inputs and "
        "outputs, shapes, weights, quantization. Operations are aligned by structure, not by the "
        "names of tensors.",
        examples=_EXAMPLES,
    )
    for name, help_ in (("a", "the first model"), ("b", "the model that is compared with it")):
        parser.add_argument(name, metavar=name.upper(), help=help_)
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="T",
        help="largest allowed difference of weights, relative to the largest magnitude in the "
        "tensor (default: none)",
    )
    strictness(parser)
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Compare two models; return 1 if they differ, and 2 if they cannot be compared."""
    try:
        paths = options.a, options.b
        graphs = [load(Path(path), strict=options.strict) for path in paths]
        labels = paths if options.a != options.b else None
        found = diff(*graphs, tolerance=options.tolerance, labels=labels)
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    if options.json:
        terminal.as_json(_record(options, found))
    else:
        terminal.card(found, "nnefkit diff --json")
    return 0 if found.ok else terminal.FAILED


def _record(options: argparse.Namespace, found: Diff) -> dict[str, Any]:
    return {
        "a": options.a,
        "b": options.b,
        "ok": found.ok,
        "equal": found.equal,
        "summary": found.summary,
        "operations": [each._asdict() for each in found.operations],
        "ports": [each._asdict() for each in found.ports],
        "weights": [record(row) for row in found.weights or ()],
        "weights_equal": found.weights_equal,
        "weights_added": found.weights_added,
        "weights_removed": found.weights_removed,
        "weights_unknown": found.weights_unknown,
        "quantization": [each._asdict() for each in found.quantization],
        "shapes": dict(found.shapes),
        "renamed": dict(found.renamed),
        "relabeled": dict(found.relabeled),
    }
