"""``nnefkit blame``: the operations that introduce an error."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nnefkit.analysis import blame
from nnefkit.analysis.blamed_operation import record
from nnefkit.analysis.recordings import RECORDED
from nnefkit.cli import terminal
from nnefkit.cli.options import (
    Commands,
    command,
    json_output,
    model_path,
    pairing,
    strictness,
    tolerance,
)
from nnefkit.cli.recorded_inputs import input_files, one_or_several, several_inputs
from nnefkit.cli.tensor_names import name_pairs
from nnefkit.errors import NnefError
from nnefkit.graph import Graph
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit blame model/ --input image=cat.npy --suspect onnxruntime
  nnefkit blame model/ --input image=cat.npy --suspect quantized/ -o bug_report
  nnefkit blame model/ --input cat.npz --suspect recorded_on_the_device.npz
  nnefkit blame model/ --inputs images/ --suspect onnxruntime

exit status: 0 nobody is guilty; 1 an operation is; 2 it cannot be examined.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "blame",
        run,
        summary="find the operations that introduce an error",
        description="Run each operation of a suspect on the values that its inputs have in a "
        "reference, and list those whose own error is out of tolerance. If the suspect is a "
        "recorded run, the operations of the reference are run on its values instead.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    input_files(parser)
    several_inputs(parser)
    parser.add_argument(
        "--reference",
        action="append",
        metavar="R",
        help="what is right: an engine (default: numpy), a model, or a recorded run (a saved "
        "trace, an .npz or .safetensors file, .json of Polygraphy, a folder of .npy, .dat or .pb "
        "files); may be repeated: recorded runs, one for each of several inputs",
    )
    parser.add_argument(
        "--suspect",
        action="append",
        required=True,
        metavar="S",
        help="what is suspected: likewise an engine, a model, or recorded runs",
    )
    parser.add_argument(
        "--engine", default="numpy", help="the engine that runs models (default: numpy)"
    )
    parser.add_argument(
        "--quantized",
        action="store_true",
        help="run the suspect with its quantization file; if it was recorded, the reference",
    )
    tolerance(parser)
    pairing(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        help="save the guiltiest operation with its inputs and both results: a bug report",
    )
    strictness(parser)
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Examine a suspect; return 1 if an operation is guilty, and 2 if it cannot be examined."""
    try:
        graph = load(Path(options.path), strict=options.strict)
        found = blame(
            graph,
            one_or_several(options, graph),
            reference=_side(options.reference or ["numpy"], options.strict),
            suspect=_side(options.suspect, options.strict),
            engine=options.engine,
            tolerance=options.tolerance,
            quantized=options.quantized,
            names=name_pairs(options),
            axes=options.axes,
            by_values=options.by_values,
        )
        if options.output and not found.ok:
            found.minimal(options.output)
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    if options.json:
        operations = [record(each) for each in found.operations]
        terminal.as_json({"ok": found.ok, "summary": found.summary, "operations": operations})
    else:
        terminal.card(found, "nnefkit blame --json")
    return 0 if found.ok else terminal.FAILED


def _side(names: list[str], strict: bool) -> Any:
    """Return what the arguments of one side name: one thing, or several recorded runs."""
    if len(names) == 1:
        return _subject(names[0], strict)
    return [Path(name) for name in names]


def _subject(name: str, strict: bool) -> str | Graph | Path:
    """Return what an argument names: an engine, a model, or a recorded run."""
    path = Path(name)
    if not path.exists():
        return name
    is_recording = path.suffix.lower() in RECORDED
    if path.is_dir():
        is_recording = not (path / "graph.nnef").exists()
    return path if is_recording else load(path, strict=strict)
