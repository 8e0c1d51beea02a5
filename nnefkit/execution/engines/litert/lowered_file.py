"""TFLite files of whole graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.execution.dtypes import numpy_dtype
from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.channels_last import ChannelsLast, TensorPlace
from nnefkit.execution.engines.litert.codes.coded_operators import CodedOperators
from nnefkit.execution.engines.litert.codes.grids import check_lines
from nnefkit.execution.engines.litert.codes.states import states_of, with_states
from nnefkit.execution.engines.litert.flat_file import FileGraph, NamedValue, file_bytes
from nnefkit.execution.engines.litert.fusion import fused, needed_operators
from nnefkit.execution.engines.litert.graph_lowering import lower_graph, simplified
from nnefkit.execution.engines.litert.primitives import cast
from nnefkit.execution.preparation.integer_arithmetic import with_integer_arithmetic
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph

HALF_LIMIT = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class WrittenFile:
    """A file, and where the tensors of its graph are in it."""

    data: bytes
    places: Mapping[str, TensorPlace] = field(repr=False)
    """Tensor of the graph -> the tensor of the file that has its elements."""


def written_file(
    graph: Graph,
    *,
    half: bool = False,
    coded: bool = False,
    input_dtypes: Mapping[str, Any] | None = None,
) -> WrittenFile:
    """Return the file of a graph.

    Its inputs and outputs are those of the graph, under their names.

    Args:
        graph: Without calls of fragments; all its shapes are known.
        half: Whether weights are stored in float16, and dequantized when the file is loaded.
        coded: Whether the quantization info is applied: the network computes with codes.
        input_dtypes: Name of an integer input -> its dtype, if it is not int64.

    Raises:
        ExecutionError: An operation cannot be expressed in TFLite, or a variable has no values.
    """
    wanted = dict.fromkeys((*graph.outputs, *updates(graph).values()))
    simple = simplified(with_integer_arithmetic(graph), wanted)
    network = ChannelsLast(simple)
    if coded:
        check_lines(network.graph)
    changes = updates(network.graph)
    computed = dict.fromkeys((*graph.outputs, *changes.values()))
    lowered = lower_graph(network.graph, computed, coded=coded)
    states = states_of(network.graph, changes, lowered.values)
    known = {value.name: value for value in lowered.inputs}
    inputs = [known.get(name) or _unused(graph, name) for name in graph.inputs]
    outputs = _outputs(lowered.builder, lowered.values, graph.outputs, inputs)
    new_states = [state.result for state in states]
    operators = fused(lowered.builder.operators, [*outputs, *new_states])
    names = [value.name for value in outputs]
    if coded:
        codes = CodedOperators(operators, inputs, outputs, states)
        inputs, outputs, new_states = codes.inputs, codes.outputs, codes.new_states
        operators = needed_operators(codes.operators, [*outputs, *new_states])
    if half:
        operators = _with_half_weights(operators)
    named = [NamedValue(value.name, value) for value in inputs]
    for number, value in enumerate(inputs):
        dtype = (input_dtypes or {}).get(value.name)
        if dtype is not None and np.dtype(dtype) != value.dtype and value.grid is None:
            operators, named[number] = _retyped(operators, value, np.dtype(dtype))
    results = [NamedValue(*pair) for pair in zip(names, outputs, strict=True)]
    file = FileGraph(graph.name, operators, named, results)
    data = file_bytes(*with_states(file, states, new_states))
    places = {name: network.stored(name) for name in simple.tensors if name in graph.tensors}
    return WrittenFile(data, {n: p for n, p in places.items() if isinstance(p, TensorPlace)})


def _unused(graph: Graph, name: str) -> TfliteValue:
    """Return an input that no output depends on."""
    tensor = graph.tensors[name]
    return TfliteValue(
        tuple(tensor.shape or ()), numpy_dtype(tensor.dtype, TfliteBuilder.scalar), name
    )


def _outputs(
    b: TfliteBuilder,
    values: Mapping[str, TfliteValue],
    names: Sequence[str],
    inputs: Sequence[TfliteValue],
) -> list[TfliteValue]:
    """Return the outputs, each a value with its own name."""
    taken = {id(value) for value in inputs}
    outputs = []
    for name in names:
        value = values[name]
        if value.name != name or value.data is not None or id(value) in taken:
            shape = b.ints(*value.shape)
            line = value.line
            value = b.op("RESHAPE", [value, shape], value.shape, NewShape=[*value.shape])
            value.name, value.line = name, line
        taken.add(id(value))
        outputs.append(value)
    return outputs


def _with_half_weights(operators: Sequence[BuiltOperator]) -> list[BuiltOperator]:
    """Return operators that read weights of float16 through DEQUANTIZE."""
    b = TfliteBuilder()
    made: dict[int, TfliteValue] = {}
    for operator in operators:
        for number, value in enumerate(operator.inputs):
            if not value.is_weight or value.data is None or value.dtype != np.float32:
                continue
            if id(value) not in made and np.abs(value.data).max(initial=0.0) <= HALF_LIMIT:
                small = TfliteValue(
                    value.shape,
                    np.dtype(np.float16),
                    f"{value.name}.float16",
                    value.data.astype(np.float16),
                )
                made[id(value)] = b.op("DEQUANTIZE", [small], value.shape, np.float32)
                made[id(value)].name = value.name
            operator.inputs[number] = made.get(id(value), value)
    return [*b.operators, *operators]


def _retyped(
    operators: Sequence[BuiltOperator], value: TfliteValue, dtype: np.dtype[Any]
) -> tuple[list[BuiltOperator], NamedValue]:
    """Return operators that read an input of another dtype, and the input."""
    b = TfliteBuilder()
    name = value.name
    given = TfliteValue(value.shape, dtype, name)
    wide = cast(b, given, value.dtype)
    wide.name = f"{name}.{value.dtype.name}"
    for operator in operators:
        operator.inputs = [wide if each is value else each for each in operator.inputs]
    return [*b.operators, *operators], NamedValue(name, given)
