"""``nnefkit run``: runs a model on recorded inputs."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib import format as npy

from nnefkit.analysis.recordings import Recording, record
from nnefkit.arrays import Array
from nnefkit.cli import terminal
from nnefkit.cli.options import command, strictness
from nnefkit.display import text
from nnefkit.display.summary import TensorSummary
from nnefkit.errors import InputError, did_you_mean
from nnefkit.execution import Session
from nnefkit.execution.engine_list import AUTO, BUILT_IN
from nnefkit.graph import Graph
from nnefkit.io import load
from nnefkit.storage.atomic import replacing_file, telling

if TYPE_CHECKING:
    from nnefkit.cli.options import Commands


_EXAMPLES = """\
  nnefkit run model/ --input image=cat.npy
  nnefkit run model.nnef.tgz --input inputs.npz -o result.npz
  nnefkit run model/ --input image=cat.npy --trace --engine torch -o trace.npz
  nnefkit run model/ --input image=cat.dat --output-dir results
"""


def declare(commands: Commands) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "run",
        run,
        summary="run a model on recorded inputs",
        description="Runs a model, and shows its outputs or writes them to files.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "path",
        metavar="PATH",
        help="a folder with a graph.nnef, such a text itself, or an archive (tar, tgz, zip)",
    )
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="an input and its values (.npy, .npz or .dat); FILE alone gives the only input, or "
        "all the inputs that an .npz file names; may be repeated",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE.npz", help="write the outputs (with --trace, the trace)"
    )
    parser.add_argument("--output-dir", metavar="DIR", help="write each output as DIR/NAME.npy")
    parser.add_argument("--trace", action="store_true", help="keep every tensor of the run")
    parser.add_argument(
        "--engine",
        default="numpy",
        help=f"what runs it: {', '.join(BUILT_IN)} (default: numpy), or {AUTO}, the fastest that "
        "is installed and can, which is then told",
    )
    parser.add_argument(
        "--fallback", metavar="ENGINE", help="what runs the operations that the engine cannot"
    )
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Runs a model once."""
    _check(options)
    graph = load(Path(options.path), strict=options.strict)
    feeds = _feeds(options.input, graph)
    session = Session(graph, options.engine, fallback=options.fallback)
    if options.engine == AUTO:
        terminal.error_line(f"engine: {session.engine}")
    if options.trace:
        trace = session.trace(feeds)
        if options.output:
            with telling(Path(options.output)):
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
            f"the name of an output file ends in .npz, which '{options.output}' does not",
            hint="--output-dir writes a folder of .npy files.",
        )


def _line(graph: Graph, name: str, array: Array) -> str:
    tensor = graph.tensors[name]
    return text.tensor_line(TensorSummary(name, tensor.dtype, array.shape, array))


# -- inputs ------------------------------------------------------------------------------------


def _feeds(given: list[str], graph: Graph) -> dict[str, Array]:
    feeds: dict[str, Array] = {}
    for argument in given:
        name, equals, file = argument.partition("=")
        if equals and name.isidentifier():
            found = {name: _only(name, record(Path(file)))}
        else:
            found = _named(graph, record(Path(argument)))
        twice = feeds.keys() & found.keys()
        if twice:
            raise InputError(f"input '{min(twice)}' is given twice")
        feeds |= found
    return feeds


def _only(name: str, recording: Recording) -> Array:
    """The tensor `name` of a recording, or its only one."""
    if name not in recording and len(recording) != 1:
        raise InputError(
            f"there is no tensor '{name}' among the {len(recording)} in the file",
            hint=did_you_mean(name, recording) or f"There are: {', '.join(recording)}.",
            file=str(recording.path),
        )
    return np.asarray(recording[name if name in recording else next(iter(recording))])


def _named(graph: Graph, recording: Recording) -> dict[str, Array]:
    """The inputs of a graph in a recording; one tensor alone may have any name."""
    found = {name: np.asarray(recording[name]) for name in graph.inputs if name in recording}
    if not found and len(recording) == len(graph.inputs) == 1:
        return {graph.inputs[0]: _only("", recording)}
    if not found:
        raise InputError(
            f"none of the inputs of the graph ({', '.join(graph.inputs)}) is in the file, which "
            f"has {', '.join(recording)}",
            hint="--input NAME=FILE says which input a file is for.",
            file=str(recording.path),
        )
    return found


# -- outputs -----------------------------------------------------------------------------------


def _write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    # numpy.savez takes no array called 'file'.
    with replacing_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)


def _write_folder(folder: Path, arrays: Mapping[str, Array]) -> None:
    with telling(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        with replacing_file(folder / f"{name}.npy") as file:
            npy.write_array(file, np.asarray(array), allow_pickle=False)
