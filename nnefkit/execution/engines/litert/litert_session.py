"""Runs of lowered graphs in LiteRT."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.engine import Watch, failed_operation
from nnefkit.execution.engines.litert.builder import TfliteValue
from nnefkit.execution.engines.litert.channels_last import (
    ChannelsLast,
    TensorPlace,
    without_outputs,
)
from nnefkit.execution.engines.litert.flat_file import FileGraph, NamedValue, file_bytes
from nnefkit.execution.engines.litert.fusion import fused
from nnefkit.execution.engines.litert.graph_lowering import lower_graph, simplified
from nnefkit.execution.engines.litert.interpreter import LitertError, LoadedModel
from nnefkit.execution.layout.forms import arranged
from nnefkit.graph import Graph

TOO_LARGE = "an integer does not fit 32 bits, in which LiteRT divides"


class LitertSession:
    """An interpreter of a graph, and the tensors that need no computation.

    Args:
        graph: The graph.
        fetch: Tensors to return.
        watched: Tensors to pass to a watch.
        threads: Number of threads; None for one.
    """

    def __init__(
        self,
        graph: Graph,
        fetch: Collection[str],
        watched: Collection[str],
        threads: int | None,
    ) -> None:
        self._graph = graph
        self._fetch = tuple(fetch)
        self._watched = frozenset(watched)
        wanted = tuple(dict.fromkeys((*fetch, *watched)))
        self._operations = [op for op in graph.needed(wanted) if not op.is_source]
        simple = without_outputs(simplified(graph, wanted), wanted)
        network = ChannelsLast(simple, wanted)
        self._places = {name: network.stored(name) for name in wanted}
        stored = [p.name for p in self._places.values() if isinstance(p, TensorPlace)]
        lowered = lower_graph(network.graph, dict.fromkeys(stored))
        self._values = {name: lowered.values[name] for name in stored}
        self._inputs = {value.name: network.stored(value.name) for value in lowered.inputs}
        inputs = {id(value) for value in lowered.inputs}
        computed = {
            id(value): value
            for value in self._values.values()
            if value.data is None and id(value) not in inputs
        }
        self._numbers = {number: place for place, number in enumerate(computed)}
        self._model: LoadedModel | None = None
        if computed:
            operators = fused(lowered.builder.operators, [*computed.values()])
            file = FileGraph(
                graph.name,
                operators,
                [NamedValue(value.name, value) for value in lowered.inputs],
                [NamedValue(value.name, value) for value in computed.values()],
            )
            self._names = [operator.outputs[0].name for operator in operators]
            try:
                self._model = LoadedModel(file_bytes(file), threads)
            except LitertError as error:
                raise self._failure(error) from error

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Compute the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        inputs = {name: _fed(place, feeds[name]) for name, place in self._inputs.items()}
        arrays: list[Array] = []
        if self._model is not None:
            try:
                arrays = self._model.run([*inputs.values()])
            except LitertError as error:
                raise self._failure(error) from error
        places = self._places.items()
        results = {name: self._result(place, inputs, arrays) for name, place in places}
        if watch is not None:
            self._report(watch, results)
        return {name: results[name] for name in self._fetch}

    def _failure(self, error: LitertError) -> ExecutionError:
        """Return an error that names the operation that failed."""
        name = "" if error.number is None else self._names[error.number]
        while name not in self._graph.producers and "." in name:
            name = name.rpartition(".")[0]
        op = self._graph.producers.get(name)
        if op is None:
            return error
        reason = f"LiteRT reports: {error.message}"
        if op.name == "div":
            is_zero = error.message == "Division by 0"
            reason = "an integer is divided by zero" if is_zero else TOO_LARGE
        shapes = {each: self._graph.tensors[each].shape or () for each in op.input_names}
        return failed_operation(self._graph, op, shapes, ExecutionError(reason))

    def _result(
        self, place: TensorPlace | Array, inputs: Mapping[str, Array], arrays: list[Array]
    ) -> Array:
        if not isinstance(place, TensorPlace):
            return _typed(place)
        value = self._values[place.name]
        return np.array(place.elements(self._elements(value, inputs, arrays)))

    def _elements(
        self, value: TfliteValue, inputs: Mapping[str, Array], arrays: list[Array]
    ) -> Array:
        if value.data is not None:
            return value.data
        if id(value) in self._numbers:
            return arrays[self._numbers[id(value)]].reshape(value.shape)
        return inputs[value.name]

    def _report(self, watch: Watch, results: Mapping[str, Array]) -> None:
        """Call `watch`; LiteRT fuses operations and does not report how long each took."""
        for op in self._operations:
            names = [name for name in op.output_names if name in self._watched]
            if names or not self._watched:
                watch((op,), {name: results[name] for name in names}, math.nan)


def _fed(place: TensorPlace | Array, array: Array) -> Array:
    if not isinstance(place, TensorPlace):
        raise ExecutionError("an input has no place in the network")
    values = arranged(array, place.form)
    return np.ascontiguousarray(values).reshape(values.shape)


def _typed(data: Array) -> Array:
    dtype: Any = {"f": np.float32, "i": np.int64, "u": np.int64}.get(data.dtype.kind, data.dtype)
    return np.array(data, dtype)
