"""The reader of a TFLite model, operator by operator; all refused ones are reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, Diagnostic
from nnefkit.exchange import tensor_operators  # noqa: F401  (it registers readers)
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for, refuse
from nnefkit.exchange.reshaping import fits_float32
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import DTYPES, DType, Value
from nnefkit.exchange.tflite.call import INVALID, READERS, Call, Resource, Result
from nnefkit.exchange.tflite.constants import elements, real
from nnefkit.exchange.tflite.model import OperatorInfo, Subgraph, TensorInfo, TfliteModel
from nnefkit.exchange.tflite.operators import (  # noqa: F401  (they register their readers)
    activation,
    codes,
    control_flow,
    convolution,
    indexing,
    linear_algebra,
    normalization,
    pooling,
    recurrent,
)
from nnefkit.exchange.tflite.quantization_info import Coded, with_quantization_info
from nnefkit.exchange.tflite.variables import Variables
from nnefkit.graph import Graph

_MAX_OPERATORS = 200_000
"""Maximum number of operators with loops unrolled, since nested loops can expand to any number."""
_MAX_LEVELS = 16
"""Maximum depth of graphs that call others."""

Scope = dict[int, Result]
"""Number of a tensor -> its value."""


class TfliteReader:
    """Reads one model."""

    def __init__(self, source: TfliteModel) -> None:
        self.source = source
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.variables = Variables(self.graph)
        self.variables.assigned = frozenset(_assigned(source))
        self.allowance = Allowance(len(source.data), "nnefkit.from_tflite(model)")
        self._constants: dict[tuple[int, int], Value | Unread] = {}
        self._coded: list[Coded] = []
        self._stack: list[int] = []
        self._operators = 0

    @property
    def size(self) -> int:
        """The number of operators to read, without those of loops."""
        return len(self.source.graph.operators)

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the operators.
        """
        main = self.source.graph
        names = self.source.input_names()
        values: Scope = {number: self._input(number, names[number]) for number in main.inputs}
        results = self._read_graph(self.source.main, values, bar)
        outputs = self._outputs(results)
        if not self.graph.externals and not self.problems:
            self._problem(
                "the graph has no inputs, and all of its outputs are constant",
                "A graph of NNEF has at least one input.",
            )
        if not outputs and not self.problems:
            self._problem("the graph has no outputs", INVALID)
        if self.problems:
            return None
        self.variables.finish()
        name_outputs(self.graph, outputs)
        graph = emitted(self.graph, self.source.name, outputs)
        return with_quantization_info(graph, main, self.graph, self._coded)

    # -- inputs and outputs -------------------------------------------------------------------

    def _input(self, number: int, name: str) -> Value | Unread:
        tensor = self.source.graph.tensors[number]
        shape = self.source.shapes.get(number, tensor.shape)
        dtype = value_dtype(tensor)
        if dtype is None or dtype.name not in DTYPES:
            self._problem(
                f"input '{name}' has elements of type {tensor.type}",
                "NNEF has tensors of scalars, integers and logicals (3.3.1).",
            )
            return UNREAD
        if 0 in shape:
            self._problem(f"input '{name}' is empty", NO_EMPTY_TENSORS)
            return UNREAD
        if prod(shape) * dtype.itemsize > current_budget().bytes:
            self._problem(
                f"input '{name}' has {prod(shape):,} elements",
                f"Use smaller extents. {remedy('bytes', 'nk.from_tflite(...)')}",
            )
            return UNREAD
        value = self.graph.external(name, shape, dtype)
        value.origin = self.source.graph.source_name(number)
        return value

    def _outputs(self, results: Sequence[Result]) -> list[tuple[str, Value]]:
        outputs = []
        names = [name for name, _ in self.source.output_names()]
        for name, value in zip(names, results, strict=True):
            if isinstance(value, Value) and 0 not in value.shape:
                outputs.append((name, value))
            elif isinstance(value, Value):
                self._problem(f"output '{name}' is empty", NO_EMPTY_TENSORS)
            elif isinstance(value, Complex):
                self._problem(
                    f"output '{name}' is complex, and NNEF has no complex numbers (3.3.1)",
                    "Return its parts as two tensors.",
                )
            elif not self.problems:
                self._problem(f"no operator computes the output '{name}'", INVALID)
        return outputs

    # -- graphs -------------------------------------------------------------------------------

    def _read_graph(
        self, number: int, values: Scope, bar: ProgressBar | None = None
    ) -> list[Result]:
        """Read the operators of a graph, and return its outputs.

        Args:
            number: The number of the graph.
            values: The values of its inputs.
            bar: Counts the operators.
        """
        graph = self.source.subgraphs[number]
        self._stack.append(number)
        try:
            for operator in graph.operators:
                self._read_operator(graph, operator, values)
                if bar is not None:
                    bar.update(1)
            return [self._value(graph, output, values) for output in graph.outputs]
        except Refusal as refusal:
            self._problem(f"the graph '{graph.name}' is not read: {refusal.reason}", refusal.hint)
            return [UNREAD for _ in graph.outputs]
        finally:
            self._stack.pop()

    def _called(self, number: int, arguments: Sequence[Result]) -> list[Result]:
        """Read another graph of the model with these inputs."""
        if not 0 <= number < len(self.source.subgraphs):
            refuse(f"it calls graph {number}, which does not exist", INVALID)
        if number in self._stack or len(self._stack) > _MAX_LEVELS:
            refuse("its graphs call each other without an end", INVALID)
        graph = self.source.subgraphs[number]
        if len(arguments) != len(graph.inputs):
            refuse(f"it calls a graph of {len(graph.inputs)} inputs with {len(arguments)}", INVALID)
        return self._read_graph(number, dict(zip(graph.inputs, arguments, strict=True)))

    def _value(self, graph: Subgraph, number: int, values: Scope) -> Result:
        """Return the value of a tensor at this point of the graph.

        Raises:
            Refusal: Nothing computes it.
        """
        if number in values:
            return values[number]
        tensor = graph.tensors[number]
        key = self._stack[-1], number
        if tensor.is_variable:
            return self.variables.read(key, graph.source_name(number))
        if key not in self._constants:
            if tensor.data is None and 0 not in tensor.shape:
                refuse(
                    f"no earlier operator computes the tensor '{graph.source_name(number)}'",
                    INVALID,
                )
            self._constants[key] = self._constant(graph, number)
        return self._constants[key]

    def _constant(self, graph: Subgraph, number: int) -> Value | Unread:
        tensor, name = graph.tensors[number], graph.source_name(number)
        if tensor.data is None:
            return self.graph.constant(np.zeros(tensor.shape, tensor.dtype or np.float32))
        if tensor.type in ("STRING", "RESOURCE", "VARIANT"):
            return UNREAD  # Whatever needs it is refused.
        try:
            data = elements(tensor, self.allowance)
            if tensor.quantization is not None and tensor.is_quantized:
                self.allowance.take(data.shape, 4)
                data = real(data, tensor.quantization)
        except Refusal as refusal:
            self._problem(f"the constant '{name}' is not read: {refusal.reason}", refusal.hint)
            return UNREAD
        if data.dtype == np.float16 or (data.dtype == np.float64 and fits_float32(data)):
            data = data.astype(np.float32)
        self.graph.weights.add(name)
        value = self.graph.weight(data, name)
        if tensor.is_quantized:
            value.coded = True
            self._coded.append(Coded(value, tensor))
        return value

    # -- operators ----------------------------------------------------------------------------

    def _read_operator(self, graph: Subgraph, operator: OperatorInfo, values: Scope) -> None:
        """Read an operator; its outputs are added to `values`."""
        self._operators += 1
        if self._operators > _MAX_OPERATORS:
            raise Refusal(
                f"the model has more than {_MAX_OPERATORS:,} operators with its loops unrolled"
            )
        try:
            results = self._results(graph, operator, values)
        except Exception as error:  # noqa: BLE001 - invalid models can cause any error
            self._refuse(graph, operator, refusal_for(error, INVALID))
            results = []
        missing = len(operator.outputs) - len(results)
        for number, value in zip(operator.outputs, [*results, *[UNREAD] * missing], strict=False):
            values[number] = UNREAD if value is None else value

    def _results(self, graph: Subgraph, operator: OperatorInfo, values: Scope) -> Sequence[Result]:
        """Return the values of the outputs of an operator."""
        if operator.name not in READERS:
            raise _unknown(operator)
        variables = self._variable_inputs(graph, operator)
        inputs = [
            None if number < 0 else self._value(graph, number, values) for number in operator.inputs
        ]
        if any(isinstance(value, Unread) for value in inputs):
            return []  # An earlier refusal is the cause.
        first = len(self.graph.operations)
        names = [graph.source_name(number) for number in operator.outputs]
        call = Call(
            operator.name,
            self.graph,
            inputs,
            operator.options,
            [graph.source_name(number) if number >= 0 else "" for number in operator.inputs],
            names,
            [value_dtype(graph.tensors[number]) for number in operator.outputs],
            self.allowance,
            self.variables,
            self._called,
            variables,
        )
        try:
            results = READERS[operator.name](call)
        except BaseException:
            del self.graph.operations[first:]
            raise
        is_one = isinstance(results, (Value, Complex, Resource))
        results = [results] if is_one else [*results]
        self._name_results(results, names)
        return results

    def _name_results(self, results: Sequence[Result], names: Sequence[str]) -> None:
        fresh = [v for v in results if isinstance(v, Value) and v.origin is None]
        self.graph.name_results(results, names)
        if len(self._stack) > 1:
            for value in fresh:
                value.origin = None  # The runtime does not record the tensors of other graphs.

    def _variable_inputs(self, graph: Subgraph, operator: OperatorInfo) -> Mapping[int, Any]:
        """Return the position of each input in which the operator keeps its state -> its key."""
        keys = {}
        for index, number in enumerate(operator.inputs):
            if number >= 0 and graph.tensors[number].is_variable:
                key = self._stack[-1], number
                keys[index] = key
                if key not in self.variables.initial:
                    self.variables.initial[key] = self._initial(graph.tensors[number])
                    self.variables.assigned |= {key}
        return keys

    def _initial(self, tensor: TensorInfo) -> Value:
        dtype = value_dtype(tensor) or np.dtype(np.float32)
        if min(tensor.shape, default=1) < 1:
            refuse("its state has no fixed shape", INVALID)
        self.allowance.take(tensor.shape, dtype.itemsize)
        return self.graph.constant(np.zeros(tensor.shape, dtype))

    # -- problems -----------------------------------------------------------------------------

    def _refuse(self, graph: Subgraph, operator: OperatorInfo, refusal: Refusal) -> None:
        name = graph.source_name(operator.outputs[0]) if operator.outputs else ""
        place = f" with output '{name}'" if name else ""
        self._problem(f"{operator.name}{place}: {refusal.reason}", refusal.hint)

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(
            Diagnostic("not-expressible", message, file=self.source.path, hint=hint)
        )


def value_dtype(tensor: TensorInfo) -> DType | None:
    """Return the dtype in which a tensor is computed: float32 for codes of real numbers."""
    if tensor.is_quantized or tensor.dtype == np.float16:
        return np.dtype(np.float32)
    return tensor.dtype


def _assigned(source: TfliteModel) -> set[Resource]:
    """Return the variables that are assigned outside of the graphs that initialize them."""
    initializing = {
        int(one.options.get("init_subgraph_index", -1))
        for graph in source.subgraphs
        for one in graph.operators
        if one.name == "CALL_ONCE"
    }
    assigned = set()
    for number, graph in enumerate(source.subgraphs):
        handles = {
            one.outputs[0]: _resource(one)
            for one in graph.operators
            if one.name == "VAR_HANDLE" and one.outputs
        }
        for one in graph.operators if number not in initializing else ():
            if one.name == "ASSIGN_VARIABLE" and one.inputs:
                # A handle that is an argument may be of any variable.
                if one.inputs[0] not in handles:
                    return {key for each in source.subgraphs for key in _handles(each)}
                assigned.add(handles[one.inputs[0]])
    return assigned


def _handles(graph: Subgraph) -> list[Resource]:
    return [_resource(one) for one in graph.operators if one.name == "VAR_HANDLE"]


def _resource(operator: OperatorInfo) -> Resource:
    options = operator.options
    return Resource(str(options.get("container", "")), str(options.get("shared_name", "")))


def _unknown(operator: OperatorInfo) -> Refusal:
    """Return the refusal of an operator without a reader."""
    if operator.name.startswith("CUSTOM "):
        return Refusal(
            f"it is the custom operator '{operator.name.removeprefix('CUSTOM ')}'",
            "Convert the network without custom operators and without Flex operators.",
        )
    if operator.name.startswith("STABLEHLO"):
        return Refusal(
            "NNEF has no operation for it", "Convert the network to TFLite's own operators."
        )
    return Refusal("NNEF has no operation for it", "Replace the layer, or convert without it.")
