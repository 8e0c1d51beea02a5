"""``nnefkit convert``: from one format into another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnefkit import storage
from nnefkit.cli.declaring import command, strictness
from nnefkit.errors import InputError
from nnefkit.graph import Graph
from nnefkit.io import load

if TYPE_CHECKING:
    from nnefkit.cli.declaring import Commands

ARCHIVES = (".nnef.tgz", ".tgz", ".tar.gz", ".tar", ".zip")
"""Endings of the archives that are written; everything without an ending is a folder."""

_EXAMPLES = """\
  nnefkit convert model/ model.nnef.tgz
  nnefkit convert model.nnef.tgz model/
  nnefkit convert model.zip model.tar

A target is an archive if it ends with .nnef.tgz, .tgz, .tar.gz, .tar or .zip, and a folder if it
ends with /, .nnef or nothing. The text (with its comments), the quantization, the data of the
variables and the files of vendors stay as they are, byte for byte.
"""


def declare(commands: Commands) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "convert",
        run,
        summary="write a model in another format",
        description="Converts a model between the containers of NNEF: folders and archives.\n"
        "A model that is not valid is refused.",
        examples=_EXAMPLES,
    )
    parser.add_argument("source", metavar="SOURCE", help="a folder, a graph.nnef, or an archive")
    parser.add_argument("target", metavar="TARGET", help="a folder or an archive, by its ending")
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Writes the files of a model into another container."""
    source, target = Path(options.source), Path(options.target)
    _check_source(source)
    _check_target(options.target)
    graph = load(source, strict=options.strict)
    with storage.open_model(source) as files:
        storage.write_model(target, _contents(files, graph))
    return 0


def _check_source(source: Path) -> None:
    ending = source.suffix.lower()
    if ending in _FOREIGN and not source.is_dir():
        raise InputError(
            f"models of {_FOREIGN[ending]} ('{ending}') cannot be read",
            hint="A source is an NNEF model: a folder with a graph.nnef, a graph.nnef, or an "
            "archive (tar, tgz, zip).",
            file=str(source),
        )


def _check_target(target: str) -> None:
    name = target.lower()
    if name.endswith((*ARCHIVES, "/", ".nnef")) or Path(target).is_dir() or not Path(name).suffix:
        return
    ending = Path(name).suffix
    what = f"models of {_FOREIGN[ending]} ('{ending}')" if ending in _FOREIGN else f"'{ending}'"
    raise InputError(
        f"{what} cannot be written",
        hint=f"The ending of a target is one of {', '.join(ARCHIVES)}; folders end with /, .nnef "
        "or nothing.",
        file=target,
    )


_FOREIGN = {
    ".onnx": "ONNX",
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".pt2": "PyTorch",
    ".pb": "TensorFlow",
    ".h5": "Keras",
    ".keras": "Keras",
    ".tflite": "TensorFlow Lite",
    ".prototxt": "Caffe",
    ".caffemodel": "Caffe",
    ".mlmodel": "Core ML",
}


def _contents(files: storage.ModelFiles, graph: Graph) -> dict[str, Any]:
    """All the files of a model; of a text that was named by itself, those that it speaks of."""
    contents: dict[str, Any] = {storage.GRAPH: files.text.encode()}
    if files.quantization is not None:
        contents[storage.QUANTIZATION] = files.quantization.encode()
    everything = files.extra_files(()).contents
    if everything:
        return contents | everything
    folder = files.path.parent if files.path.is_file() else files.path
    for variable in graph.variables:
        name = files.find(variable.label or "")
        if name is not None:
            contents[name] = folder / name
    return contents
