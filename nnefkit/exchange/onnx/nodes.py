"""ONNX graphs to NNEF graphs, node by node; all that cannot be said is collected on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import (
    NO_EMPTY_TENSORS,
    ArgumentError,
    Diagnostic,
    InputError,
    NnefError,
    did_you_mean,
)
from nnefkit.exchange.emission import emitted
from nnefkit.exchange.onnx import control_flow  # noqa: F401  (registers its readers)
from nnefkit.exchange.onnx.call import INVALID, READERS, Call
from nnefkit.exchange.onnx.folding import MOST_ELEMENTS, fold
from nnefkit.exchange.onnx.functions import definition_of, has_definition
from nnefkit.exchange.onnx.model import OnnxModel, dtype_of
from nnefkit.exchange.onnx.operators import (  # noqa: F401  (they register their readers)
    activation,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    resampling,
    shaping,
    spectral,
)
from nnefkit.exchange.refusal import UNREAD, Refusal, refusal_of
from nnefkit.exchange.source_graph import DTYPES, SourceGraph, Value
from nnefkit.graph import Graph

_SHORT = 10
"""The most layers of functions within functions."""


_MOST_NODES = 500_000
"""Loops within loops can ask for any number of nodes."""


Scope = dict[str, Any]


class Reader:
    """One model on its way."""

    def __init__(self, source: OnnxModel) -> None:
        self.source = source
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.opsets = list(source.proto.opset_import)
        self._depth = 0
        self._nodes = 0
        dtypes = [dtype_of(info.type) for info in source.proto.graph.input]
        self._is_double = np.dtype(np.float64) in dtypes
        """Whether its numbers come in as float64; else a few such constants make no such graph."""

    @property
    def opset(self) -> int:
        """The version of the operators that are being read."""
        versions = [o.version for o in self.opsets if o.domain in ("", "ai.onnx")]
        return versions[0] if versions else self.source.opset

    def read(self) -> Graph | None:
        """The graph; None if there are problems."""
        graph = self.source.proto.graph
        values: Scope = {}
        for info in graph.input:
            values[info.name] = self._input(info)
        self.run(graph, values)
        outputs = []
        for info in graph.output:
            value = values.get(info.name)
            if isinstance(value, Value) and 0 in value.shape:
                self._problem(
                    f"output '{info.name}' is empty",
                    NO_EMPTY_TENSORS,
                )
            elif isinstance(value, Value):
                outputs.append((info.name, value))
            elif value is None:
                self._problem(f"nothing gives the output '{info.name}'", INVALID)
            elif not self.problems:
                self._problem(f"output '{info.name}' is no tensor", "NNEF has tensors only.")
        if not self.graph.externals and not self.problems:
            self._problem(
                "there is no input, and all that it gives is known already",
                "A graph of NNEF has at least one parameter.",
            )
        if self.problems:
            return None
        self.graph.name_outputs(outputs)
        return emitted(self.graph, self.source.name, outputs)

    def _input(self, info: Any) -> Any:
        dtype = dtype_of(info.type)
        problem = _refused_dtype(dtype)
        if dtype is None or problem:
            self._problem(
                f"input '{info.name}' {problem or 'is no tensor'}",
                "NNEF has tensors of scalars, integers and logicals (3.3.1).",
            )
            return UNREAD
        shape = tuple(d.dim_value for d in info.type.tensor_type.shape.dim)
        return self.graph.external(info.name, shape, dtype)

    # -- nodes --------------------------------------------------------------------------------

    def run(self, graph: Any, values: Scope) -> None:
        """Reads the nodes of a graph; `values` has its inputs, and gets all else."""
        for tensor in graph.initializer:
            try:
                values[tensor.name] = self._constant(_array(tensor), tensor.name)
            except (ValueError, KeyError, TypeError) as error:
                self._problem(f"the weight '{tensor.name}' is broken: {error}", "")
                values[tensor.name] = UNREAD
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            try:
                values[name] = self._constant(_dense(sparse), name)
            except (ValueError, IndexError) as error:
                self._problem(f"the weight '{name}' is broken: {error}", "")
                values[name] = UNREAD
        for node in graph.node:
            self.node(node, values)

    def node(self, node: Any, values: Scope) -> None:
        """Reads a node."""
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise InputError(
                f"unrolled, the model has more than {_MOST_NODES:,} nodes", file=self.source.path
            )
        found = self._outputs(node, values)
        values.update(zip(filter(None, node.output), _named(node, found), strict=False))

    def _outputs(self, node: Any, values: Scope) -> Sequence[Any]:
        unknown = [name for name in node.input if name and name not in values]
        if unknown:
            lacking = ", ".join(f"'{name}'" for name in unknown)
            self._refuse(node, f"nothing before it gives its input {lacking}", INVALID)
            return [UNREAD] * len(node.output)
        inputs = [values[name] if name else None for name in node.input]
        known = node.domain in ("", "ai.onnx") and node.op_type in READERS
        if any(not (value is None or isinstance(value, Value)) for value in inputs):
            if not known and not self._has_function(node):
                self._refuse(node, *_unknown(node))
            return [UNREAD] * len(node.output)
        try:
            return self._read(node, inputs, values, known)
        except Refusal as refusal:
            self._refuse(node, refusal.reason, refusal.hint)
        except ArgumentError as error:
            refused = refusal_of(error)
            self._refuse(node, refused.reason, refused.hint)
        except NnefError:
            raise
        except MemoryError:
            self._refuse(node, "it makes more items than the memory holds", "")
        except Exception as error:  # noqa: BLE001 - models that are not valid fail in any way
            self._refuse(
                node,
                f"it could not be read ({type(error).__name__}: {error})",
                INVALID,
            )
        return [UNREAD] * len(node.output)

    def _read(
        self, node: Any, inputs: list[Value | None], values: Scope, known: bool
    ) -> Sequence[Any]:
        if node.op_type == "Constant" or all(v is None or v.data is not None for v in inputs):
            folded = self._fold(node, inputs)
            if folded is not None:
                return folded
        if not known:
            return self._expand(node, inputs)
        call = self._call(node, inputs, values)
        first = len(self.graph.operations)
        try:
            results = READERS[node.op_type](call)
        except Refusal:
            del self.graph.operations[first:]
            if not self._has_function(node):
                raise
            return self._expand(node, inputs)
        found = list(results) if isinstance(results, (list, tuple)) else [results]
        self.graph.name_results(found, node.output)
        return found

    def _call(self, node: Any, inputs: list[Value | None], values: Scope) -> Call:
        def body(graph: Any, given: Sequence[Value] = ()) -> list[Any]:
            inner = dict(values)
            inner.update(zip((info.name for info in graph.input), given, strict=True))
            self.run(graph, inner)
            return [inner.get(info.name, UNREAD) for info in graph.output]

        return Call(
            node.op_type,
            self.graph,
            inputs,
            attributes(node),
            self.opset,
            list(node.input),
            list(node.output),
            node,
            body,
        )

    # -- constants ----------------------------------------------------------------------------

    def _constant(self, array: Any, name: str) -> Value:
        array = np.asarray(array)
        if array.dtype.name in ("int4", "uint4", "int2", "uint2"):
            known = array.astype(np.int8 if array.dtype.name[0] == "i" else np.uint8)
        elif self._becomes_float32(array):
            known = array.astype(np.float32)
        else:
            return Value(array.shape, array.dtype, name, array)
        value = Value(array.shape, known.dtype, name, known)
        # What it is in the model decides what is computed with it.
        value.dtype = array.dtype
        return value

    def _becomes_float32(self, array: Array) -> bool:
        if array.dtype == np.float64:
            return not self._is_double and _fits_float32(array)
        return array.dtype.name not in DTYPES and array.dtype.kind in "fV"

    def _fold(self, node: Any, inputs: Sequence[Value | None]) -> list[Any] | None:
        if any(a.type == a.GRAPH for a in node.attribute):
            return None
        named = zip(node.input, inputs, strict=True)
        arrays = {name: v.data for name, v in named if v is not None and v.data is not None}
        found = fold(node, arrays, self.opsets)
        if found is None:
            return None
        return [self._constant(a, name) for name, a in zip(node.output, found, strict=True)]

    # -- functions ----------------------------------------------------------------------------

    def _has_function(self, node: Any) -> bool:
        return has_definition(node, self.opset)

    def _expand(self, node: Any, inputs: list[Value | None]) -> Sequence[Any]:
        """Reads a node by the definition that ONNX gives of its operator by others."""
        function = definition_of(node, inputs, self.opset)
        if function is None or self._depth > _SHORT:
            raise Refusal(*_unknown(node))
        missing = [None] * (len(function.inputs) - len(inputs))
        inner: Scope = dict(zip(function.inputs, [*inputs, *missing], strict=False))
        outer = self.opsets, len(self.problems)
        # Definitions of other domains may leave out that of ONNX itself.
        named = any(opset.domain in ("", "ai.onnx") for opset in function.opsets)
        self.opsets = [*function.opsets, *([] if named else outer[0])]
        self._depth += 1
        try:
            with self.graph.scope(_snake(node.op_type)):
                for part in function.nodes:
                    self.node(part, inner)
        finally:
            self.opsets = outer[0]
            self._depth -= 1
        if len(self.problems) > outer[1]:
            told = self.problems[outer[1]]
            del self.problems[outer[1] :]
            raise Refusal(f"of what it consists of, {told.message}", told.hint)
        found = [inner.get(name) for name in function.outputs]
        for value, name in zip(found, node.output, strict=False):
            if isinstance(value, Value) and name:
                value.origin = name
        return found

    # -- what is refused ----------------------------------------------------------------------

    def _refuse(self, node: Any, reason: str, hint: str) -> None:
        who = f"'{node.name}'" if node.name else f"that gives '{next(iter(node.output), '')}'"
        self._problem(f"{node.op_type} {who}: {reason}", hint)

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(
            Diagnostic("not-expressible", message, file=self.source.path, hint=hint)
        )


def _array(tensor: Any) -> Array:
    """The values of a TensorProto.

    Raises:
        ValueError: they are not as many as its shape says, or of no known type.
    """
    from onnx import numpy_helper

    if any(extent < 0 for extent in tensor.dims):
        raise ValueError(f"its shape is {list(tensor.dims)}")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except KeyError:
        raise ValueError(f"its items are of the unknown type {tensor.data_type}") from None


def _fits_float32(array: Array) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array.astype(np.float32), array, equal_nan=True))


def _dense(tensor: Any) -> Array:
    """The values of a SparseTensorProto, zeros filled in."""
    shape = tuple(tensor.dims)
    if np.prod(shape, dtype=float) > MOST_ELEMENTS:
        raise ValueError(f"it has the shape {list(shape)}")
    found = np.zeros(shape, _array(tensor.values).dtype)
    places = _array(tensor.indices)
    flat = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), shape)
    found.reshape(-1)[flat] = _array(tensor.values)
    return found


def attributes(node: Any) -> Mapping[str, Any]:
    """The attributes of a node: numbers, strings, arrays, graphs, or lists of them."""
    from onnx import helper, numpy_helper

    found = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.type == attribute.SPARSE_TENSOR:
            value = _dense(value)
        elif attribute.type == attribute.TENSOR:
            value = numpy_helper.to_array(value)
        elif isinstance(value, bytes):
            value = value.decode()
        elif attribute.type == attribute.STRINGS:
            value = [item.decode() for item in value]
        elif attribute.type in (attribute.INTS, attribute.FLOATS):
            value = list(value)
        found[attribute.name] = value
    return found


def _named(node: Any, found: Sequence[Any]) -> list[Any]:
    """Those of the results that the node gives a name."""
    padded = [*found, *[UNREAD] * (len(node.output) - len(found))]
    pairs = zip(node.output, padded, strict=False)
    return [UNREAD if value is None else value for name, value in pairs if name]


def _refused_dtype(dtype: np.dtype[Any] | None) -> str:
    if dtype is None or dtype.name in DTYPES:
        return ""
    told = "string" if dtype.kind == "O" else dtype
    return f"has items of type {told}, which NNEF does not have"


def _unknown(node: Any) -> tuple[str, str]:
    if node.domain not in ("", "ai.onnx"):
        return (
            f"it is an operator of the domain '{node.domain}'",
            "Export the network without operators of a vendor.",
        )
    return (
        "NNEF has no operation for it",
        did_you_mean(node.op_type, READERS)
        if re.fullmatch("[a-z].*", node.op_type)
        else "Replace the layer in the source network, or cut it off the exported part.",
    )


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
