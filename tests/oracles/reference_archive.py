"""Archives of reference networks with recorded runs, as ``tests/models`` has them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import nnefkit as nk

MODELS = Path(__file__).parents[1] / "models"


@cache
def members(framework: str, archive: str = "networks") -> Mapping[str, bytes]:
    """Return the files of an archive of a framework, by name."""
    with zipfile.ZipFile(MODELS / f"{framework}_files" / f"{archive}.zip") as opened:
        return {each: opened.read(each) for each in opened.namelist()}


@cache
def arrays(framework: str, path: str) -> dict[str, Any]:
    """Return the arrays of an ``.npz``: ``inputs/x``, ``outputs/y``, ``tensors/z``."""
    with np.load(io.BytesIO(members(framework)[path])) as file:
        return dict(file)


def relative(array: Any, expected: Any) -> float:
    """Return the largest difference, relative to the largest element."""
    if np.shape(array) != np.shape(expected):
        return float("inf")
    numbers = np.asarray(expected, float)
    size = max(float(np.abs(numbers).max()), 1e-30)
    return float(np.abs(np.asarray(array, float) - numbers).max()) / size


def compared(
    graph: nk.Graph, known: Mapping[str, Any], outputs: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run a graph on recorded inputs.

    Args:
        graph: The graph.
        known: The record.
        outputs: Name of an output in the record -> that in the graph, where they differ.

    Returns:
        Key of each output and tensor in the record -> the relative difference.
    """
    feeds = {each: known[f"inputs/{each}"] for each in graph.inputs}
    found = nk.trace(graph, feeds, progress=False)
    origins: dict[str, str] = {}
    for name, tensor in graph.tensors.items():
        if tensor.origin and tensor.data is None:
            origins.setdefault(tensor.origin, name)
    places = {f"tensors/{origin}": name for origin, name in origins.items()}
    named = {name: name for name in graph.outputs} if outputs is None else outputs
    places |= {f"outputs/{each}": name for each, name in named.items()}
    return {key: relative(found[places[key]], known[key]) for key in known if key in places}
