"""A graph made ready to run in ONNX Runtime."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.engine import Watch, failed_operation
from nnefkit.execution.engines.onnxruntime.builder import Value
from nnefkit.execution.engines.onnxruntime.graph_lowering import Lowered, lower
from nnefkit.execution.engines.onnxruntime.model import model
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import onnxruntime

IMPRECISE = ("MatMulScaleFusion", "LayerNormFusionL1")
"""Optimizations that carry float32 numbers into computations in float64."""
SILENT = 4
"""ONNX Runtime logs nothing: what it says of an error is in the exception too."""


class PreparedModel:
    """A session of ONNX Runtime together with what it does not compute itself."""

    def __init__(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str], threads: int | None
    ) -> None:
        self._graph = graph
        self._fetch = tuple(fetch)
        lowered = lower(graph, tuple(dict.fromkeys((*fetch, *watched))))
        self._operations = lowered.operations
        names = frozenset(watched)
        self._told = [
            ((op,), tuple(name for name in op.output_names if name in names))
            for op in (lowered.operations if names else ())
        ]
        self._known = {
            name: value.data for name, value in lowered.outputs.items() if value.data is not None
        }
        given = {id(value) for value in lowered.inputs}
        self._given = {
            name: value.name for name, value in lowered.outputs.items() if id(value) in given
        }
        computed = {
            name: value
            for name, value in lowered.outputs.items()
            if name not in self._known and name not in self._given
        }
        first: dict[str, str] = {}
        for name, value in computed.items():
            first.setdefault(value.name, name)
        self._copies = {
            name: first[value.name] for name, value in computed.items() if first[value.name] != name
        }
        """Tensors that are one value with another one."""
        self._names = list(first)
        self._tensors = list(first.values())
        self._inputs = [value.name for value in lowered.inputs]
        self._weights: dict[str, Array] = {}
        self._session = self._open(lowered, computed, threads) if self._names else None

    def _open(
        self, lowered: Lowered, computed: Mapping[str, Value], threads: int | None
    ) -> onnxruntime.InferenceSession:
        import onnxruntime

        outputs = list({value.name: value for value in computed.values()}.values())
        proto = model(lowered, outputs, self._graph.name, shared=self._weights)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = threads
        # The weights stay where they are: they may be mapped from a file, and are not copied.
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(a) for a in self._weights.values()]
        if values:
            options.add_external_initializers(list(self._weights), values)
        wide = lowered.builder.scalar == np.float64
        if wide:
            level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
            options.graph_optimization_level = level
        try:
            return onnxruntime.InferenceSession(
                proto.SerializeToString(),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=[*IMPRECISE] if wide else None,
            )
        except Exception as error:
            raise self._failure(error) from error

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Computes the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        results: dict[str, Array] = {}
        if self._session is not None:
            inputs = {name: feeds[name] for name in self._inputs}
            try:
                arrays = self._session.run(self._names, inputs)
            except Exception as error:
                raise self._failure(error) from error
            results = dict(zip(self._tensors, map(np.asarray, arrays), strict=True))
        for name, other in self._copies.items():
            results[name] = results[other].copy()
        for name, source in self._given.items():
            results[name] = feeds[source].copy()
        for name, data in self._known.items():
            results[name] = data.copy()
        if watch is not None:
            self._tell(watch, results)
        return {name: results[name] for name in self._fetch}

    def _tell(self, watch: Watch, results: Mapping[str, Array]) -> None:
        """ONNX Runtime fuses operations and does not say how long each took."""
        if not self._told and self._operations:
            watch(self._operations, {}, math.nan)
        for operations, names in self._told:
            watch(operations, {name: results[name] for name in names}, math.nan)

    def _failure(self, error: Exception) -> ExecutionError:
        found = re.search(r"Name:'([^']*)'", str(error))
        name = found.group(1).split(".")[0] if found else ""
        op = self._graph.producers.get(name)
        reason = str(error).split("Status Message: ")[-1].strip()
        if op is None:
            return ExecutionError(f"ONNX Runtime failed: {reason}")
        shapes = {name: self._graph.tensors[name].shape or () for name in op.input_names}
        return failed_operation(self._graph, op, shapes, ExecutionError(reason))
