"""Graphs that scripts dumped out of Chainer and Theano, with recorded runs.

They are in ``tests/models/chainer_files`` and ``tests/models/theano_files``.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np

import nnefkit as nk
from oracles.reference_archive import MODELS, arrays, members, relative

DETACHED = {"zoo_act": {"floor"}, "zoo_shape": {"where"}}
"""Networks of Chainer -> the outputs that Chainer computed outside of its graph."""


@cache
def names(framework: str) -> tuple[str, ...]:
    """Return the graphs of the reference networks, such as ``digits/digits.graph``."""
    found = (each for each in members(framework) if each.endswith(".json"))
    return tuple(each.removesuffix(".json") for each in found)


def operators(framework: str, name: str) -> list[str]:
    """Return the classes of the operations of a network."""
    document = json.loads(members(framework)[f"{name}.json"])
    return sorted({node["op"] for node in document["nodes"]})


def recorded(framework: str, name: str) -> dict[str, Any]:
    """Return the run of a network: ``inputs/x``, ``outputs/y``, ``tensors/id``."""
    return arrays(framework, f"{name.partition('.')[0]}.npz")


def files(framework: str, name: str) -> tuple[bytes, bytes, bytes]:
    """Return a graph, its arrays, and its run."""
    found = members(framework)
    stem = name.partition(".")[0]
    return found[f"{name}.json"], found[f"{name}.npz"], found[f"{stem}.npz"]


def wanted(framework: str, name: str) -> list[str] | None:
    """Return the outputs that can be read; None for all of them."""
    left_out = DETACHED.get(name.partition("/")[0], set()) if framework == "chainer" else set()
    if not left_out:
        return None
    return [
        each for each in json.loads(files(framework, name)[0])["outputs"] if each not in left_out
    ]


@cache
def graph(framework: str, name: str) -> nk.Graph:
    """Return the graph of a network."""
    read = getattr(nk, f"from_{framework}")
    document, arrays, run = files(framework, name)
    result: nk.Graph = read(
        document, outputs=wanted(framework, name), arrays=arrays, run=run, progress=False
    )
    return result


def digits() -> tuple[Any, Any]:
    """Return the digits of scikit-learn that no network was trained on, and their labels."""
    with np.load(MODELS / "digits_images.npz") as file:
        images = file["images"].astype(np.float32)[:, None, None] / np.float32(16)
        return images, file["labels"]


@cache
def differences(framework: str, name: str) -> dict[str, float]:
    """Return each output and inner tensor -> the relative difference to the record."""
    read, known = graph(framework, name), recorded(framework, name)
    feeds = {each: known[f"inputs/{read.tensors[each].origin}"] for each in read.inputs}
    found = nk.trace(read, feeds, progress=False)
    compared = {}
    for key, tensor in read.tensors.items():
        origin = f"tensors/{tensor.origin}"
        # The ids of a compiled function are others.
        if tensor.data is None and origin in known and name.endswith(".graph"):
            compared[origin] = relative(found[key], known[origin])
    # Those of compiled functions have other names, in the same order.
    outputs = [key for key in known if key.startswith("outputs/")]
    for key in read.outputs:
        is_known = f"outputs/{key}" in known
        name_ = f"outputs/{key}" if is_known else outputs[int(key.removeprefix("output"))]
        compared[name_] = relative(found[key], known[name_])
    return compared


def difference(framework: str, name: str) -> float:
    """Return the largest relative difference of a network."""
    return max(differences(framework, name).values())
