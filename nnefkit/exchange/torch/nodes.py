"""Conversion of exported programs to graphs, node by node; all problems are collected."""

from __future__ import annotations

import operator as python
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export.graph_signature import (
    ConstantArgument,
    InputKind,
    InputSpec,
    OutputKind,
    TensorArgument,
)

from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, ArgumentError
from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.emission import emitted
from nnefkit.exchange.refusal import UNREAD, Refusal, refusal_of, refuse, refuse_empty_tensor
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import DType, Value, data_type_of
from nnefkit.exchange.torch.call import READERS, Call, Padded, parameters
from nnefkit.exchange.torch.complex_numbers import READ, part_dtype, refuse_complex
from nnefkit.exchange.torch.exported_program import (
    Program,
    as_array,
    base_name,
    changed,
    dtype_of,
    live,
    mutates,
    results,
)
from nnefkit.exchange.torch.operator_problems import ProgramProblems, unknown_operator
from nnefkit.exchange.torch.operators.convolution import zeros_around
from nnefkit.exchange.torch.origins import module_path, origins, tensor_names
from nnefkit.exchange.torch.weights import Constants, Known, computed, stored
from nnefkit.graph import Graph

_SILENT = frozenset(
    {"_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range_for_size"}
)
"""Operators that only check their arguments."""
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})
_SPLITS = frozenset({"split", "split_with_sizes", "chunk", "tensor_split"})
_PADDINGS = frozenset({"pad", "constant_pad_nd"})


class ProgramReader:
    """The conversion of one program."""

    def __init__(self, program: Program, input_names: Sequence[str] | None, fold: bool) -> None:
        self.program = program
        self.graph = SourceGraph()
        self.problems = ProgramProblems()
        self.input_names = input_names
        self.fold = fold
        self.values: dict[fx.Node, Any] = {}
        """The result of each node: a value, a `Known` tensor, `UNREAD`, or a list of them."""
        self._input_count = 0
        self._nodes = live(program.graph)
        self._live = frozenset(self._nodes)
        self._names = tensor_names(self._nodes)
        self._constants = Constants(self.graph)
        for target in program.state_dict:
            self.graph.weights.add(target)
        self._convolutions: dict[fx.Node, tuple[dict[str, Any], Padded | None]] = {}
        self._padded: dict[fx.Node, Padded] = {}

    @property
    def size(self) -> int:
        """The number of nodes to read."""
        return len(self._nodes)

    def read(self, name: str, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            name: The name of the graph.
            bar: Counts the nodes.
        """
        self._read_placeholders()
        for node in self._nodes:
            if bar is not None:
                bar.update(1)
            if node.op in ("call_function", "get_attr"):
                self.values[node] = self._node(node)
        outputs = self._outputs()
        return None if self.problems.diagnostics else emitted(self.graph, name, outputs)

    # -- inputs and outputs -------------------------------------------------------------------

    def _placeholders(self) -> list[tuple[fx.Node, InputSpec]]:
        nodes = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        return [*zip(nodes, self.program.graph_signature.input_specs, strict=True)]

    def _read_placeholders(self) -> None:
        for node, spec in self._placeholders():
            if spec.kind == InputKind.USER_INPUT:
                self.values[node] = self._input(node, spec.arg)
            else:
                self.values[node] = self._stored(str(spec.target))

    def _stored(self, target: str) -> Any:
        """Return the value of a parameter, a buffer or a constant."""
        if target in self.program.state_dict:
            tensor = self.program.state_dict[target].detach()
            if target in self.program.graph_signature.buffers_to_mutate.values():
                return self.graph.state(target, as_array(tensor))
            return stored(tensor, target, held=True)
        constant = self.program.constants.get(target)
        return stored(constant, target) if isinstance(constant, torch.Tensor) else UNREAD

    def _input(self, node: fx.Node, argument: Any) -> Any:
        if isinstance(argument, ConstantArgument):
            return argument.value
        example = node.meta["val"]
        if not isinstance(argument, TensorArgument) or not _is_static(example.shape):
            self.problems.add(
                node,
                f"input '{node.name}' has no fixed shape",
                "Export it with fixed shapes.",
            )
            return UNREAD
        number = self._input_count
        self._input_count += 1
        names = self.input_names
        if not example.numel():
            message = f"input '{node.name}' is empty"
            self.problems.add(node, message, f"{NO_EMPTY_TENSORS} Make it a buffer of the module.")
            return UNREAD
        name = names[number] if names is not None and number < len(names) else node.name
        value = self.graph.external(name, tuple(map(int, example.shape)), dtype_of(example))
        value.origin = node.name
        return value

    def _outputs(self) -> list[tuple[str, Value]]:
        node = next(node for node in self._nodes if node.op == "output")
        outputs: list[tuple[str, Value]] = []
        specs = self.program.graph_signature.output_specs
        for result, spec in zip(node.args[0], specs, strict=True):  # type: ignore[arg-type]
            if spec.kind == OutputKind.USER_OUTPUT:
                outputs += self._output(node, result)
            elif spec.kind == OutputKind.USER_INPUT_MUTATION:
                message = f"the network changes its input '{spec.target}' in place"
                self.problems.add(node, message, "Change a copy of it: x = x.clone().")
            # Training statistics are reported by the normalization.
            elif spec.kind != OutputKind.TOKEN and not str(spec.target).endswith(_STATISTICS):
                self._update(node, result, str(spec.target))
        if not outputs and not self.problems.diagnostics:
            self.problems.add(node, "the network returns no tensor", "Return at least one tensor.")
        return outputs

    def _output(self, node: fx.Node, result: Any) -> list[tuple[str, Value]]:
        if isinstance(result, fx.Node):
            value = self._constant(self.values[result])
            name = self._names.get(result, result.name)
            if isinstance(value, Value) and 0 in value.shape:
                self.problems.add(node, f"output '{name}' is empty", NO_EMPTY_TENSORS)
                return []
            if isinstance(value, Complex):
                message = f"output '{name}' is complex, and NNEF has no complex numbers (3.3.1)"
                self.problems.add(node, message, "Return torch.view_as_real(x).")
            return [(name, value)] if isinstance(value, Value) else []
        if result is not None:
            self.problems.add(node, "an output is not a tensor", "Return tensors only.")
        return []

    def _update(self, node: fx.Node, result: Any, target: str) -> None:
        """Assign to a buffer what the network computes for it."""
        buffers = [node for node, spec in self._placeholders() if spec.target == target]
        variable = self.values.get(buffers[0], UNREAD) if buffers else UNREAD
        value = self._constant(self.values.get(result, UNREAD))
        if not isinstance(variable, Value):
            message = f"the network changes '{target}', which is not a buffer"
            self.problems.add(node, message, "Call module.eval() before the export.")
        elif isinstance(value, Value) and value is not variable:
            self.graph.update(variable, value)

    # -- nodes --------------------------------------------------------------------------------

    def _node(self, node: fx.Node) -> Any:
        """Return the result of a node."""
        if node.op == "get_attr":
            tensor = getattr(self.program.graph_module, str(node.target), None)
            return stored(tensor, str(node.target)) if isinstance(tensor, torch.Tensor) else UNREAD
        sources = [self.values.get(source, UNREAD) for source in node.all_input_nodes]
        operator = base_name(node)
        if operator in _SILENT:
            return None
        if any(source is UNREAD for source in sources):
            if operator not in READERS and node.target is not python.getitem:
                self.problems.refuse(node, unknown_operator(node))
            return _placeholder_results(node)
        if node.target is python.getitem:
            whole, index = node.args
            return self.values[whole][index]  # type: ignore[index]
        try:
            if not any(isinstance(item, (Value, Complex)) for item in _flat(sources)):
                result = self._folded(node, operator)
            else:
                result = self._read(node, operator)
        except Refusal as refusal:
            self.problems.refuse(node, refusal)
            return _placeholder_results(node)
        except ArgumentError as error:
            self.problems.refuse(node, refusal_of(error))
            return _placeholder_results(node)
        self.values.update(dict.fromkeys(changed(node), result))
        return result

    def _read(self, node: fx.Node, operator: str) -> Any:
        is_operator = operator in READERS and isinstance(node.target, torch._ops.OpOverload)
        if not is_operator or (operator == "item" and not _is_index(node)):
            raise unknown_operator(node)
        if self._is_empty(node):
            return self._empty_results(node)
        call = self._call(node, operator)
        arguments = self._arguments(node, READERS[operator])
        refuse_complex(operator, arguments)
        if operator in _CONVOLUTIONS:
            weights = [arguments["weight"], arguments.get("bias")]
            if all(weight is None or weight.data is not None for weight in weights):
                self._convolutions[node] = arguments, call.padded
        result = READERS[operator](call, **arguments)
        if operator in _PADDINGS and (padding := zeros_around(**arguments)) is not None:
            self._padded[node] = arguments["x"], padding
        self._name(node, result if isinstance(result, list) else [result], call)
        return result

    def _call(self, node: fx.Node, operator: str) -> Call:
        examples = [value for value in results(node) if isinstance(value, torch.Tensor)]
        wanted = self._wanted(node)
        _check_shapes(operator, examples, wanted)
        before = node.args[0] if node.args else None
        is_only_reader = isinstance(before, fx.Node) and len(before.users) == 1
        return Call(
            operator,
            self.graph,
            [tuple(map(int, example.shape)) for example in examples],
            [_dtype(operator, example) for example in examples],
            wanted,
            self._names.get(node, node.name),
            self.fold,
            self._convolutions.get(before) if is_only_reader else None,  # type: ignore[arg-type]
            self._padded.get(before) if is_only_reader else None,  # type: ignore[arg-type]
        )

    def _is_empty(self, node: fx.Node) -> bool:
        """Whether all results that are read have no elements; concatenations leave them out."""
        examples = results(node)
        wanted = [examples[number] for number in self._wanted(node) if number < len(examples)]
        return bool(wanted) and all(
            isinstance(example, torch.Tensor) and _is_static(example.shape) and not example.numel()
            for example in wanted
        )

    def _empty_results(self, node: fx.Node) -> Any:
        """Return constants without elements, which NNEF does not have."""
        empties = [
            self.graph.constant(np.zeros(tuple(example.shape), dtype_of(example)))
            if isinstance(example, torch.Tensor) and not example.numel()
            else UNREAD
            for example in results(node)
        ]
        return empties if isinstance(node.meta.get("val"), (tuple, list)) else empties[0]

    def _wanted(self, node: fx.Node) -> frozenset[int]:
        """Return the indices of the results that are read."""
        readers = [n for n in node.users if n.target is python.getitem and n in self._live]
        if not readers:
            return frozenset(range(len(results(node))))
        return frozenset(int(reader.args[1]) for reader in readers)  # type: ignore[arg-type]

    def _arguments(self, node: fx.Node, reader: Callable[..., Any]) -> dict[str, Any]:
        """Return the arguments of a call by name, without those that equal their defaults.

        Raises:
            Refusal: The reader has no parameter for one of them.
        """
        target: Any = node.target
        declared = target._schema.arguments
        given = dict(zip((a.name for a in declared), node.args, strict=False)) | dict(node.kwargs)
        defaults = {a.name: a.default_value for a in declared if a.has_default_value()}
        taken = parameters(reader)
        arguments = {}
        for name, argument in given.items():
            # The tensor itself is `self` in one form of an operator, and `input` in another one.
            is_first = name == declared[0].name and name not in taken and "x" in taken
            parameter = "x" if name == "self" or is_first else name
            if parameter in taken or "arguments" in taken:
                arguments[parameter] = self._argument(argument)
            elif name not in defaults or argument != defaults[name]:
                refuse(f"its argument '{name}' is not supported")
        return arguments

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            value = self.values[argument]
            if isinstance(value, (list, tuple)):
                return [self._constant(item) for item in value]
            return self._constant(value)
        if isinstance(argument, (list, tuple)):
            return [self._argument(item) for item in argument]
        return argument

    def _name(self, node: fx.Node, values: list[Value | None], call: Call) -> None:
        """Name the results of a node, and check their shapes."""
        examples = [value for value in results(node) if isinstance(value, torch.Tensor)]
        names = [f"{call.name}_{number}" if number else call.name for number in range(len(values))]
        places = origins(node, len(values))
        for value, example, place in zip(values, examples, places, strict=False):
            if value is None:
                continue
            if isinstance(value, Complex):
                self._name_parts(value, call.name, place)
                return
            if value.shape != tuple(example.shape):
                refuse(
                    f"the converted shape {[*value.shape]} differs from PyTorch's "
                    f"{[*example.shape]}",
                    "This is a bug in nnefkit; please report it.",
                )
            if value.data is not None:
                continue
            if data_type_of(dtype_of(example)) == value.data_type:
                value.dtype = dtype_of(example)
            if value.origin is None:
                value.origin = place
        self.graph.name_results(values, names)

    def _name_parts(self, value: Complex, name: str, place: str) -> None:
        """Name the parts of a complex tensor."""
        parts = {"real": value.real, "imaginary": value.imaginary}
        for word, part in parts.items():
            part.origin = part.origin or f"{place} ({word} part)"
        self.graph.name_results([*parts.values()], [f"{name}_{word}" for word in parts])

    # -- constants ----------------------------------------------------------------------------

    def _constant(self, value: Any) -> Any:
        return self._constants.value(value) if isinstance(value, Known) else value

    def _folded(self, node: fx.Node, operator: str) -> Any:
        """Compute the result of a node that is independent of the inputs."""
        target: Any = node.target
        is_random = torch.Tag.nondeterministic_seeded in getattr(target, "tags", ())
        if is_random and not ("dropout" in operator and not node.args[2]):
            self.problems.refuse(
                node, Refusal("it generates random numbers", "Pass them as an input.")
            )
            return UNREAD
        sources = [self.values[source] for source in node.all_input_nodes]
        known = [item for item in _flat(sources) if isinstance(item, Known)]
        arguments: Any = fx.node.map_arg((node.args, dict(node.kwargs)), self._tensor)
        args, kwargs = arguments
        if mutates(node):
            args = (args[0].clone(), *args[1:])
        try:
            with torch.no_grad():
                result = target(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - operators raise errors of many kinds
            reason = f"it cannot be computed: {str(error).splitlines()[0]}"
            self.problems.refuse(node, Refusal(reason))
            return UNREAD
        return computed(result, operator, module_path(node)[0], known)

    def _tensor(self, node: fx.Node) -> Any:
        value = self.values[node]
        if isinstance(value, (list, tuple)):
            return [item.tensor if isinstance(item, Known) else item for item in value]
        return value.tensor if isinstance(value, Known) else value


def _placeholder_results(node: fx.Node) -> Any:
    """Return stand-ins for the results of a refused node, so that nodes after it are checked."""
    stand_ins: list[Any] = []
    for example in results(node):
        stand_ins.append(UNREAD)
        if isinstance(example, torch.Tensor) and _is_static(example.shape) and example.numel():
            with suppress(Refusal):
                stand_ins[-1] = Value(tuple(example.shape), dtype_of(example), "unread")
    return stand_ins if isinstance(node.meta.get("val"), (tuple, list)) else stand_ins[0]


def _is_index(node: fx.Node) -> bool:
    """Return whether the number that a node computes is only used to select slices."""
    return all(user.op == "call_function" and base_name(user) == "select" for user in node.users)


def _is_static(shape: Sequence[Any]) -> bool:
    return all(isinstance(extent, int) for extent in shape)


def _flat(items: Sequence[Any]) -> list[Any]:
    flat: list[Any] = []
    for item in items:
        flat += _flat(item) if isinstance(item, list) else [item]
    return flat


def _check_shapes(operator: str, examples: Sequence[torch.Tensor], wanted: frozenset[int]) -> None:
    if not all(_is_static(example.shape) for example in examples):
        refuse(
            "its shape depends on values",
            "NNEF fixes all shapes (4.1.1); torch.where(condition, x, 0) keeps them.",
        )
    is_empty = any(not examples[number].numel() for number in wanted if number < len(examples))
    if is_empty and operator not in _SPLITS:
        refuse_empty_tensor()


def _dtype(operator: str, example: torch.Tensor) -> DType:
    is_part = example.is_complex() and operator in READ
    return part_dtype(example) if is_part else dtype_of(example)
