"""The reader of a TensorFlow graph, node by node; all refused ones are reported at once."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

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
from nnefkit.exchange.source_value import DTYPES, Value
from nnefkit.exchange.tensorflow import branches, node_types
from nnefkit.exchange.tensorflow.assignments import assigned_variables, assigning_nodes
from nnefkit.exchange.tensorflow.call import (
    DEAD,
    INVALID,
    READERS,
    BiasTakers,
    Call,
    Dead,
    Opaque,
    Result,
)
from nnefkit.exchange.tensorflow.element_types import computed_dtype, elements, type_name
from nnefkit.exchange.tensorflow.inputs import input_shape
from nnefkit.exchange.tensorflow.loops import read_loop
from nnefkit.exchange.tensorflow.model import (
    FunctionInfo,
    NamedTensor,
    NodeInfo,
    TensorflowModel,
    TensorReference,
    attributes,
)
from nnefkit.exchange.tensorflow.operators import (  # noqa: F401  (they register their readers)
    activation,
    control_flow,
    convolution,
    elementwise,
    identity,
    indexing,
    linear_algebra,
    normalization,
    pooling,
    quantization,
    randomness,
    shaping,
    spectral,
    tensor_lists,
    variables,
)
from nnefkit.exchange.tensorflow.scope import NodeScope, NodeStructure, Outputs
from nnefkit.graph import Graph

_MAX_LEVELS = 24
"""Maximum depth of functions and loops."""
_CALL = "nnefkit.from_tensorflow(path)"
_CUT = "Cut the graph before it, outputs=[...], and compute the rest outside of the network."


class TensorflowReader:
    """Reads one model."""

    def __init__(self, source: TensorflowModel) -> None:
        self.source = source
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.allowance = Allowance(source.size, _CALL)
        self._structures: dict[str, NodeStructure] = {}
        self._constants: dict[tuple[int, str], Result] = {}
        self._variables: dict[str, Value] = {}
        self._assigned: set[str] = set()
        self._stack: list[str] = []
        self._places: list[tuple[str, bool]] = []
        """The nodes that are read now: the path of what they call, and whether that repeats."""
        self._biases: BiasTakers = {}
        self._refused: set[str] = set()
        self._count = 0
        self._began = time.monotonic()
        self._bar: ProgressBar | None = None

    @property
    def size(self) -> int:
        """The number of nodes of the graph, without those of functions."""
        return len(self.source.nodes)

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the nodes.
        """
        self._bar = bar
        references = [tensor.tensor for tensor in self.source.outputs]
        scope = NodeScope(NodeStructure(self.source.nodes, references))
        for tensor in self.source.inputs:
            self._add_input(scope, tensor)
        try:
            results = self.evaluated(scope, references)
            self._note_assignments(scope, references)
        except Refusal as refusal:
            self._problem(f"the graph is not read: {refusal.reason}", refusal.hint)
            results = []
        outputs = self._outputs(results)
        self._check_assignments()
        if not self.problems and not self.graph.externals:
            self._problem(
                "the graph has no inputs, and all of its outputs are constant",
                "A graph of NNEF has at least one input.",
            )
        if self.problems:
            return None
        name_outputs(self.graph, outputs)
        return emitted(self.graph, self.source.name, outputs)

    # -- inputs and outputs -------------------------------------------------------------------

    def _add_input(self, scope: NodeScope, tensor: NamedTensor) -> None:
        name, place = tensor.name, tensor.tensor
        outputs = scope.values.setdefault(place.node, [])
        assert isinstance(outputs, list)  # noqa: S101 - nothing is dead yet
        outputs += [None] * (place.output + 1 - len(outputs))
        outputs[place.output] = UNREAD
        shape, number = input_shape(self.source, tensor)
        dtype = computed_dtype(number)
        if dtype is None or dtype.name not in DTYPES:
            self._problem(
                f"input '{name}' has elements of type {type_name(number)}",
                "NNEF has tensors of scalars, integers and logicals (3.3.1); choose other inputs, "
                "inputs=[...].",
            )
        elif 0 in shape:
            self._problem(f"input '{name}' is empty", NO_EMPTY_TENSORS)
        elif prod(shape) * dtype.itemsize > current_budget().bytes:
            self._problem(
                f"input '{name}' has {prod(shape):,} elements",
                f"Use smaller extents. {remedy('bytes', _CALL)}",
            )
        else:
            value = self.graph.external(name, shape, dtype)
            value.origin = str(place)
            outputs[place.output] = value

    def _outputs(self, results: Sequence[Result]) -> list[tuple[str, Value]]:
        outputs = []
        for tensor, value in zip(self.source.outputs, results, strict=False):
            name = tensor.name
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
                self._problem(
                    f"output '{name}' is not a tensor of numbers",
                    "Choose other outputs, outputs=[...].",
                )
        return outputs

    # -- nodes --------------------------------------------------------------------------------

    def evaluated(self, scope: NodeScope, references: Iterable[TensorReference]) -> list[Result]:
        """Return the values of outputs of nodes; the nodes that they depend on are read.

        Raises:
            Refusal: A node does not exist, or nodes depend on each other in a circle.
        """
        references = [*references]
        for node in scope.ordered(each.node for each in references):
            if node.name not in scope.values:  # A loop may have read it.
                self._read_node(scope, node)
        return [self.value(scope, each) for each in references]

    def value(self, scope: NodeScope, place: TensorReference) -> Result:
        """Return an output of a node that has been read.

        Raises:
            Refusal: The node has no such output.
        """
        outputs = scope.values[place.node]
        if not isinstance(outputs, list):
            return outputs
        node = scope.structure.nodes.get(place.node)
        number = place.output
        if place.argument and node is not None:
            called = self.source.functions.get(node.operator)
            number += node_types.first_output(node.operator, place.argument, called)
        if number >= len(outputs):
            refuse(f"the node '{place.node}' has no output {number}, which is read", INVALID)
        return outputs[number]

    def _read_node(self, scope: NodeScope, node: NodeInfo) -> None:
        self._count += 1
        seconds = time.monotonic() - self._began
        limit, attribute = current_budget().exceeded(self._count, 0, seconds)
        if limit:
            raise Refusal(
                f"it takes more than {limit} to read, with its loops unrolled",
                remedy(attribute, _CALL),
            )
        if self._bar is not None and not self._stack:
            self._bar.update(1)
        try:
            scope.values[node.name] = self._outputs_of(scope, node)
        except Exception as error:  # noqa: BLE001 - invalid models can cause any error
            self._refuse(scope, node, refusal_for(error, INVALID))
            scope.values[node.name] = UNREAD

    def _outputs_of(self, scope: NodeScope, node: NodeInfo) -> Outputs:
        """Return the outputs of a node."""
        kind = node.operator.removeprefix("Ref")
        if kind == "Const":
            if any(self._is_dead(scope, name) for name in scope.structure.pivots(node)):
                return DEAD
            branches.inherit(scope, node)
            return [self._constant(scope, node)]
        if kind == "Exit":
            read_loop(self, scope, node)
            return scope.values[node.name]
        inputs = [self.value(scope, place) for place in node.inputs]
        if kind == "Merge":
            return branches.merged(self._call(scope, node, inputs), scope, node)
        is_dead = any(isinstance(value, Dead) for value in inputs) or any(
            self._is_dead(scope, name) for name in scope.structure.pivots(node)
        )
        branches.inherit(scope, node)
        if is_dead:
            return DEAD
        if kind not in READERS and node.operator not in self.source.functions and kind != "Switch":
            raise _unknown(node)
        if any(isinstance(value, Unread) for value in inputs):
            return UNREAD  # An earlier refusal is the cause.
        call = self._call(scope, node, inputs)
        if kind == "Switch":
            return branches.switched(call)
        return self._results(scope, node, call)

    def _results(self, scope: NodeScope, node: NodeInfo, call: Call) -> Outputs:
        first = len(self.graph.operations)
        repeats = scope.repeats or node.operator in ("While", "StatelessWhile")
        self._places.append((f"{scope.path}{node.name}/", repeats))
        try:
            if any(isinstance(value, randomness.RandomNumbers) for value in call.inputs):
                results: Any = randomness.read(call)
            elif node.operator in self.source.functions:
                results = self._called(node.operator, call.inputs)
            else:
                results = READERS[node.operator.removeprefix("Ref")](call)
        except BaseException:
            del self.graph.operations[first:]
            raise
        finally:
            self._places.pop()
        outputs = results if isinstance(results, list) else [results]
        self._name_results(scope, node, outputs)
        return outputs

    def _is_dead(self, scope: NodeScope, name: str) -> bool:
        outputs = scope.values.get(name)
        if isinstance(outputs, list):
            # Nodes that only wait for a branch depend on the output that is not dead.
            return all(isinstance(each, Dead) for each in outputs)
        return isinstance(outputs, Dead)

    def _call(self, scope: NodeScope, node: NodeInfo, inputs: Sequence[Result]) -> Call:
        options = attributes(node)
        return Call(
            node.operator,
            self.graph,
            inputs,
            options,
            [str(place) for place in node.inputs],
            [
                str(TensorReference(node.name, number))
                for number in range(node_types.output_count(node.operator, options))
            ],
            [node_types.result_dtype(node.operator, options)],
            self.allowance,
            self._called,
            self._variable,
            self._biases,
            [scope.structure.readers[place.node] == 1 for place in node.inputs],
        )

    def _name_results(self, scope: NodeScope, node: NodeInfo, outputs: Sequence[Result]) -> None:
        fresh = [each for each in outputs if isinstance(each, Value) and each.origin is None]
        names = [str(TensorReference(node.name, number)) for number in range(len(outputs))]
        self.graph.name_results(outputs, names)
        for value in fresh:
            value.origin = None if scope.repeats else f"{scope.path}{value.origin}"

    def _constant(self, scope: NodeScope, node: NodeInfo) -> Result:
        key = id(scope.structure), node.name
        if key not in self._constants:
            self._constants[key] = self._read_constant(node)
        return self._constants[key]

    def _read_constant(self, node: NodeInfo) -> Result:
        if "value" not in node.attributes:
            refuse("it has no value", INVALID)
        message = node.attributes["value"].tensor
        if computed_dtype(message.dtype) is None:
            return Opaque(type_name(message.dtype))
        data = elements(message, self.allowance)
        if data.dtype.name == "float16" or (data.dtype.name == "float64" and fits_float32(data)):
            data = data.astype("float32")
        if data.dtype.kind == "c":
            return Complex(
                self.graph.constant(data.real.astype("float32")),
                self.graph.constant(data.imag.astype("float32")),
            )
        self.graph.weights.add(node.name)
        return self.graph.weight(data, node.name)

    # -- variables ----------------------------------------------------------------------------

    def _variable(self, name: str) -> Value:
        """Return the value of a variable, which is stored in the checkpoint.

        Raises:
            Refusal: There is none.
        """
        if name not in self._variables:
            if self.source.checkpoint is None:
                refuse(
                    f"the value of the variable '{name}' is not in the file",
                    "Give the folder of the SavedModel, the MetaGraph (.meta) beside its "
                    "checkpoint, or a graph whose variables TensorFlow has frozen.",
                )
            data = self.source.checkpoint.read(name, self.source.keys.get(name, ()))
            if data.dtype.name == "float16":
                data = data.astype("float32")
            self.graph.weights.add(name)
            self._variables[name] = self.graph.weight(data, name)
        return self._variables[name]

    def _note_assignments(self, scope: NodeScope, references: Sequence[TensorReference]) -> None:
        for node in assigning_nodes(scope.structure.nodes, references):
            self._assigned |= assigned_variables(scope, node)

    def _check_assignments(self) -> None:
        """Refuse variables that a run reads and assigns, whose values live between runs."""
        for name in sorted(self._assigned & self._variables.keys()):
            self._problem(
                f"a run assigns the variable '{name}', which the network reads",
                "Only the values of the checkpoint are read; export the network for inference.",
            )

    # -- functions ----------------------------------------------------------------------------

    def _called(self, name: str, arguments: Sequence[Result]) -> list[Result]:
        """Read a function of the model with these arguments."""
        function = self.source.functions.get(name)
        if function is None:
            refuse(f"it calls the function '{name}', which does not exist", INVALID)
        if len(arguments) != len(function.arguments):
            refuse(
                f"it calls a function of {len(function.arguments)} arguments with {len(arguments)}",
                INVALID,
            )
        if name in self._stack:
            refuse("its functions call each other without an end", INVALID)
        with_arguments = dict(zip(function.arguments, ([one] for one in arguments), strict=True))
        path, repeats = self._places[-1]
        structure = self._structure(function)
        scope = NodeScope(structure, dict(with_arguments), path=path, repeats=repeats)
        with self.level(name):
            results = self.evaluated(scope, function.results)
            for node in assigning_nodes(function.nodes, None):
                self._assigned |= assigned_variables(scope, node)
            return results

    def _structure(self, function: FunctionInfo) -> NodeStructure:
        if function.name not in self._structures:
            self._structures[function.name] = NodeStructure(function.nodes, function.results)
        return self._structures[function.name]

    def level(self, name: str) -> branches.NestingLevel:
        """Return a context in which a function or a round of a loop is read.

        Raises:
            Refusal: There are too many of them inside of each other.
        """
        if len(self._stack) >= _MAX_LEVELS:
            refuse("its functions and loops are nested too deeply", INVALID)
        return branches.NestingLevel(self._stack, name)

    # -- problems -----------------------------------------------------------------------------

    def _refuse(self, scope: NodeScope, node: NodeInfo, refusal: Refusal) -> None:
        message = f"{node.operator} '{scope.path}{node.name}': {refusal.reason}"
        if message not in self._refused:  # Loops repeat it.
            self._refused.add(message)
            self._problem(message, refusal.hint)

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(
            Diagnostic("not-expressible", message, file=self.source.path, hint=hint)
        )


def _unknown(node: NodeInfo) -> Refusal:
    """Return the refusal of a node without a reader."""
    if node.operator.startswith("Placeholder"):
        return Refusal(
            "it is an input of the graph that is not among the inputs to read",
            f"Name it, too: inputs=[..., '{node.name}'].",
        )
    if node.operator.startswith(("TensorArray", "Queue", "Lookup", "Hash", "Iterator", "Stack")):
        return Refusal(
            "NNEF has no operation for it",
            "TensorFlow may be able to rewrite it: export the network again with its current "
            f"release. {_CUT}",
        )
    return Refusal("NNEF has no operation for it", _CUT)
