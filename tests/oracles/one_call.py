"""One call of an operation: drawn by hypothesis, and as a graph that any engine can run."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.language import declarations
from nnefkit.language.types import ArrayType, dtype_of
from nnefkit.operations.kernel_call import TYPED
from nnefkit.operations.registry import SHAPE_RULES
from nnefkit.operations.shape_inference import infer_shapes
from oracles.drawing import Call, Drawing
from oracles.drawn_calls import CALLS

SOURCES = {"external", "variable"}
"""They compute nothing, and are in every graph."""


@st.composite
def calls_of(draw, name, strange=True, plain=False, wild=False):
    """Draw a call of the operation `name`; see `Drawing`."""
    drawing = Drawing(draw, strange, plain, wild)
    call = CALLS[name](drawing)
    if call.dtype == "scalar" and name not in TYPED:
        kind = drawing.one("scalar", "scalar", "integer", "logical")
        call = Call([_retyped(value, kind) for value in call.inputs], call.attribs, kind)
    return call


def _retyped(value, kind):
    """Return the same argument of a generic operation with elements of another data type."""
    if isinstance(value, list):
        return [_retyped(item, kind) for item in value]
    floats = value.dtype.kind == "f" if isinstance(value, np.ndarray) else True
    if kind == "scalar" or not floats:
        return value
    if isinstance(value, np.ndarray):
        value = np.nan_to_num(value, posinf=9, neginf=-9)
        return np.asarray(value > 0 if kind == "logical" else np.floor(value * 10).astype(np.int64))
    return value > 0 if kind == "logical" else int(value)


KINDS = {"f": "scalar", "i": "integer", "b": "logical"}


def graph_of(name, call, wide=False):
    """Return a graph of one call, whose arrays are inputs, and the feeds.

    Args:
        name: The name of the operation.
        call: Its arguments.
        wide: Whether to compute in float64, which a variable of that width decides.
    """
    declaration = declarations()[name]
    operations: list[Operation] = []
    tensors: dict[str, Tensor] = {}
    feeds: dict[str, Any] = {}

    def placed(value):
        if isinstance(value, list):
            return [placed(item) for item in value]
        if not isinstance(value, np.ndarray):
            return value
        tensor = Identifier(f"input{len(feeds)}")
        kind = KINDS[value.dtype.kind]
        if name == "update" and not feeds:
            attribs = FrozenDict(shape=[*value.shape], label="state")
            made = Tensor(tensor, kind, value.shape, value, "state")
            sort = "variable"
        else:
            attribs = FrozenDict(shape=[*value.shape])
            made, sort = Tensor(tensor, kind, value.shape), "external"
        operations.append(Operation(sort, FrozenDict(), FrozenDict(output=tensor), attribs, kind))
        tensors[tensor] = made
        feeds[tensor] = value
        return tensor

    if wide:
        data = np.ones(1, np.float64)
        label = FrozenDict(shape=[1], label="wide")
        result = FrozenDict(output=Identifier("wide"))
        operations.append(Operation("variable", FrozenDict(), result, label, "scalar"))
        tensors["wide"] = Tensor("wide", "scalar", (1,), data, "wide")
    formals = [p.name for p in declaration.parameters]
    inputs = {formal: placed(v) for formal, v in zip(formals, call.inputs, strict=False)}
    shapes = [shape_of(value) for value in call.inputs]
    expected = SHAPE_RULES[name](*shapes, **call.attribs)
    outputs, names = {}, []
    for result in declaration.results:
        if isinstance(result.type, ArrayType):
            outputs[result.name] = [Identifier(f"result{i}") for i in range(len(expected))]
            computed = outputs[result.name]
        else:
            outputs[result.name] = Identifier(result.name)
            computed = [outputs[result.name]]
        array = isinstance(result.type, ArrayType)
        declared = dtype_of(result.type.element if array else result.type)
        dtype = call.dtype or "scalar" if declared == "?" else declared
        tensors |= {tensor: Tensor(tensor, dtype) for tensor in computed}
        names += computed
    operations.append(
        Operation(
            name, FrozenDict(inputs), FrozenDict(outputs), FrozenDict(call.attribs), call.dtype
        )
    )
    externals = tuple(op.output_names[0] for op in operations if op.name == "external")
    graph = Graph("one", externals, tuple(names), tuple(operations), FrozenDict(tensors))
    return infer_shapes(graph), {n: a for n, a in feeds.items() if n in externals}


def shape_of(value):
    """Return the shape of an argument, as shape rules take it."""
    if isinstance(value, list):
        return [shape_of(item) for item in value]
    return value.shape if isinstance(value, np.ndarray) else ()


def as_dtype(value, dtype):
    """Return an argument with its real numbers in another width."""
    if isinstance(value, list):
        return [as_dtype(item, dtype) for item in value]
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    return value


def as_typed(name, dtype, inputs):
    """Return the arguments with real numbers written as such, as in documents."""
    scalar = ("scalar", "?") if dtype == "scalar" else ("scalar",)
    return [
        float(value) if type(value) is int and dtype_of(parameter.type) in scalar else value
        for value, parameter in zip(inputs, declarations()[name].parameters, strict=False)
    ]
