"""The reader of an ONNX model, node by node; all refused nodes are reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from nnefkit.arrays import Array
from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import (
    NO_EMPTY_TENSORS,
    Diagnostic,
    InputError,
    did_you_mean,
)
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.onnx import control_flow  # noqa: F401  (registers its readers)
from nnefkit.exchange.onnx.call import INVALID, ONNX_DOMAINS, READERS, Call, Result, qualified
from nnefkit.exchange.onnx.folding import Folding, weight_form
from nnefkit.exchange.onnx.functions import definition_of, has_definition
from nnefkit.exchange.onnx.inferred_types import inferred_values
from nnefkit.exchange.onnx.opened_model import OnnxModel, dtype_of
from nnefkit.exchange.onnx.operators import (  # noqa: F401  (they register their readers)
    activation,
    attention,
    classical,
    convolution,
    elementwise,
    fused_layers,
    indexing,
    linear_algebra,
    linear_models,
    normalization,
    pooling,
    quantization,
    quantized_layers,
    recurrent,
    reduction,
    resampling,
    shaping,
    spectral,
    tree_ensembles,
)
from nnefkit.exchange.onnx.python_values import array_of, attributes_of, dense_array
from nnefkit.exchange.onnx.signatures import refuse_incomplete
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for
from nnefkit.exchange.reshaping import fits_float32
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import DTYPES, DType, Value
from nnefkit.graph import Graph

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

_MAX_LEVELS = 10
"""Maximum depth of operators that ONNX defines by functions of other operators."""

_MAX_NODES = 500_000
"""Maximum number of nodes with loops unrolled, since nested loops can expand to any number."""

T = TypeVar("T")
Scope = dict[str, Result]
"""Name of a tensor -> its value; None for an optional input of a definition that is not given."""


class ModelReader:
    """Reads one model.

    Args:
        source: The model.
        past_refusals: Whether to read nodes that follow a refused one, to find more problems.
    """

    def __init__(self, source: OnnxModel, *, past_refusals: bool = False) -> None:
        self.source = source
        self._inferred: Mapping[str, Value] | None = None if past_refusals else {}
        """Values in place of unread ones; None until they are needed."""
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.opsets = list(source.proto.opset_import)
        self.folding = Folding()
        self._level = 0
        self._folded: dict[Any, tuple[list[Value | None], list[Value] | None]] = {}
        """Node, without its names -> its constant inputs, to keep them alive, and its results."""
        self._nodes = 0
        dtypes = [dtype_of(info.type) for info in source.proto.graph.input]
        self._is_double = np.dtype(np.float64) in dtypes
        """Whether the model computes in float64: its inputs decide, not a few constants."""

    @property
    def opset(self) -> int:
        """The version of the operators that are being read."""
        return self._version("")

    def _version(self, domain: str) -> int:
        """Return the version of the operators of a domain that are being read."""
        domains = ONNX_DOMAINS if domain in ONNX_DOMAINS else (domain,)
        versions = [opset.version for opset in self.opsets if opset.domain in domains]
        return versions[0] if versions else self.source.opset if "" in domains else 1

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the nodes.
        """
        graph = self.source.proto.graph
        values: Scope = {info.name: self._input(info) for info in graph.input}
        self.read_nodes(graph, values, bar)
        outputs = self._outputs(graph, values)
        if not self.graph.externals and not self.problems:
            self._problem(
                "the graph has no inputs, and all of its outputs are constant",
                "A graph of NNEF has at least one input.",
            )
        if self.problems:
            return None
        name_outputs(self.graph, outputs)
        return emitted(self.graph, self.source.name, outputs)

    def _input(self, info: ValueInfoProto) -> Value | Unread:
        dtype = dtype_of(info.type)
        problem = _dtype_problem(dtype)
        if dtype is None or problem:
            self._problem(
                f"input '{info.name}' {problem}",
                "NNEF has tensors of scalars, integers and logicals (3.3.1).",
            )
            return UNREAD
        shape = tuple(dimension.dim_value for dimension in info.type.tensor_type.shape.dim)
        if prod(shape) * dtype.itemsize > current_budget().bytes:
            self._problem(
                f"input '{info.name}' has {prod(shape):,} elements",
                f"Use smaller extents. {remedy('bytes', 'nk.from_onnx(...)')}",
            )
            return UNREAD
        return self.graph.external(info.name, shape, dtype)

    def _outputs(self, graph: GraphProto, values: Scope) -> list[tuple[str, Value]]:
        outputs = []
        for info in graph.output:
            value = values.get(info.name)
            if isinstance(value, Value) and 0 not in value.shape:
                outputs.append((info.name, value))
            elif isinstance(value, Value):
                self._problem(f"output '{info.name}' is empty", NO_EMPTY_TENSORS)
            elif value is None:
                self._problem(f"no node computes the output '{info.name}'", INVALID)
            elif not self.problems:
                self._problem(f"output '{info.name}' is not a tensor", "NNEF has only tensors.")
        return outputs

    # -- nodes --------------------------------------------------------------------------------

    def read_nodes(self, graph: GraphProto, values: Scope, bar: ProgressBar | None = None) -> None:
        """Read the weights and nodes of a graph; `values` has its inputs, and receives the rest."""
        for tensor in graph.initializer:
            # A graph inside a node may have a weight of the same name.
            large = self.source.weights if tensor.data_location else {}
            if tensor.name in large:
                values[tensor.name] = self._weight(tensor.name, large.__getitem__, tensor.name)
            else:
                values[tensor.name] = self._weight(tensor.name, self._unpacked, tensor)
        for sparse in graph.sparse_initializer:
            name = sparse.values.name
            values[name] = self._weight(name, self._unpacked_sparse, sparse)
        for node in graph.node:
            self.read_node(node, values)
            if bar is not None:
                bar.update(1)

    def _weight(self, name: str, decode: Callable[[T], Array], tensor: T) -> Value | Unread:
        try:
            return self._constant(decode(tensor), name)
        except Refusal as refusal:
            self._problem(f"the weight '{name}' is not read: {refusal.reason}", refusal.hint)
        except (ValueError, LookupError, TypeError) as error:
            self._problem(f"the weight '{name}' is broken: {error}", "")
        return UNREAD

    def _unpacked(self, tensor: TensorProto) -> Array:
        return self.folding.allow(array_of(tensor))

    def _unpacked_sparse(self, tensor: SparseTensorProto) -> Array:
        return self.folding.allow(dense_array(tensor))

    def read_node(self, node: NodeProto, values: Scope) -> None:
        """Read a node; its outputs are added to `values`."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise InputError(
                f"the model has more than {_MAX_NODES:,} nodes with its loops unrolled",
                file=self.source.path,
            )
        results = self._results(node, values)
        results = [*results, *[UNREAD] * (len(node.output) - len(results))]
        for name, value in zip(node.output, results, strict=False):
            if name:
                values[name] = value if isinstance(value, Value) else self._in_place(name)

    def _in_place(self, name: str) -> Value | Unread:
        """Return what nodes read in place of a result that is unused or of a refused node."""
        if not self.problems:
            return UNREAD
        if self._inferred is None:
            self._inferred = inferred_values(self.source.proto)
        # Tensors inside of definitions have any names.
        return UNREAD if self._level else self._inferred.get(name, UNREAD)

    def _results(self, node: NodeProto, values: Scope) -> Sequence[Result]:
        """Return the values of the outputs of a node, none of them if it is refused."""
        missing = [f"'{name}'" for name in node.input if name and name not in values]
        if missing:
            reason = f"no earlier node computes its input {', '.join(missing)}"
            self._refuse(node, Refusal(reason, INVALID))
            return []
        inputs = [values[name] if name else None for name in node.input]
        known = [value for value in inputs if not isinstance(value, Unread)]
        if len(known) < len(inputs):
            # An earlier refusal is the cause, but every unknown operator is reported.
            if not _has_reader(node) and not has_definition(node, self.opset):
                self._refuse(node, _unknown(node))
            return []
        try:
            return self._read(node, known, values)
        except Exception as error:  # noqa: BLE001 - invalid models can cause any error
            self._refuse(node, refusal_for(error, INVALID))
            return []

    def _read(self, node: NodeProto, inputs: list[Value | None], values: Scope) -> Sequence[Result]:
        """Compute a node if its inputs are constant, else read it by its reader or definition."""
        refuse_incomplete(node, self._version(node.domain))
        is_onnx = node.domain in ONNX_DOMAINS or not _has_reader(node)
        if node.op_type == "Constant" or (
            is_onnx and all(v is None or v.data is not None for v in inputs)
        ):
            folded = self._fold(node, inputs)
            if folded is not None:
                return folded
        if not _has_reader(node):
            return self._read_definition(node, inputs)
        first = len(self.graph.operations)
        try:
            results = READERS[_name(node)](self._call(node, inputs, values))
        except Refusal as refusal:
            del self.graph.operations[first:]
            # ONNX's definition would compute something from a node that is not valid.
            if refusal.hint == INVALID or not has_definition(node, self.opset):
                raise
            try:
                return self._read_definition(node, inputs)
            except Refusal:
                # What is wrong with the node itself says more than what is wrong inside of it.
                raise refusal from None
        results = list(results) if isinstance(results, (list, tuple)) else [results]
        self.graph.name_results(results, node.output)
        return results

    def _call(self, node: NodeProto, inputs: list[Value | None], values: Scope) -> Call:
        def read_graph(graph: GraphProto, arguments: Sequence[Value] = ()) -> list[Result]:
            inner = dict(values)
            inner.update(zip((info.name for info in graph.input), arguments, strict=True))
            self.read_nodes(graph, inner)
            return [inner.get(info.name, UNREAD) for info in graph.output]

        return Call(
            node.op_type,
            self.graph,
            inputs,
            attributes_of(node),
            self.opset,
            list(node.input),
            list(node.output),
            node,
            read_graph,
            self._version(node.domain),
        )

    # -- constants ----------------------------------------------------------------------------

    def _constant(self, array: Array, name: str) -> Value:
        """Return a constant; elements of a type that NNEF lacks are widened."""
        array = np.asarray(array)
        self.graph.weights.add(name)
        if array.dtype.name in ("int4", "uint4", "int2", "uint2"):
            wide = array.astype(np.int8 if array.dtype.name[0] == "i" else np.uint8)
        elif self._becomes_float32(array):
            wide = array.astype(np.float32)
        else:
            return self.graph.weight(array, name)
        # Readers depend on the type in the model, such as that of a zero point.
        return self.graph.weight(wide, name, array.dtype)

    def _becomes_float32(self, array: Array) -> bool:
        if array.dtype == np.float64:
            return not self._is_double and fits_float32(array)
        return array.dtype.name not in DTYPES and array.dtype.kind in "fV"

    def _fold(self, node: NodeProto, inputs: Sequence[Value | None]) -> list[Value] | None:
        if any(attribute.type == attribute.GRAPH for attribute in node.attribute):
            return None
        form = weight_form(self.graph, node, inputs)
        if form is not None:
            return [form]
        key = node.op_type, node.domain, *(a.SerializeToString() for a in node.attribute)
        key = *key, *map(id, inputs), len(node.output), self.opset
        if key not in self._folded:
            self._folded[key] = [*inputs], self._computed(node, inputs)
        return self._folded[key][1]

    def _computed(self, node: NodeProto, inputs: Sequence[Value | None]) -> list[Value] | None:
        named = zip(node.input, inputs, strict=True)
        arrays = {name: v.data for name, v in named if v is not None and v.data is not None}
        results = self.folding.fold(node, arrays, self.opsets)
        if results is None:
            return None
        named_results = zip(node.output, results, strict=True)
        constants = [self._constant(array, name) for name, array in named_results]
        weights = frozenset[str]().union(*(v.sources for v in inputs if v is not None))
        for value in constants:
            value.sources |= weights
        return constants

    # -- definitions --------------------------------------------------------------------------

    def _read_definition(self, node: NodeProto, inputs: list[Value | None]) -> Sequence[Result]:
        """Read a node by ONNX's definition of its operator."""
        definition = definition_of(node, inputs, self.opset)
        if definition is None or self._level > _MAX_LEVELS:
            raise _unknown(node)
        missing = [None] * (len(definition.inputs) - len(inputs))
        values: Scope = dict(zip(definition.inputs, [*inputs, *missing], strict=False))
        opsets, problems = self.opsets, len(self.problems)
        # A definition of another domain may lack the version of ONNX's own domain.
        is_complete = any(opset.domain in ONNX_DOMAINS for opset in definition.opsets)
        self.opsets = [*definition.opsets, *([] if is_complete else opsets)]
        self._level += 1
        try:
            with self.graph.scope(_snake_case(node.op_type)):
                for part in definition.nodes:
                    self.read_node(part, values)
        finally:
            self.opsets = opsets
            self._level -= 1
        if len(self.problems) > problems:
            problem = self.problems[problems]
            del self.problems[problems:]
            raise Refusal(f"in its definition, {problem.message}", problem.hint)
        results = [values.get(name) for name in definition.outputs]
        for value, name in zip(results, node.output, strict=False):
            if isinstance(value, Value) and name:
                value.origin = name
        return results

    # -- problems -----------------------------------------------------------------------------

    def _refuse(self, node: NodeProto, refusal: Refusal) -> None:
        output = next(iter(node.output), "")
        label = f"'{node.name}'" if node.name else f"with output '{output}'"
        self._problem(f"{node.op_type} {label}: {refusal.reason}", refusal.hint)

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(
            Diagnostic("not-expressible", message, file=self.source.path, hint=hint)
        )


def _has_reader(node: NodeProto) -> bool:
    return _name(node) in READERS


def _name(node: NodeProto) -> str:
    return qualified(node.domain, node.op_type)


def _dtype_problem(dtype: DType | None) -> str:
    """Return why NNEF cannot express a tensor of a dtype; None stands for no tensor."""
    if dtype is None:
        return "is not a tensor"
    if dtype.name in DTYPES:
        return ""
    name = "string" if dtype.kind == "O" else dtype.name
    return f"has elements of type {name}, which NNEF does not have"


def _unknown(node: NodeProto) -> Refusal:
    """Return the refusal of an operator without a reader and a definition."""
    if node.domain not in ONNX_DOMAINS:
        return Refusal(
            f"it is an operator of the domain '{node.domain}'",
            did_you_mean(qualified(node.domain, node.op_type), READERS)
            or "Export the network without operators of this domain.",
        )
    hint = "Replace the layer in the source network, or export the network without it."
    if re.fullmatch("[a-z].*", node.op_type):
        hint = did_you_mean(node.op_type, READERS)
    return Refusal("NNEF has no operation for it", hint)


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
