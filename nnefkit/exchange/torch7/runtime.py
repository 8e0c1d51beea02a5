"""Runs of Torch7 networks in OpenCV."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnefkit.arrays import Array
from nnefkit.exchange.opencv import OpencvNetwork
from nnefkit.exchange.torch7.model import Torch7Model
from nnefkit.exchange.torch7.objects import LuaTable, TorchObject

_SAME = frozenset(
    (
        *("CAddTable", "Concat", "ConcatTable", "Dropout", "ELU", "Identity", "JoinTable"),
        *("Linear", "LogSoftMax", "PReLU", "ReLU", "Reshape", "Sequential", "Sigmoid", "SoftMax"),
        *("SpatialAveragePooling", "SpatialBatchNormalization", "SpatialConvolution"),
        *("SpatialConvolutionMM", "SpatialFullConvolution", "SpatialMaxPooling", "Tanh", "View"),
    )
)
"""Modules that OpenCV computes as Torch7 does."""


def differing_modules(model: Torch7Model) -> list[str]:
    """Return the classes of modules that OpenCV does not have, or computes otherwise."""
    pending, seen, others = [model.module], set(), set()
    while pending:
        module = pending.pop()
        if id(module) in seen:
            others.add("one module in two places")
            continue
        seen.add(id(module))
        if not _is_same(module):
            others.add(module.class_name)
        inner = module.get("modules")
        parts = inner.list() if isinstance(inner, LuaTable) else []
        pending += [part for part in parts if isinstance(part, TorchObject)]
    return sorted(others)


def _is_same(module: TorchObject) -> bool:
    package, kind = module.class_name.partition(".")[0], module.short_name
    if package not in ("nn", "cudnn"):
        return False
    if kind == "Dropout":
        return module.get("v2") is True
    if kind == "SpatialAveragePooling":
        return module.get("divide") is not False and package == "nn"
    if kind == "JoinTable":
        return isinstance(module.get("dimension"), float) and module.get("dimension") > 0
    if kind == "View":
        return isinstance(module.get("numInputDims"), float)
    return kind in _SAME


class Torch7Runner:
    """Runs a network.

    Args:
        model: The network, which has one input.

    Raises:
        ExecutionError: OpenCV cannot read it.
    """

    def __init__(self, model: Torch7Model) -> None:
        self._model = model
        self._net = OpencvNetwork(self._read, model.path)

    def _read(self) -> Any:
        import cv2

        model = self._model
        if model.path:
            return cv2.dnn.readNetFromTorch(model.path, not model.is_text)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.t7"
            path.write_bytes(model.data)
            return cv2.dnn.readNetFromTorch(str(path), not model.is_text)

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Run the network once.

        Args:
            inputs: Name of the input -> its elements.

        Returns:
            What the network computes: one tensor, or those of a table.

        Raises:
            ExecutionError: OpenCV cannot run it.
        """
        (array,) = inputs.values()
        return self._net.run({"": array}, self._net.outputs)
