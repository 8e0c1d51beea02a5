"""The reader of a Caffe network, layer by layer; all refused ones are reported at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.display.progress_bar import ProgressBar
from nnefkit.exchange.caffe.call import INVALID, READERS, Call, Normalized
from nnefkit.exchange.caffe.model import CaffeLayer, CaffeModel
from nnefkit.exchange.caffe.opened_model import DATA
from nnefkit.exchange.caffe.operators import (  # noqa: F401  (they register their readers)
    activation,
    convolution,
    detection,
    elementwise,
    linear_algebra,
    normalization,
    pooling,
    recurrent,
    reduction,
    shaping,
)
from nnefkit.exchange.caffe.weights import LayerBlobs
from nnefkit.exchange.network_reader import NetworkReader
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for, refuse
from nnefkit.exchange.source_value import Value
from nnefkit.graph import Graph

_CALL = "nnefkit.from_caffe(prototxt)"
_TRAINING = ("Accuracy", "Filter", "HDF5Output", "BatchReindex")


class CaffeReader(NetworkReader):
    """Reads one network."""

    def __init__(self, source: CaffeModel) -> None:
        super().__init__(source.path, source.size, _CALL)
        self.source = source
        self._weights = LayerBlobs(source, self.graph)
        self._normalized: dict[int, Normalized] = {}
        self._values: dict[int, Value | Unread] = {}

    @property
    def size(self) -> int:
        """The number of layers to read."""
        return len(self.source.layers)

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the layers.
        """
        for number in self.source.inputs:
            self._values[number] = self._input(number)
        for layer in self.source.layers:
            self._read_layer(layer)
            if bar is not None:
                bar.update(1)
        return self.finished(self.source.name, self._outputs())

    # -- inputs and outputs -------------------------------------------------------------------

    def _input(self, number: int) -> Value | Unread:
        name, shape = self.source.values[number].blob, self.source.shapes[number]
        return self.external(name, shape, np.dtype(np.float32))

    def _outputs(self) -> list[tuple[str, Value]]:
        values = [(name, self._values.get(n, UNREAD)) for name, n in self.source.outputs]
        return self.usable(values, "layer", INVALID)

    # -- layers -------------------------------------------------------------------------------

    def _read_layer(self, layer: CaffeLayer) -> None:
        first = len(self.graph.operations)
        try:
            results = self._results(layer)
        except Exception as error:  # noqa: BLE001 - invalid networks can cause any error
            del self.graph.operations[first:]
            refusal = refusal_for(error, INVALID)
            self.problem(f"{layer.type} '{layer.name}': {refusal.reason}", refusal.hint)
            results = []
        for number, value in zip(layer.tops, results, strict=False):
            self._values[number] = value
        for number in layer.tops[len(results) :]:
            self._values[number] = UNREAD

    def _results(self, layer: CaffeLayer) -> list[Value]:
        if layer.type not in READERS:
            raise self._unknown(layer)
        if layer.unknown:
            refuse(
                f"it has the parameter '{layer.unknown[0]}', which Caffe does not have",
                "A derivative of Caffe may compute something else by it: remove it if it does not.",
            )
        inputs: list[Value] = []
        for number in layer.bottoms:
            value = self._values.get(number)
            if isinstance(value, Unread):
                return []  # An earlier refusal is the cause.
            if value is None:
                blob = self.source.values[number].blob
                refuse(
                    f"it reads the blob '{blob}' of a layer of training data",
                    f"Make it an input: input_shapes={{'{blob}': ...}}.",
                )
            inputs.append(value)
        call = Call(
            layer.type,
            self.graph,
            layer,
            inputs,
            self.allowance,
            self._weights.read,
            self._normalized,
            [self.source.readers[number] == 1 for number in layer.bottoms],
        )
        read: Any = READERS[layer.type](call)
        self._weights.check_all(layer)
        results = read if isinstance(read, list) else [read]
        if len(results) < len(layer.tops):
            refuse(f"it has {len(layer.tops)} tops, not {len(results)}", INVALID)
        self.graph.name_results(results, [self.source.values[n].name for n in layer.tops])
        return results

    # -- problems -----------------------------------------------------------------------------

    def _unknown(self, layer: CaffeLayer) -> Refusal:
        """Return the refusal of a layer without a reader."""
        values = self.source.values
        if layer.type in DATA:
            tops = ", ".join(f"'{values[n].blob}': (1, 3, 224, 224)" for n in layer.tops[:1])
            return Refusal(
                "it reads examples from a database",
                f"Make its blob an input, with its shape: input_shapes={{{tops}}}.",
            )
        read = [values[number].blob for number in layer.bottoms]
        if layer.type.endswith("Loss") or layer.type in _TRAINING:
            wanted = read[:1]
            reason = "it is a layer for training and testing, which NNEF has no operation for"
        elif layer.type == "DetectionOutput":
            wanted = read[:3]
            reason = "it sorts and drops boxes, which NNEF has no operation for"
        else:
            wanted, reason = read, "NNEF has no operation for it, or it is not a layer of Caffe"
        if not wanted:
            return Refusal(reason, INVALID)
        return Refusal(
            reason,
            f"Cut the network before it, outputs={wanted!r}, and compute the rest outside of it.",
        )
