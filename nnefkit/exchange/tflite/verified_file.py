"""TFLite files, verified: everything is copied out of the FlatBuffer, and every number checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tflite

from nnefkit.arrays import Array
from nnefkit.exchange.tflite.flat_tables import (
    CheckedTable,
    DamagedFile,
    Meter,
    checked,
    fields,
    items,
    numbers,
    of_union,
    text,
)
from nnefkit.exchange.tflite.model import (
    DimensionFormat,
    OperatorInfo,
    Quantization,
    SignatureInfo,
    Sparsity,
    Subgraph,
    TensorInfo,
    TfliteModel,
)

_LARGEST_EXTENT = 2**31 - 1
_OUTSIDE = 1
"""Offsets of buffers above this are positions in the file, outside of the tables."""


class ModelCopy:
    """The copy of a model out of a FlatBuffer."""

    def __init__(self, data: bytes, path: str) -> None:
        self.data = data
        self.path = path
        self.meter = Meter(data)
        self.buffers: list[memoryview | None] = []
        self.codes: list[str] = []

    def model(self) -> TfliteModel:
        """Return the whole model.

        Raises:
            DamagedFile: The structure of the file is broken.
        """
        root = tflite.Model()
        start = int.from_bytes(self.data[:4], "little")
        root._tab = CheckedTable(self.data, start, self.meter)
        self.buffers = [
            self._buffer(each) for each in items(root.BuffersLength, root.Buffers, self.meter)
        ]
        self.codes = [
            _operator_name(each)
            for each in items(root.OperatorCodesLength, root.OperatorCodes, self.meter)
        ]
        subgraphs = tuple(
            self._subgraph(each) for each in items(root.SubgraphsLength, root.Subgraphs, self.meter)
        )
        if not subgraphs:
            raise DamagedFile("it has no graph")
        signatures = tuple(
            self._signature(each, subgraphs)
            for each in items(root.SignatureDefsLength, root.SignatureDefs, self.meter)
        )
        stem = Path(self.path).stem if self.path else subgraphs[0].name
        description = text(root.Description())
        return TfliteModel(
            subgraphs, signatures, description, stem or "network", self.path, self.data
        )

    def _buffer(self, buffer: Any) -> memoryview | None:
        """Return the bytes of a buffer; None for an empty one."""
        offset, size = int(buffer.Offset()), int(buffer.Size())
        whole = memoryview(self.data)
        if offset > _OUTSIDE and size > 0:
            if offset + size > len(self.data):
                raise DamagedFile(f"the data at {offset} are outside of the file")
            return whole[offset : offset + size]
        array = buffer.DataAsNumpy()
        return array.data if isinstance(array, np.ndarray) and array.size else None

    def _subgraph(self, graph: Any) -> Subgraph:
        meter = self.meter
        tensors = tuple(
            self._tensor(each) for each in items(graph.TensorsLength, graph.Tensors, meter)
        )
        operators = tuple(
            self._operator(each, len(tensors))
            for each in items(graph.OperatorsLength, graph.Operators, meter)
        )
        inputs, outputs = numbers(graph.InputsAsNumpy, meter), numbers(graph.OutputsAsNumpy, meter)
        _check_numbers([*inputs, *outputs], 0, len(tensors), "a tensor")
        if len({*inputs}) < len(inputs):
            raise DamagedFile("a graph lists an input twice")
        return Subgraph(text(graph.Name()), tensors, operators, tuple(inputs), tuple(outputs))

    def _tensor(self, tensor: Any) -> TensorInfo:
        meter = self.meter
        shape = tuple(numbers(tensor.ShapeAsNumpy, meter))
        signature = tuple(numbers(tensor.ShapeSignatureAsNumpy, meter))
        type_ = _type_names().get(int(tensor.Type()), f"number {int(tensor.Type())}")
        number = int(tensor.Buffer())
        _check_numbers([number], 0, max(len(self.buffers), 1), "a buffer")
        name = text(tensor.Name())
        if any(not -1 <= extent <= _LARGEST_EXTENT for extent in (*shape, *signature)):
            raise DamagedFile(f"tensor '{name}' has the shape {[*shape]}")
        if signature and len(signature) != len(shape):
            raise DamagedFile(f"tensor '{name}' has two shapes of different ranks")
        quantization, sparsity = tensor.Quantization(), tensor.Sparsity()
        return TensorInfo(
            name,
            type_,
            shape,
            signature,
            self.buffers[number] if number else None,
            None if quantization is None else self._quantization(checked(quantization, meter)),
            None if sparsity is None else self._sparsity(checked(sparsity, meter)),
            bool(tensor.IsVariable()),
        )

    def _quantization(self, quantization: Any) -> Quantization | None:
        scale, zero = quantization.ScaleAsNumpy(), quantization.ZeroPointAsNumpy()
        if not isinstance(scale, np.ndarray) or not scale.size:
            return None
        points = zero if isinstance(zero, np.ndarray) and zero.size else np.zeros(1, np.int64)
        if points.size not in (1, scale.size):
            raise DamagedFile(f"a tensor has {scale.size} scales and {points.size} zero points")
        self.meter.spend(scale.size)
        return Quantization(scale, points, int(quantization.QuantizedDimension()))

    def _sparsity(self, sparsity: Any) -> Sparsity:
        return Sparsity(
            tuple(numbers(sparsity.TraversalOrderAsNumpy, self.meter)),
            tuple(numbers(sparsity.BlockMapAsNumpy, self.meter)),
            tuple(
                self._dimension(each)
                for each in items(sparsity.DimMetadataLength, sparsity.DimMetadata, self.meter)
            ),
        )

    def _dimension(self, dimension: Any) -> DimensionFormat:
        if not dimension.Format():
            return DimensionFormat(int(dimension.DenseSize()))
        return DimensionFormat(
            0,
            self._vector(dimension.ArraySegmentsType(), dimension.ArraySegments()),
            self._vector(dimension.ArrayIndicesType(), dimension.ArrayIndices()),
        )

    def _vector(self, kind: int, union: Any) -> Array:
        kinds = {1: tflite.Int32Vector, 2: tflite.Uint16Vector, 3: tflite.Uint8Vector}
        if kind not in kinds:
            raise DamagedFile("sparse weights lack the positions of their elements")
        table = of_union(kinds[kind], union, self.meter)
        values = None if table is None else table.ValuesAsNumpy()
        return values if isinstance(values, np.ndarray) else np.zeros(0, np.int32)

    def _operator(self, operator: Any, tensors: int) -> OperatorInfo:
        code = int(operator.OpcodeIndex())
        _check_numbers([code], 0, len(self.codes), "an operator")
        inputs = numbers(operator.InputsAsNumpy, self.meter)
        outputs = numbers(operator.OutputsAsNumpy, self.meter)
        _check_numbers(inputs, -1, tensors, "a tensor")
        _check_numbers(outputs, 0, tensors, "a tensor")
        kind = _option_kinds().get(int(operator.BuiltinOptionsType()))
        table = None
        if kind is not None:
            table = of_union(kind, operator.BuiltinOptions(), self.meter)
        options = {} if table is None else fields(table, self.meter)
        return OperatorInfo(self.codes[code], tuple(inputs), tuple(outputs), options)

    def _signature(self, signature: Any, subgraphs: Sequence[Subgraph]) -> SignatureInfo:
        number = int(signature.SubgraphIndex())
        _check_numbers([number], 0, len(subgraphs), "a graph")
        tensors = len(subgraphs[number].tensors)

        def named(tables: Iterator[Any]) -> list[tuple[str, int]]:
            pairs = [(text(each.Name()), int(each.TensorIndex())) for each in tables]
            _check_numbers([tensor for _, tensor in pairs], 0, tensors, "a tensor")
            return pairs

        inputs = named(items(signature.InputsLength, signature.Inputs, self.meter))
        outputs = named(items(signature.OutputsLength, signature.Outputs, self.meter))
        return SignatureInfo(
            text(signature.SignatureKey()),
            {tensor: name for name, tensor in inputs},
            tuple(outputs),
            number,
        )


def _check_numbers(given: Sequence[int], least: int, end: int, what: str) -> None:
    for number in given:
        if not least <= number < end:
            raise DamagedFile(f"it refers to {what} number {number}, of {end}")


def _operator_name(code: Any) -> str:
    """Return the name of an operator; old files have its number in a field of a byte."""
    old, new = int(code.DeprecatedBuiltinCode()), int(code.BuiltinCode())
    name = _builtin_names().get(max(old, new), f"number {max(old, new)}")
    return f"CUSTOM {text(code.CustomCode())}" if name == "CUSTOM" else name


@cache
def _names(enumeration: Any) -> dict[int, str]:
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int) and k[0] != "_"}


@cache
def _builtin_names() -> Mapping[int, str]:
    return _names(tflite.BuiltinOperator)


@cache
def _type_names() -> Mapping[int, str]:
    return _names(tflite.TensorType)


@cache
def _option_kinds() -> Mapping[int, Any]:
    names = _names(tflite.BuiltinOptions)
    return {number: getattr(tflite, name) for number, name in names.items() if number}
