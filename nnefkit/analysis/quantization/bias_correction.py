"""Bias correction: the mean error that rounded weights cause in each channel, taken off the bias.

M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019;
the means are measured on the calibration inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnefkit.analysis.quantization.plan import constant_tensors
from nnefkit.analysis.quantization.stored_weights import WeightFinder, new_variable, with_values
from nnefkit.analysis.segments import own_results, run_in, segments
from nnefkit.arrays import Array
from nnefkit.execution import Session
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation
from nnefkit.graph.cut import needed_operations

_BUDGET = 1 << 28
_LAYERS = ("conv", "deconv", "linear")


@dataclass
class MeanError:
    """The sum of the errors of a layer in each output channel."""

    total: Array
    count: int = 0

    def add(self, expected: Array, found: Array) -> None:
        """Add the results for one input."""
        error = found.astype(np.float64) - expected.astype(np.float64)
        axes = tuple(axis for axis in range(error.ndim) if axis != 1)
        self.total = self.total + error.sum(axis=axes)
        self.count += error.size // max(error.shape[1], 1)


def with_corrected_biases(
    graph: Graph,
    rounded: Graph,
    inputs: Sequence[Mapping[str, Array]],
    engine: str,
) -> tuple[Graph, tuple[str, ...]]:
    """Return a graph with biases that make up for the mean error of rounded weights.

    Each layer with rounded weights is run on the inputs that it has in floating point.

    Args:
        graph: The graph in floating point.
        rounded: The graph with quantization info for its filters alone.
        inputs: Calibration inputs.
        engine: The engine that runs both.

    Returns:
        The graph, and the results of the layers whose biases were corrected.
    """
    constant = constant_tensors(graph)
    layers = {
        op.output_names[0]: op
        for op in graph.operations
        if op.name in _LAYERS
        and len(graph.tensors[op.output_names[0]].shape or ()) >= 2
        and op.inputs["filter"] in constant
        and _is_rounded(rounded, op.inputs["filter"])
    }
    errors: dict[str, MeanError] = {}
    with Session(graph, engine) as session, Session(rounded, engine, quantized=True) as other:
        run = run_in(engine)
        for each in inputs:
            values = dict(session.trace(each, progress=False))
            parts = [part for part in segments(other.graph, values) if part.tensor in layers]
            for part, found in own_results(other.graph, parts, values, run, _BUDGET):
                expected = values[part.tensor]
                known = errors.setdefault(part.tensor, MeanError(np.zeros(expected.shape[1])))
                known.add(expected, found)
    return _corrected(graph, layers, errors)


def _is_rounded(graph: Graph, name: str) -> bool:
    """Return whether a weight, or one that it is computed from, is quantized."""
    names = {n for op in needed_operations(graph.operations, [name]) for n in op.output_names}
    return any(graph.tensors[each].quantization for each in names)


def _corrected(
    graph: Graph, layers: Mapping[str, Operation], errors: Mapping[str, MeanError]
) -> tuple[Graph, tuple[str, ...]]:
    finder = WeightFinder(graph)
    values: dict[str, Array] = {}
    added: dict[str, Array] = {}
    for name, known in errors.items():
        shift = -(known.total / max(known.count, 1)).reshape(1, -1)
        bias = layers[name].inputs["bias"]
        stored = finder.find(layers[name], "bias")
        if stored is not None and not stored.axes:
            data = np.asarray(graph.tensors[stored.variable].data, np.float64)
            if data.ndim <= 2 and data.size in (1, shift.size) and data.shape[:1] == (1,):
                if data.size == shift.size:
                    values[stored.variable] = data + shift.reshape(data.shape)
                else:
                    added[name] = data.reshape(1, 1) + shift
        elif not isinstance(bias, Identifier):
            added[name] = float(bias) + shift
    corrected = with_values(graph, values)
    changed = {name for name in errors if layers[name].inputs["bias"] in values}
    return _with_new_biases(corrected, added), tuple(n for n in errors if n in changed | {*added})


def _with_new_biases(graph: Graph, added: Mapping[str, Array]) -> Graph:
    """Return a graph in which some layers have a variable as their bias."""
    operations: list[Operation] = []
    tensors = dict(graph.tensors)
    for op in graph.operations:
        name = op.output_names[0] if op.output_names else ""
        if op.name in _LAYERS and name in added:
            filters = tensors[op.input_names[1]].data
            wide = filters is not None and filters.dtype == np.float64
            data = added[name].astype(np.float64 if wide else np.float32)
            variable, tensor = new_variable(f"{name}_bias", data, tensors)
            tensors[tensor.name] = tensor
            operations.append(variable)
            op = replace(op, inputs=FrozenDict({**op.inputs, "bias": Identifier(tensor.name)}))
        operations.append(op)
    return replace(graph, operations=tuple(operations), tensors=FrozenDict(tensors))
