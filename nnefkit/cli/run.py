"""``nnefkit run``: a run of a model on recorded inputs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from nnefkit.arrays import Array
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, model_path, strictness
from nnefkit.cli.recorded_inputs import input_files, recorded_inputs
from nnefkit.errors import InputError
from nnefkit.execution import Session, Trace
from nnefkit.execution.engine_list import AUTO, BUILT_IN
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.graph import Graph
from nnefkit.io import load
from nnefkit.storage.atomic_write import replacing_file, writing_to
from nnefkit.storage.npz import write_npz

_EXAMPLES = """\
  nnefkit run model/ --input image=cat.npy
  nnefkit run model.nnef.tgz --input inputs.npz -o result.npz
  nnefkit run model/ --input image=cat.npy --trace --engine torch -o trace.npz
  nnefkit run model/ --input image=cat.dat --output-dir results
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "run",
        run,
        summary="run a model on recorded inputs",
        description="Run a model, and show its outputs or write them to files.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    input_files(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE.npz", help="write the outputs, or with --trace the trace"
    )
    parser.add_argument("--output-dir", metavar="DIR", help="write each output as DIR/NAME.npy")
    parser.add_argument("--trace", action="store_true", help="record every tensor of the run")
    parser.add_argument(
        "--engine",
        default="numpy",
        help=f"{', '.join(BUILT_IN)} (default: numpy), or {AUTO}, the fastest that is installed "
        "and can run the model; its name is printed",
    )
    parser.add_argument(
        "--fallback",
        metavar="ENGINE",
        help="engine for the operations that the first one cannot run",
    )
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Run a model once."""
    _check(options)
    graph = load(Path(options.path), strict=options.strict)
    feeds = recorded_inputs(options.input, graph)
    session = Session(graph, options.engine, fallback=options.fallback)
    if options.engine == AUTO:
        terminal.error_line(f"engine: {session.engine}")
    if options.trace:
        trace = session.trace(feeds)
        if options.output:
            with writing_to(Path(options.output)):
                trace.save(options.output)
        results: Mapping[str, Array] = trace
    else:
        results = session.run(feeds)
        if options.output:
            write_npz(Path(options.output), results)
    if options.output_dir:
        _write_folder(Path(options.output_dir), results)
    if not (options.output or options.output_dir):
        _print(graph, results)
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.output and not options.output.lower().endswith(".npz"):
        raise InputError(
            f"the output file must end with .npz: '{options.output}'",
            hint="Use --output-dir to write a folder of .npy files.",
        )


def _print(graph: Graph, results: Mapping[str, Array]) -> None:
    if isinstance(results, Trace):
        terminal.card(results, "nnefkit run --trace -o FILE.npz")
        return
    for name, array in results.items():
        terminal.card(TracedTensor(name, graph.tensors[name].dtype, array))


# -- outputs -----------------------------------------------------------------------------------


def _write_folder(folder: Path, arrays: Mapping[str, Array]) -> None:
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        with replacing_file(folder / f"{name}.npy") as file:
            npy.write_array(file, np.asarray(array), allow_pickle=False)
