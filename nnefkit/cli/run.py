"""``nnefkit run``: a run of a model on recorded inputs."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from nnefkit.analysis.recordings import RecordedFiles, record
from nnefkit.arrays import Array
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, model_path, strictness
from nnefkit.errors import InputError, did_you_mean
from nnefkit.execution import Session
from nnefkit.execution.engine_list import AUTO, BUILT_IN
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.graph import Graph
from nnefkit.io import load
from nnefkit.storage.atomic_write import replacing_file, writing_to

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
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the values of an input (.npy, .npz or .dat); FILE alone is for the only input, or "
        "for all inputs that an .npz file names; may be repeated",
    )
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
    feeds = _feeds(options.input, graph)
    session = Session(graph, options.engine, fallback=options.fallback)
    if options.engine == AUTO:
        terminal.error_line(f"engine: {session.engine}")
    if options.trace:
        trace = session.trace(feeds)
        if options.output:
            with writing_to(Path(options.output)):
                trace.save(options.output)
        results: Mapping[str, Array] = trace
        shown = repr(trace)
    else:
        results = session.run(feeds)
        if options.output:
            _write_npz(Path(options.output), results)
        shown = "\n".join(_line(graph, name, array) for name, array in results.items())
    if options.output_dir:
        _write_folder(Path(options.output_dir), results)
    if not (options.output or options.output_dir):
        terminal.line(shown)
    return 0


def _check(options: argparse.Namespace) -> None:
    if options.output and not options.output.lower().endswith(".npz"):
        raise InputError(
            f"the output file must end with .npz: '{options.output}'",
            hint="Use --output-dir to write a folder of .npy files.",
        )


def _line(graph: Graph, name: str, array: Array) -> str:
    tensor = graph.tensors[name]
    return repr(TracedTensor(name, tensor.dtype, array))


# -- inputs ------------------------------------------------------------------------------------


def _feeds(given: list[str], graph: Graph) -> dict[str, Array]:
    feeds: dict[str, Array] = {}
    for argument in given:
        name, equals, file = argument.partition("=")
        if equals and name.isidentifier():
            named = {name: _only(name, record(Path(file)))}
        else:
            named = _named(graph, record(Path(argument)))
        twice = feeds.keys() & named.keys()
        if twice:
            raise InputError(f"input '{min(twice)}' is given twice")
        feeds |= named
    return feeds


def _only(name: str, recording: RecordedFiles) -> Array:
    """Return the tensor `name` of a recording, or its only tensor."""
    if name not in recording and len(recording) != 1:
        raise InputError(
            f"the file has {len(recording)} tensors, but no '{name}'",
            hint=did_you_mean(name, recording) or f"Its tensors are {', '.join(recording)}.",
            file=str(recording.path),
        )
    return np.asarray(recording[name if name in recording else next(iter(recording))])


def _named(graph: Graph, recording: RecordedFiles) -> dict[str, Array]:
    """Return the inputs of a graph in a recording; a single tensor may have any name."""
    named = {name: np.asarray(recording[name]) for name in graph.inputs if name in recording}
    if not named and len(recording) == len(graph.inputs) == 1:
        return {graph.inputs[0]: _only("", recording)}
    if not named:
        raise InputError(
            f"the file has none of the inputs of the graph ({', '.join(graph.inputs)}); it has "
            f"{', '.join(recording)}",
            hint="Use --input NAME=FILE to name the input that a file is for.",
            file=str(recording.path),
        )
    return named


# -- outputs -----------------------------------------------------------------------------------


def _write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    # numpy.savez cannot write an array called 'file'.
    with replacing_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)


def _write_folder(folder: Path, arrays: Mapping[str, Array]) -> None:
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        with replacing_file(folder / f"{name}.npy") as file:
            npy.write_array(file, np.asarray(array), allow_pickle=False)
