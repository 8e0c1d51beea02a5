"""``nnefkit sensitivity``: the layers whose rounding or noise moves the outputs most."""

from __future__ import annotations

import argparse
from pathlib import Path

from nnefkit.analysis import Sensitivity, sensitivity
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, model_path, strictness
from nnefkit.cli.recorded_inputs import input_files, one_or_several, several_inputs
from nnefkit.display.numbers import number
from nnefkit.errors import NnefError
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit sensitivity model/ --input image=cat.npy
  nnefkit sensitivity model/ --input cat.npy --of weights --bits 4 --min-snr 20
  nnefkit sensitivity model/ --inputs images/ --perturbation noise --snr 40

exit status: 0 measured; 1 an operation moves the outputs beyond --min-snr; 2 it
cannot be measured.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "sensitivity",
        run,
        summary="find the layers whose rounding or noise moves the outputs most",
        description="Perturb the result (or the weights) of one operation at a time, run the model "
        "on from there, and list the operations by how much the outputs move.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    input_files(parser)
    several_inputs(parser)
    parser.add_argument(
        "--perturbation",
        choices=("bits", "noise"),
        default="bits",
        help="round to few bits (default), or add Gaussian noise",
    )
    parser.add_argument(
        "--of",
        choices=("results", "weights"),
        default="results",
        help="what is perturbed: results of operations (default), or weights of layers",
    )
    parser.add_argument("--bits", type=int, default=8, help="bits of the rounding (default: 8)")
    parser.add_argument(
        "--snr",
        type=float,
        default=30.0,
        metavar="DB",
        help="signal-to-noise ratio of the noise (default: 30)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    parser.add_argument(
        "--engine", default="numpy", help="the engine that runs the model (default: numpy)"
    )
    parser.add_argument(
        "--min-snr",
        type=float,
        metavar="DB",
        help="lowest signal-to-noise ratio of the outputs, whichever operation is perturbed",
    )
    strictness(parser)
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Measure a model; return 1 if an operation moves the outputs too much, 2 if it cannot."""
    try:
        graph = load(Path(options.path), strict=options.strict)
        found = sensitivity(
            graph,
            one_or_several(options, graph),
            options.perturbation,
            of=options.of,
            bits=options.bits,
            snr=options.snr,
            seed=options.seed,
            engine=options.engine,
        )
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    reason = "" if options.min_snr is None else _failed_gate(found, options.min_snr)
    if options.json:
        rows = found.to_frame().to_dict("records")
        known = {"ok": not reason, "summary": found.summary, "perturbation": found.perturbation}
        terminal.as_json({**known, "of": found.of, "inputs": found.inputs, "operations": rows})
    else:
        terminal.card(found, "nnefkit sensitivity --json")
        if options.min_snr is not None:
            terminal.line(f"failed: {reason}" if reason else "passed")
    return terminal.FAILED if reason else 0


def _failed_gate(found: Sensitivity, least: float) -> str:
    """Return why a measurement fails the limit, in one line; empty if it does not."""
    worst = found.operations[0]
    if worst.output_snr >= least:
        return ""
    ratio = number(worst.output_snr)
    return f"with {worst.tensor} perturbed the outputs have {ratio} dB, less than {least:g} dB"
