"""The options ``--input`` and ``--inputs``: values of the inputs of a model, from files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nnefkit.analysis.recordings import RecordedFiles, record
from nnefkit.arrays import Array
from nnefkit.errors import InputError, did_you_mean
from nnefkit.graph import Graph

ENDINGS = (".npy", ".npz", ".dat")
"""Endings of the files of a folder that are read."""


def input_files(parser: argparse.ArgumentParser) -> None:
    """Add ``--input``."""
    parser.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="the values of an input (.npy, .npz or .dat); FILE alone is for the only input, or "
        "for all inputs that an .npz file names; may be repeated",
    )


def several_inputs(parser: argparse.ArgumentParser) -> None:
    """Add ``--inputs``."""
    parser.add_argument(
        "--inputs",
        action="append",
        default=[],
        metavar="PATH",
        help="instead of --input: a file as for it with one of several inputs, or a folder of "
        "such files; may be repeated",
    )


def one_or_several(
    options: argparse.Namespace, graph: Graph
) -> dict[str, Array] | Iterator[dict[str, Array]]:
    """Return the input of ``--input``, or those of ``--inputs``.

    Raises:
        InputError: Both are given, or an input is given twice, or a file has none of them.
        StorageError: A file cannot be read.
    """
    if not options.inputs:
        return recorded_inputs(options.input, graph)
    if options.input:
        raise InputError(
            "there are --input and --inputs",
            hint="--input NAME=FILE is for the inputs of one run, --inputs PATH for several runs.",
        )
    return series_of_inputs(options.inputs, graph)


def series_of_inputs(
    paths: list[str], graph: Graph, word: str = "inputs"
) -> Iterator[dict[str, Array]]:
    """Yield the inputs in files, and in files of folders in the order of their names, one by one.

    Args:
        paths: Files and folders.
        graph: The graph.
        word: What they are, for messages.

    Raises:
        InputError: A folder has no file that is read, or a file has none of the inputs.
        StorageError: A file cannot be read.
    """
    for path in paths:
        for file in _files(Path(path), word):
            yield recorded_inputs([str(file)], graph)


def _files(path: Path, word: str) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in ENDINGS and file.is_file())
    if not files:
        raise InputError(
            f"'{path}' has no {word}", hint=f"They are files that end in {', '.join(ENDINGS)}."
        )
    return files


def recorded_inputs(given: list[str], graph: Graph) -> dict[str, Array]:
    """Return the values of the inputs of a graph from the arguments of ``--input``.

    Raises:
        InputError: An input is given twice, or a file has none of the inputs.
        StorageError: A file cannot be read.
    """
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
