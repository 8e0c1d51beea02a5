"""TFLite files: the operators and tensors of a lowered graph as a FlatBuffer.

Files are deterministic, and contain nothing but what runs: tensors, operators, names of inputs and
outputs as the signature ``serving_default``, and buffers, each one once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import count
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.engines.integer.grid import CodeGrid
from nnefkit.execution.engines.litert.builder import BuiltOperator, TfliteValue
from nnefkit.execution.engines.litert.operator_table import OPTIONS, version_of

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
SIGNATURE = "serving_default"
RESOURCE = np.dtype("V8")
"""Stands for the type of handles of variables."""
_ALIGNMENT = 16
MAX_BYTES = 2**31 - 2**26
"""Size of the weights in bytes up to which offsets in a file reach them."""
_OLD_CODES = 127
"""Operators with larger numbers have this one in the field that old runtimes read."""


class NamedValue(NamedTuple):
    """An input or output, under its name in the signature."""

    name: str
    value: TfliteValue


class FileGraph(NamedTuple):
    """A graph of a file."""

    name: str
    operators: Sequence[BuiltOperator]
    """In the order of computation."""
    inputs: Sequence[NamedValue]
    outputs: Sequence[NamedValue]
    """Results of operators, inputs or constants."""

    @property
    def values(self) -> list[TfliteValue]:
        """All values, in a fixed order."""
        borders = [*self.inputs, *self.outputs]
        values: dict[int, TfliteValue] = {id(each.value): each.value for each in borders}
        for operator in self.operators:
            for value in (*operator.inputs, *operator.outputs):
                values.setdefault(id(value), value)
        return list(values.values())


def file_bytes(*graphs: FileGraph) -> bytes:
    """Return the bytes of a file of some graphs; the first one is run."""
    return _FileWriter(graphs).written()


class _FileWriter:
    def __init__(self, graphs: Sequence[FileGraph]) -> None:
        import flatbuffers

        self._graphs = graphs
        values = [value for graph in graphs for value in graph.values]
        _name(values)
        self._constants = [value for value in values if value.data is not None]
        size = sum(value.data.nbytes for value in values if value.data is not None)
        if size > MAX_BYTES:
            raise ExecutionError(
                f"the weights take {size / 2**30:.2f} GiB, and a TFLite file holds less than 2 GiB",
                hint="Weights of half the size may fit: nk.to_tflite(graph, weights='float16').",
            )
        self._out = flatbuffers.Builder(size + 4096)
        self._numbers: dict[int, int] = {}
        """id of a value -> its number in the graph that is written."""
        self._buffers: list[int] = []
        self._buffer_numbers: dict[int, int] = {}
        self._codes: dict[tuple[str, int], int] = {}

    def written(self) -> bytes:
        """Return the bytes of the file."""
        out = self._out
        self._buffers.append(self._table("Buffer"))
        for value in self._constants:
            self._add_buffer(value)
        subgraphs = [self._subgraph(graph) for graph in self._graphs[1:]]
        # Last, so that the numbers of its values are those of the signature.
        main = self._graphs[0]
        subgraphs.insert(0, self._subgraph(main))
        codes = self._tables([self._code(kind, version) for kind, version in self._codes])
        signature = self._table(
            "SignatureDef",
            Inputs=self._tables([self._mapped(each) for each in main.inputs]),
            Outputs=self._tables([self._mapped(each) for each in main.outputs]),
            SignatureKey=out.CreateString(SIGNATURE),
        )
        model = self._table(
            "Model",
            Version=SCHEMA_VERSION,
            OperatorCodes=codes,
            Subgraphs=self._tables(subgraphs),
            Description=out.CreateString("nnefkit"),
            Buffers=self._tables(self._buffers),
            SignatureDefs=self._tables([signature]),
        )
        out.Finish(model, IDENTIFIER)
        return bytes(out.Output())

    def _subgraph(self, graph: FileGraph) -> int:
        values = graph.values
        self._numbers = {id(value): n for n, value in enumerate(values)}
        return self._table(
            "SubGraph",
            Tensors=self._tables([self._tensor(value) for value in values]),
            Inputs=self._ints([self._number(each.value) for each in graph.inputs]),
            Outputs=self._ints([self._number(each.value) for each in graph.outputs]),
            Operators=self._tables([self._operator(each) for each in graph.operators]),
            Name=self._out.CreateString(graph.name),
        )

    def _number(self, value: TfliteValue) -> int:
        return self._numbers[id(value)]

    # -- parts ------------------------------------------------------------------------------------

    def _add_buffer(self, value: TfliteValue) -> None:
        if id(value) in self._buffer_numbers:
            return
        data = np.ascontiguousarray(value.data)
        data = data.astype(data.dtype.newbyteorder("<"), copy=False)
        vector = self._bytes(data.reshape(-1).view(np.uint8))
        self._buffer_numbers[id(value)] = len(self._buffers)
        self._buffers.append(self._table("Buffer", Data=vector))

    def _tensor(self, value: TfliteValue) -> int:
        fields: dict[str, Any] = {
            "Shape": self._ints(value.shape),
            "Type": _types()[value.dtype],
            "Buffer": self._buffer_numbers.get(id(value), 0),
            "Name": self._out.CreateString(value.name),
        }
        if value.grid is not None:
            fields["Quantization"] = self._quantization(value, value.grid)
        return self._table("Tensor", **fields)

    def _quantization(self, value: TfliteValue, grid: CodeGrid) -> int:
        out = self._out
        return self._table(
            "QuantizationParameters",
            Scale=int(out.CreateNumpyVector(np.ravel(grid.step).astype("<f4"))),
            ZeroPoint=int(out.CreateNumpyVector(np.ravel(grid.point).astype("<i8"))),
            QuantizedDimension=value.axis,
        )

    def _operator(self, operator: BuiltOperator) -> int:
        key = operator.kind, version_of(operator)
        code = self._codes.setdefault(key, len(self._codes))
        inputs = self._ints([self._number(value) for value in operator.inputs])
        outputs = self._ints([self._number(value) for value in operator.outputs])
        fields: dict[str, Any] = {"OpcodeIndex": code, "Inputs": inputs, "Outputs": outputs}
        table = OPTIONS.get(operator.kind)
        if table is not None:
            vectors = {
                name: self._ints(value)
                for name, value in operator.options.items()
                if isinstance(value, list)
            }
            vectors |= {
                name: self._out.CreateString(value)
                for name, value in operator.options.items()
                if isinstance(value, str)
            }
            fields["BuiltinOptions"] = self._table(table, **{**operator.options, **vectors})
            fields["BuiltinOptionsType"] = _constant("BuiltinOptions", table)
        return self._table("Operator", **fields)

    def _code(self, kind: str, version: int) -> int:
        number = _constant("BuiltinOperator", kind)
        return self._table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(number, _OLD_CODES),
            Version=version,
            BuiltinCode=number,
        )

    def _mapped(self, named: NamedValue) -> int:
        name = self._out.CreateString(named.name)
        return self._table("TensorMap", Name=name, TensorIndex=self._number(named.value))

    # -- FlatBuffers ------------------------------------------------------------------------------

    def _table(self, kind: str, **fields: Any) -> int:
        """Add a table of the schema, with its fields by their names there."""
        module = _module(kind)
        module.Start(self._out)
        for name, value in fields.items():
            getattr(module, f"Add{name}")(self._out, value)
        return int(module.End(self._out))

    def _tables(self, offsets: Sequence[int]) -> int:
        self._out.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._out.PrependUOffsetTRelative(offset)
        return int(self._out.EndVector())

    def _ints(self, numbers: Sequence[int]) -> int:
        return int(self._out.CreateNumpyVector(np.array(numbers, "<i4")))

    def _bytes(self, data: Array) -> int:
        self._out.StartVector(1, data.size, _ALIGNMENT)
        head = self._out.Head() - data.size
        self._out.head = head
        self._out.Bytes[head : head + data.size] = data.data
        return int(self._out.EndVector())


def _name(values: Sequence[TfliteValue]) -> None:
    """Name the values that have no name yet."""
    taken = {value.name for value in values}
    numbered = (name for number in count(1) if (name := f"constant.{number}") not in taken)
    for value in values:
        if not value.name:
            value.name = next(numbered)


@cache
def _module(kind: str) -> Any:
    return import_module(f"tflite.{kind}")


def _constant(enumeration: str, name: str) -> int:
    return int(getattr(getattr(_module(enumeration), enumeration), name))


@cache
def _types() -> Mapping[Any, int]:
    names = {np.dtype(np.bool_): "BOOL"}
    for dtype in ("float16", "float32", "int8", "int16", "int32", "int64", "uint8"):
        names[np.dtype(dtype)] = dtype.upper()
    names[RESOURCE] = "RESOURCE"
    return {dtype: _constant("TensorType", name) for dtype, name in names.items()}


TENSOR_TYPES = _types
"""Returns the number of the type of tensors by their dtype."""
