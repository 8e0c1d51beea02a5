"""Sessions of ONNX Runtime that run a lowered graph."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from nnefkit.arrays import Array, is_surely_finite
from nnefkit.display.numbers import plural
from nnefkit.errors import ExecutionError
from nnefkit.execution.engine import Watch, failed_operation
from nnefkit.execution.engines.onnxruntime.builder import OnnxValue
from nnefkit.execution.engines.onnxruntime.graph_lowering import LoweredGraph, lower_graph
from nnefkit.execution.engines.onnxruntime.lowered_model import make_model
from nnefkit.graph import Graph, Operation

if TYPE_CHECKING:
    import onnxruntime

IMPRECISE = ("MatMulScaleFusion", "LayerNormFusionL1")
"""Optimizations that carry float32 numbers into computations in float64."""
SILENT = 4
"""Log level that silences ONNX Runtime: its exceptions contain what it would log."""


_SENSITIVE = frozenset(("max_pool", *(f"{k}_reduce" for k in ("max", "min", "argmax", "argmin"))))
"""Operations that ONNX Runtime computes wrongly for NaN or minus infinity. A graph with them is
lowered again, with more nodes, for inputs that are not finite."""
_SMALL = 2**16
"""Number of elements up to which weights are searched for infinity and NaN: masks, not filters."""


def _has_special_weights(graph: Graph, operations: Iterable[Operation]) -> bool:
    weights = (graph.tensors[op.output_names[0]].data for op in operations if op.is_weight)
    return not all(is_surely_finite(w) for w in weights if w is not None and w.size <= _SMALL)


@dataclass(frozen=True)
class _OutputSources:
    """The tensors to return, by the source of their values."""

    known: Mapping[str, Array]
    """Tensor name -> value, of weights."""
    fed: Mapping[str, str]
    """Tensor name -> name of the input that it is."""
    computed: Mapping[str, OnnxValue]
    """Tensor name -> value to fetch; each value once."""
    copies: Mapping[str, str]
    """Tensor name -> name of the computed tensor of the same value."""


def _sorted_outputs(lowered: LoweredGraph) -> _OutputSources:
    inputs = {id(value) for value in lowered.inputs}
    known: dict[str, Array] = {}
    fed: dict[str, str] = {}
    computed: dict[str, OnnxValue] = {}
    copies: dict[str, str] = {}
    first: dict[str, str] = {}
    for name, value in lowered.outputs.items():
        if value.data is not None:
            known[name] = value.data
        elif id(value) in inputs:
            fed[name] = value.name
        elif value.name in first:
            copies[name] = first[value.name]
        else:
            first[value.name] = name
            computed[name] = value
    return _OutputSources(known, fed, computed, copies)


class OnnxSession:
    """A session of ONNX Runtime, and the outputs that need no computation."""

    def __init__(
        self,
        graph: Graph,
        fetch: Collection[str],
        watched: Collection[str],
        threads: int | None,
        *,
        careful: bool = False,
    ) -> None:
        self._graph = graph
        self._fetch = tuple(fetch)
        wanted = tuple(dict.fromkeys((*fetch, *watched)))
        needed = graph.needed(wanted)
        is_sensitive = any(op.name in _SENSITIVE for op in needed)
        careful = careful or (is_sensitive and _has_special_weights(graph, needed))
        lowered = lower_graph(graph, wanted, careful=careful)
        self._careful: Callable[[], OnnxSession] | None = None
        if is_sensitive and not careful:
            self._careful = cache(
                partial(OnnxSession, graph, self._fetch, watched, threads, careful=True)
            )
        self._operations = lowered.operations
        names = frozenset(watched)
        self._watched = [
            ((op,), tuple(name for name in op.output_names if name in names))
            for op in (lowered.operations if names else ())
        ]
        self._outputs = _sorted_outputs(lowered)
        self._value_names = [value.name for value in self._outputs.computed.values()]
        self._inputs = [value.name for value in lowered.inputs]
        self._weights: dict[str, Array] = {}
        self._session = self._open(lowered, threads) if self._value_names else None

    def _open(self, lowered: LoweredGraph, threads: int | None) -> onnxruntime.InferenceSession:
        import onnxruntime

        outputs = [*self._outputs.computed.values()]
        proto = make_model(lowered, outputs, self._graph.name, shared=self._weights)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = threads
        # The weights are not copied: they may be mapped from a file.
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
        """Compute the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        if self._careful is not None and not all(map(is_surely_finite, feeds.values())):
            return self._careful()(feeds, watch)
        outputs = self._outputs
        results: dict[str, Array] = {}
        if self._session is not None:
            inputs = {name: feeds[name] for name in self._inputs}
            try:
                arrays = self._session.run(self._value_names, inputs)
            except Exception as error:
                raise self._failure(error) from error
            results = dict(zip(outputs.computed, map(np.asarray, arrays), strict=True))
        for name, other in outputs.copies.items():
            results[name] = results[other].copy()
        for name, source in outputs.fed.items():
            results[name] = feeds[source].copy()
        for name, data in outputs.known.items():
            results[name] = data.copy()
        if watch is not None:
            self._report(watch, results)
        return {name: results[name] for name in self._fetch}

    def _report(self, watch: Watch, results: Mapping[str, Array]) -> None:
        """Call `watch`; ONNX Runtime fuses operations and does not report how long each took."""
        if not self._watched and self._operations:
            watch(self._operations, {}, math.nan)
        for operations, names in self._watched:
            watch(operations, {name: results[name] for name in names}, math.nan)

    def _failure(self, error: Exception) -> ExecutionError:
        match = re.search(r"Name:'([^']*)'", str(error))
        name = match.group(1) if match else ""
        while name not in self._graph.producers and "." in name:
            name = name.rpartition(".")[0]
        op = self._graph.producers.get(name)
        reason = str(error).split("Status Message: ")[-1].strip()
        if op is None:
            return ExecutionError(f"ONNX Runtime failed: {reason}")
        if op.name == "div":
            reason = "an integer is divided by zero"
        if op.name == "gather":
            reason = self._wrong_index(op, reason)
        shapes = {name: self._graph.tensors[name].shape or () for name in op.input_names}
        return failed_operation(self._graph, op, shapes, ExecutionError(reason))

    def _wrong_index(self, op: Operation, reason: str) -> str:
        """Return which index of a `gather` is out of range, as the reference kernel does."""
        match = re.search(r"idx=(-?\d+)", reason)
        if match is None:
            return reason
        axis = op.attribs["axis"]
        extent = (self._graph.tensors[op.inputs["input"]].shape or ())[axis]
        index = int(match.group(1))
        index += extent if index < 0 else 0  # see `from_zero`
        return (
            f"'indices' has {index}, but axis {axis} of the input has {plural(extent, 'element')}"
        )
