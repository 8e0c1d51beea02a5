"""Runs of networks in OpenCV, which has a reader of Caffe's files up to its version 4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import util
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.exchange.caffe.model import CaffeLayer, CaffeModel

_SAME = frozenset(
    (
        *("AbsVal", "BNLL", "BatchNorm", "Concat", "Convolution", "Crop", "Deconvolution"),
        *("Dropout", "ELU", "Eltwise", "Exp", "Flatten", "InnerProduct", "LRN", "PReLU", "Permute"),
        *("Pooling", "Power", "ReLU", "Reshape", "Scale", "Sigmoid", "Slice", "Softmax", "Split"),
        "TanH",
    )
)
"""Layers that OpenCV computes as Caffe does."""


def is_installed() -> bool:
    """Return whether a version of OpenCV is installed that reads Caffe's files."""
    if util.find_spec("cv2") is None:
        return False
    try:
        import cv2
    except ImportError:
        return False
    return hasattr(cv2, "dnn") and hasattr(cv2.dnn, "readNetFromCaffe")


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
        import cv2

        self._model = model
        self._layers = {number: layer for layer in model.layers for number in layer.tops}
        files: list[Any] = [model.path, model.weights_path]
        if model.text or model.weights:
            files = [np.frombuffer(model.text, np.uint8), np.frombuffer(model.weights, np.uint8)]
        try:
            self._net = cv2.dnn.readNetFromCaffe(*(file for file in files if len(file)))
            self._net.enableFusion(False)
        except Exception as error:
            raise _failure(error, model) from error

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
        try:
            for name, array in inputs.items():
                self._net.setInput(np.ascontiguousarray(array), name)
            return [np.array(self._net.forward(name)) for name in names]
        except Exception as error:
            raise _failure(error, self._model) from error

    def known(self) -> dict[str, str]:
        """Return the name of each value that a layer alone computes -> that of the layer."""
        return {
            self._model.values[layer.tops[0]].name: layer.name
            for layer in self._model.layers
            if len(layer.tops) == 1
        }


def _failure(error: Exception, model: CaffeModel) -> ExecutionError:
    lines = str(error).splitlines() or [type(error).__name__]
    return ExecutionError(
        f"OpenCV cannot run the network: {lines[0]}",
        hint="Read it without running it (verify=False).",
        file=model.path,
    )
