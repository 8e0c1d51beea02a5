"""TFLite models that tests write, and what LiteRT computes for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import nnefkit as nk

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
    "bool": schema.TensorType.BOOL,
    "complex64": schema.TensorType.COMPLEX64,
    "resource": schema.TensorType.RESOURCE,
}

VERSIONS = {"BROADCAST_TO": 2}
"""Versions of operators of which LiteRT has no first one."""


@dataclass
class Graph:
    """A subgraph under construction; tensors are numbers."""

    model: Model
    tensors: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)

    def tensor(
        self,
        shape: Sequence[int],
        dtype: str = "float32",
        name: str = "",
        *,
        data: Any = None,
        variable: bool = False,
        quantization: tuple[Sequence[float], Sequence[int], int] | None = None,
        signature: Sequence[int] | None = None,
    ) -> int:
        """Add a tensor, which is constant with `data`."""
        tensor = schema.TensorT()
        tensor.shape = [*shape]
        tensor.shapeSignature = None if signature is None else [*signature]
        tensor.type = TYPES[dtype]
        tensor.name = name or f"t{len(self.tensors)}"
        tensor.isVariable = variable
        tensor.buffer = 0 if data is None else self.model.buffer(np.asarray(data, dtype).tobytes())
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            scale, zero, axis = quantization
            tensor.quantization.scale, tensor.quantization.zeroPoint = [*scale], [*zero]
            tensor.quantization.quantizedDimension = axis
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def input(
        self, shape: Sequence[int], dtype: str = "float32", name: str = "", **more: Any
    ) -> int:
        number = self.tensor(shape, dtype, name or f"x{len(self.inputs)}", **more)
        self.inputs.append(number)
        return number

    def constant(self, data: Any, dtype: str = "float32", **more: Any) -> int:
        array = np.asarray(data, dtype)
        return self.tensor(array.shape, dtype, data=array, **more)

    def call(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: str = "",
        /,
        **values: Any,
    ) -> Sequence[int]:
        """Add an operator; its options are a table of the schema with these fields."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.model.code(name)
        operator.inputs, operator.outputs = [*inputs], [*outputs]
        if options:
            table = getattr(schema, f"{options}T")()
            for key, value in values.items():
                assert hasattr(table, key), key
                setattr(table, key, value)
            operator.builtinOptions = table
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        self.operators.append(operator)
        return outputs


class Model:
    """A model under construction."""

    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.codes: list[str] = []
        self.graphs: list[Graph] = []
        self.signatures: list[Any] = []

    def buffer(self, data: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    def code(self, name: str) -> int:
        if name not in self.codes:
            self.codes.append(name)
        return self.codes.index(name)

    def graph(self) -> Graph:
        self.graphs.append(Graph(self))
        return self.graphs[-1]

    def sign(
        self, key: str, inputs: Mapping[str, int], outputs: Mapping[str, int], graph: int = 0
    ) -> None:
        """Add a signature."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = key, graph
        signature.inputs, signature.outputs = [], []
        for names, maps in ((inputs, signature.inputs), (outputs, signature.outputs)):
            for name, number in names.items():
                one = schema.TensorMapT()
                one.name, one.tensorIndex = name, number
                maps.append(one)
        self.signatures.append(signature)

    def bytes(self) -> bytes:
        model = schema.ModelT()
        model.version, model.description = 3, "written by a test"
        model.buffers = self.buffers
        model.operatorCodes = [_code(name) for name in self.codes]
        model.signatureDefs = self.signatures or None
        model.subgraphs = []
        for number, graph in enumerate(self.graphs):
            subgraph = schema.SubGraphT()
            subgraph.name = f"graph{number}"
            subgraph.tensors, subgraph.operators = graph.tensors, graph.operators
            subgraph.inputs, subgraph.outputs = graph.inputs, graph.outputs
            model.subgraphs.append(subgraph)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _code(name: str) -> Any:
    code = schema.OperatorCodeT()
    code.version = VERSIONS.get(name, 1)
    if name.startswith("CUSTOM "):
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
        code.customCode = name.removeprefix("CUSTOM ")
    else:
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    return code


def run(data: bytes, *calls: Sequence[Any]) -> list[list[Any]]:
    """Return the outputs of LiteRT's plain kernels for calls in turn."""
    interpreter = Interpreter(
        model_content=data,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        num_threads=1,
    )
    details = interpreter.get_input_details()
    results = []
    for number, inputs in enumerate(calls):
        if not number:
            for detail, array in zip(details, inputs, strict=True):
                if tuple(detail["shape"]) != array.shape:
                    interpreter.resize_tensor_input(detail["index"], array.shape)
            interpreter.allocate_tensors()
        for detail, array in zip(details, inputs, strict=True):
            interpreter.set_tensor(detail["index"], np.asarray(array, detail["dtype"]))
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        results.append([np.array(interpreter.get_tensor(each["index"])) for each in outputs])
    return results


def check(data: bytes, *calls: Sequence[Any], tolerance: float = 1e-5) -> nk.Graph:
    """Check that the graph of a model computes what LiteRT computes, and return it."""
    graph = nk.from_tflite(data, verify=False, progress=False)
    session = nk.Session(graph)
    for inputs, expected in zip(calls, run(data, *calls), strict=True):
        outputs = session.run(dict(zip(graph.inputs, inputs, strict=True)))
        for array, other in zip(outputs.values(), expected, strict=True):
            result = np.asarray(array)
            assert result.shape == other.shape
            scale = max(1.0, float(np.abs(other[np.isfinite(other)]).max(initial=0)))
            np.testing.assert_allclose(
                result.astype(np.float64), other.astype(np.float64), rtol=0, atol=tolerance * scale
            )
    return graph


def one(
    operator: str,
    inputs: Sequence[Any],
    outputs: Sequence[tuple[Sequence[int], str]],
    options: str = "",
    /,
    constant: Sequence[int] = (),
    **values: Any,
) -> bytes:
    """Return a model of one operator.

    Args:
        operator: Its name.
        inputs: Arrays: examples of inputs, or constants; None for an optional input.
        outputs: The shape and the dtype of each output.
        options: The table of its options.
        constant: The positions of the constant inputs.
        **values: The fields of the table.
    """
    model = Model()
    graph = model.graph()
    numbers = []
    for position, array in enumerate(inputs):
        if array is None:
            numbers.append(-1)
        elif position in constant:
            numbers.append(graph.constant(array, array.dtype.name))
        else:
            numbers.append(graph.input(array.shape, array.dtype.name))
    graph.outputs = [graph.tensor(shape, dtype, "y") for shape, dtype in outputs]
    graph.call(operator, numbers, graph.outputs, options, **values)
    return model.bytes()


def check_one(operator: str, inputs: Sequence[Any], *args: Any, **values: Any) -> nk.Graph:
    """Check a model of one operator on its example inputs; see `one`."""
    constant = values.get("constant", ())
    given = [x for n, x in enumerate(inputs) if x is not None and n not in constant]
    tolerance = values.pop("tolerance", 1e-5)
    return check(one(operator, inputs, *args, **values), given, tolerance=tolerance)
