"""Keras models with recorded inputs and outputs, and the verdict on each of them.

They are in ``tests/models/keras_files``, as Keras 3 and Keras 2 saved them on TensorFlow.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk

ARCHIVE = Path(__file__).parents[1] / "models" / "keras_files" / "networks.zip"
TOLERANCE = 1e-5


@cache
def _members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        return {each: archive.read(each) for each in archive.namelist()}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all models: network/file."""
    return tuple(name for name in _members() if not name.endswith((".npz", ".weights.h5")))


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder.name)
    return folder


def path(name: str) -> Path:
    """Return the path of a model."""
    return Path(_folder().name) / name


def data(name: str) -> bytes:
    """Return the bytes of a model."""
    return _members()[name]


@cache
def recorded(network: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the inputs and the outputs of a network."""
    with np.load(io.BytesIO(_members()[f"{network}/{network}.npz"])) as arrays:
        parts: dict[str, dict[str, Any]] = {"inputs": {}, "outputs": {}}
        for key in arrays.files:
            part, _, name = key.partition("/")
            parts[part][name] = arrays[key]
    return parts["inputs"], parts["outputs"]


@cache
def graph(name: str) -> nk.Graph:
    """Return the graph of a model."""
    inputs, _ = recorded(name.partition("/")[0])
    shapes = {key: array.shape for key, array in inputs.items()}
    return nk.from_keras(path(name), shapes, verify=False)


@cache
def difference(name: str) -> float:
    """Return the largest difference of an output, relative to its largest element."""
    inputs, outputs = recorded(name.partition("/")[0])
    results = nk.run(graph(name), inputs)
    assert results.keys() == outputs.keys()
    assert all(results[key].shape == array.shape for key, array in outputs.items())
    return max(
        float(np.abs(results[key] - array).max() / np.abs(array).max())
        for key, array in outputs.items()
    )


@cache
def transpositions(name: str) -> int:
    """Return the number of transpositions inside: neither of inputs nor of outputs."""
    read = graph(name)
    return sum(
        op.name == "transpose"
        and not {*op.input_names} & {*read.inputs}
        and not {*op.output_names} & {*read.outputs}
        for op in read.operations
    )
