"""The networks of the benchmark, each as files in all the formats that are run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper
from torch import nn

import nnefkit as nk
from networks.modules import MODULES, module
from networks.nnef_form import nnef_form
from networks.onnx_form import onnx_form
from nnefkit.execution.engines.onnxruntime.lowered_model import exported_model

MODELS = Path(__file__).parents[2] / "models"
TRAINED = {
    "EfficientNet-Lite0": (
        MODELS / "efficientnet_lite0" / "efficientnet_lite0.nnef.tgz",
        "cat_external1",
    ),
    "BlazeFace": (MODELS / "blazeface_front" / "blazeface_front.nnef", "external1"),
}
"""Name -> the model, and the name of its recorded input."""
NAMES = (*MODULES, *TRAINED)


@dataclass(frozen=True)
class Network:
    """A folder that contains a network as ``model.nnef``, ``model.onnx`` and ``input.npy``.

    ``captured.onnx`` and ``captured.nnef`` are the same with every intermediate as an output;
    ``unfolded.nnef`` has batch normalizations that the others have folded into their weights.
    """

    name: str
    folder: Path

    @property
    def is_module(self) -> bool:
        """Whether it is also a PyTorch module."""
        return self.name in MODULES

    @property
    def is_normalized(self) -> bool:
        """Whether it has batch normalizations."""
        return (self.folder / "unfolded.nnef").exists()

    @cached_property
    def graph(self) -> nk.Graph:
        """The graph, its weights mapped."""
        return nk.load(self.folder / "model.nnef")

    @property
    def need(self) -> int:
        """Bytes of the weights, and of the activations when most of them are alive."""
        sizes = {name: 4 * math.prod(t.shape or ()) for name, t in self.graph.tensors.items()}
        weights = {tensor.name for tensor in self.graph.variables}
        last = {n: i for i, op in enumerate(self.graph.operations) for n in op.input_names}
        alive, most = {*self.graph.inputs}, 0
        for i, op in enumerate(self.graph.operations):
            alive |= {name for name in op.output_names if name not in weights}
            most = max(most, sum(sizes[name] for name in alive))
            alive -= {name for name in op.input_names if last[name] == i} - {*self.graph.outputs}
        return most + sum(sizes[name] for name in weights)

    @cached_property
    def input(self) -> np.ndarray[Any, Any]:
        """A value for its only input."""
        return np.load(self.folder / "input.npy")


def prepare(name: str, folder: Path) -> Network:
    """Write the files of a network; ONNX Runtime gets what PyTorch's exporter writes.

    Trained networks, which no PyTorch module is left of, are exported by nnefkit instead.
    """
    network = Network(name, folder)
    if name in MODULES:
        part, shape = module(name), MODULES[name][1]
        np.save(folder / "input.npy", np.random.default_rng(0).standard_normal(shape, np.float32))
        graph = nnef_form(part, shape)
        if any(isinstance(layer, nn.BatchNorm2d) for layer in part.modules()):
            nk.save(nnef_form(part, shape, folded=False), folder / "unfolded.nnef")
        model = onnx.load_from_string(onnx_form(part, shape))
    else:
        path, recorded = TRAINED[name]
        graph = nk.load(path)
        with np.load(path.parent / "io.npz") as arrays:
            np.save(folder / "input.npy", arrays[recorded])
        model = exported_model(graph)
    nk.save(graph, folder / "model.nnef")
    nk.save(graph.with_outputs(_intermediates(graph)), folder / "captured.nnef")
    onnx.save(model, folder / "model.onnx")
    _capture_all(model)
    onnx.save(model, folder / "captured.onnx")
    return network


def _intermediates(graph: nk.Graph) -> list[str]:
    sources = ("external", "variable", "constant")
    return [n for op in graph.operations if op.name not in sources for n in op.output_names]


def _capture_all(model: onnx.ModelProto) -> None:
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name not in known]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names if name)
