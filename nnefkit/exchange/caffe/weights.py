"""The weights of a network: blobs of the present and of the older form, and arrays of HDF5."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.exchange.caffe.call import INVALID
from nnefkit.exchange.caffe.model import CaffeLayer, CaffeModel
from nnefkit.exchange.hierarchical_file import damaged, opened
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value


class LayerBlobs:
    """Reads the weights of layers; layers that share one have the same value.

    Args:
        model: The network.
        graph: The graph under construction.
    """

    def __init__(self, model: CaffeModel, graph: SourceGraph) -> None:
        self._model = model
        self._graph = graph
        self._shared: dict[str, Value] = {}
        self._read: set[tuple[int, int]] = set()

    def read(self, layer: CaffeLayer, index: int, role: str) -> Value:
        """Return a weight of a layer.

        Raises:
            Refusal: The file does not have it, or its numbers do not fill its shape.
        """
        if index >= len(layer.blobs):
            if not layer.blobs and not self._model.has_weights:
                refuse(
                    "the file of its weights is missing",
                    "Pass it: nk.from_caffe(prototxt, caffemodel).",
                )
            refuse(
                f"the file of weights has {len(layer.blobs) or 'none'} for it, but not its {role}",
                "Give the weights of this network; its layers have the same names in both files.",
            )
        self._read.add((id(layer), index))
        data = elements(layer.blobs[index])
        shared = layer.shared[index] if index < len(layer.shared) else ""
        if shared and shared in self._shared:
            known = self._shared[shared].data
            if known is None or not np.array_equal(known, data):
                refuse(
                    f"it shares its {role} as '{shared}' with another layer, but the file has "
                    "other numbers for it",
                    INVALID,
                )
            return self._shared[shared]
        name = f"{layer.name}/{role}"
        self._graph.weights.add(name)
        value = self._graph.weight(data, name)
        if shared:
            self._shared[shared] = value
        return value

    def check_all(self, layer: CaffeLayer) -> None:
        """Check that a layer has no other weights than those that were read.

        Raises:
            Refusal: It has more.
        """
        read = sum((id(layer), index) in self._read for index in range(len(layer.blobs)))
        if read < len(layer.blobs):
            refuse(
                f"the file has {len(layer.blobs)} weights for it, and not {read or 'none'}",
                "The file may be of another network, or of a derivative of Caffe.",
            )


def arrays_of_layers(data: bytes, path: str, names: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """Return the weights of layers in a file of HDF5: arrays by the names of layers.

    Args:
        data: The bytes of the file.
        path: Its path, for messages.
        names: The names of the layers.

    Raises:
        StorageError: It is damaged, or not such a file.
        MissingPackageError: The package h5py is not installed.
    """
    found: dict[str, tuple[Any, ...]] = {}
    with opened(data, path, "caffe") as file:
        root = file.child(file.root, "data")
        if not file.is_group(root):
            raise damaged("has no group 'data' with the weights of layers", path)
        for name in dict.fromkeys(names):
            group = file.child(root, name)
            if not name or not file.is_group(group):
                continue
            arrays: list[Array] = []
            while (dataset := file.child(group, str(len(arrays)))) is not None:
                arrays.append(file.array(dataset, f"{name}/{len(arrays)}").astype(np.float32))
            if arrays:
                found[name] = tuple(arrays)
    return found


def elements(blob: Any) -> Array:
    """Return the numbers of a blob, a message or an array, in its shape.

    Raises:
        Refusal: There are more or fewer.
    """
    if isinstance(blob, np.ndarray):
        if not blob.size:
            refuse("a weight is empty", "Copy the file of weights again; it may be cut off.")
        return blob
    data = np.array(blob.data or blob.double_data, np.float32)
    shape = _shape(blob, data.size)
    if min(shape, default=1) < 1 or prod(shape) != data.size:
        refuse(
            f"a weight has {data.size:,} numbers for the shape {[*shape]}",
            "Copy the file of weights again; it may be cut off.",
        )
    return data.reshape(shape)


def _shape(blob: Any, size: int) -> Shape:
    if blob.HasField("shape"):
        return tuple(int(extent) for extent in blob.shape.dim)
    old = [blob.HasField(name) for name in ("num", "channels", "height", "width")]
    if not any(old):
        return (size,)
    return blob.num, blob.channels, blob.height, blob.width
