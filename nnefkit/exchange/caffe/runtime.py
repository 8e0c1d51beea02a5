"""Runs of Caffe networks in OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.caffe.model import CaffeLayer, CaffeModel
from nnefkit.exchange.opencv import OpencvNetwork

_SAME = frozenset(
    (
        *("AbsVal", "BNLL", "BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution"),
        *("Dropout", "ELU", "Eltwise", "Exp", "Flatten", "InnerProduct", "LRN", "PReLU", "Permute"),
        *("Pooling", "Power", "ReLU", "Reshape", "Scale", "Sigmoid", "Slice", "Softmax", "Split"),
        "TanH",
    )
)
"""Layers that OpenCV computes as Caffe does."""


def differing_layers(model: CaffeModel) -> list[str]:
    """Return the types of layers that OpenCV does not have, or computes otherwise than Caffe."""
    return sorted({layer.type for layer in model.layers if not _is_same(layer)})


def _is_same(layer: CaffeLayer) -> bool:
    message = layer.message
    if layer.type not in _SAME or message.include or message.exclude:
        return False
    if layer.type == "LRN":
        # It ignores k, and has other defaults.
        return bool(message.HasField("lrn_param") and message.lrn_param.k == 1)
    if layer.type == "Concat":
        return bool(message.concat_param.concat_dim == 1)
    return layer.type != "Scale" or len(layer.bottoms) == 1


def has_all_outputs(model: CaffeModel) -> bool:
    """Return whether each output is all that a layer computes, which OpenCV has by its name."""
    whole = {layer.tops[0] for layer in model.layers if len(layer.tops) == 1}
    return all(number in whole for _, number in model.outputs)


class OpencvRunner:
    """Runs a network.

    Args:
        model: The network.

    Raises:
        ExecutionError: OpenCV cannot read it.
    """

    def __init__(self, model: CaffeModel) -> None:
        self._model = model
        self._layers = {number: layer for layer in model.layers for number in layer.tops}
        self._net = OpencvNetwork(self._read, model.path)

    def _read(self) -> Any:
        import cv2

        model = self._model
        files: list[Any] = [model.path, model.weights_path]
        if model.text or model.weights:
            files = [np.frombuffer(model.text, np.uint8), np.frombuffer(model.weights, np.uint8)]
        return cv2.dnn.readNetFromCaffe(*(file for file in files if len(file)))

    def run(self, inputs: Mapping[str, Array], names: Sequence[str] | None = None) -> list[Array]:
        """Run the network once.

        Args:
            inputs: Name of an input -> its elements.
            names: Names of layers; by default those that compute the outputs.

        Returns:
            What the layers compute.

        Raises:
            ExecutionError: OpenCV cannot run it.
        """
        if names is None:
            names = [self._layers[number].name for _, number in self._model.outputs]
        return self._net.run(inputs, names)

    def known(self) -> dict[str, str]:
        """Return the name of each value that a layer alone computes -> that of the layer."""
        return {
            self._model.values[layer.tops[0]].name: layer.name
            for layer in self._model.layers
            if len(layer.tops) == 1
        }
