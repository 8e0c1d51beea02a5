"""Exported programs to NNEF graphs, node by node; all that cannot be said is collected."""

from __future__ import annotations

import operator as python
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument

from nnefkit.errors import ArgumentError
from nnefkit.exchange.emission import emitted
from nnefkit.exchange.refusal import UNREAD, Refusal, refusal_of, refuse_empty_tensor
from nnefkit.exchange.source_graph import SourceGraph, Value, data_type_of
from nnefkit.exchange.torch.call import READERS, Call, Padded, parameters
from nnefkit.exchange.torch.operators.convolution import zeros_around
from nnefkit.exchange.torch.origins import module_path, origins, tensor_names
from nnefkit.exchange.torch.program import (
    Program,
    as_array,
    base_name,
    changed,
    live,
    mutates,
    results,
)
from nnefkit.exchange.torch.refusals import Problems, unknown
from nnefkit.exchange.torch.weights import Constants, Known, computed
from nnefkit.graph import Graph

_SILENT = frozenset(
    {"_assert_async", "_assert_scalar", "_assert_tensor_metadata", "sym_constrain_range_for_size"}
)
_FIXED = "NNEF fixes all shapes (4.1.1); torch.where(condition, x, 0) keeps them."
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_CONVOLUTIONS = frozenset({"conv1d", "conv2d", "conv3d"})


class Reader:
    """One program on its way."""

    def __init__(self, program: Program, input_names: Sequence[str] | None, fold: bool) -> None:
        self.program = program
        self.graph = SourceGraph()
        self.problems = Problems()
        self.input_names = input_names
        self.fold = fold
        self.env: dict[fx.Node, Any] = {}
        self.inputs: list[Value] = []
        self._nodes = live(program.graph)
        self._live = frozenset(self._nodes)
        self._names = tensor_names(self._nodes)
        self._constants = Constants(self.graph)
        self._convolutions: dict[fx.Node, tuple[dict[str, Any], Padded | None]] = {}
        self._padded: dict[fx.Node, Padded] = {}

    def read(self, name: str) -> Graph | None:
        """The graph; None if there are problems."""
        self._placeholders()
        for node in self._nodes:
            if node.op in ("call_function", "get_attr"):
                self.env[node] = self._node(node)
        outputs = self._outputs()
        return None if self.problems.found else emitted(self.graph, name, outputs)

    # -- inputs and outputs -------------------------------------------------------------------

    def _placeholders(self) -> None:
        nodes = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        changing = {*self.program.graph_signature.buffers_to_mutate.values()}
        for node, spec in zip(nodes, self.program.graph_signature.input_specs, strict=True):
            if spec.kind == InputKind.USER_INPUT:
                self.env[node] = self._input(node, spec.arg)
            elif spec.target in self.program.state_dict:
                held = self.program.state_dict[spec.target].detach()
                if spec.target in changing:
                    self.env[node] = self.graph.state(spec.target, as_array(held))
                else:
                    self.env[node] = Known(held, spec.target, True)
            elif isinstance(held := self.program.constants.get(str(spec.target)), torch.Tensor):
                self.env[node] = Known(held.detach(), str(spec.target))
            else:
                self.env[node] = UNREAD

    def _input(self, node: fx.Node, argument: Any) -> Any:
        if isinstance(argument, ConstantArgument):
            return argument.value
        example = node.meta["val"]
        if not isinstance(argument, TensorArgument) or not _static(example.shape):
            self.problems.add(
                node, f"input '{node.name}' has no fixed shape", "Export fixed shapes."
            )
            return UNREAD
        number = len(self.inputs)
        names = self.input_names
        name = names[number] if names is not None and number < len(names) else node.name
        value = self.graph.external(name, tuple(map(int, example.shape)), dtype_of(example))
        value.origin = node.name
        self.inputs.append(value)
        return value

    def _outputs(self) -> list[tuple[str, Value]]:
        node = next(node for node in self._nodes if node.op == "output")
        found = []
        specs = self.program.graph_signature.output_specs
        for given, spec in zip(node.args[0], specs, strict=True):  # type: ignore[arg-type]
            if spec.kind == OutputKind.TOKEN:
                continue
            if spec.kind != OutputKind.USER_OUTPUT:
                if str(spec.target).endswith(_STATISTICS):
                    continue  # The normalization itself tells it.
                if spec.kind == OutputKind.USER_INPUT_MUTATION:
                    told = f"the network changes its input '{spec.target}' in place"
                    self.problems.add(node, told, "Work on a copy of it: x = x.clone().")
                    continue
                self._update(node, given, str(spec.target))
            elif isinstance(given, fx.Node):
                value = self.env[given]
                name = self._names.get(given, given.name)
                if isinstance(value, Known):
                    value = self._constants.value(value)
                if isinstance(value, Value):
                    found.append((name, value))
            elif given is not None:
                self.problems.add(node, "an output is no tensor", "Return tensors only.")
        if not found and not self.problems.found:
            self.problems.add(node, "the network gives no tensor", "Return one at least.")
        return found

    def _update(self, output: fx.Node, given: Any, target: str) -> None:
        """What the network makes of one of its buffers."""
        nodes = [node for node in self.program.graph.nodes if node.op == "placeholder"]
        specs = self.program.graph_signature.input_specs
        held = next((n for n, s in zip(nodes, specs, strict=True) if s.target == target), None)
        state = self.env.get(held, UNREAD) if held is not None else UNREAD
        value = self.env.get(given, UNREAD)
        if isinstance(value, Known):
            value = self._constants.value(value)
        if not isinstance(state, Value):
            told = f"the network changes its own '{target}', which is no buffer"
            self.problems.add(output, told, "Call module.eval() before the export.")
        elif isinstance(value, Value) and value is not state:
            self.graph.update(state, value)

    # -- nodes --------------------------------------------------------------------------------

    def _node(self, node: fx.Node) -> Any:
        if node.op == "get_attr":
            held = getattr(self.program.graph_module, str(node.target), None)
            return Known(held, str(node.target)) if isinstance(held, torch.Tensor) else UNREAD
        sources = [self.env.get(n, UNREAD) for n in node.all_input_nodes]
        kind = base_name(node)
        if kind in _SILENT:
            return None
        if any(source is UNREAD for source in sources):
            if kind not in READERS and node.target is not python.getitem:
                self.problems.refuse(node, *unknown(node))
            return _stand_in(node)
        if node.target is python.getitem:
            whole, index = node.args
            return self.env[whole][index]  # type: ignore[index]
        if not any(isinstance(item, Value) for item in _flat(sources)):
            return self._folded(node, kind)
        try:
            result = self._read(node, kind)
        except Refusal as refusal:
            self.problems.refuse(node, refusal.reason, refusal.hint)
            return _stand_in(node)
        except ArgumentError as error:
            refused = refusal_of(error)
            self.problems.refuse(node, refused.reason, refused.hint)
            return _stand_in(node)
        self.env.update(dict.fromkeys(changed(node), result))
        return result

    def _read(self, node: fx.Node, kind: str) -> Any:
        if kind not in READERS or not isinstance(node.target, torch._ops.OpOverload):
            raise Refusal(*unknown(node))
        call = self._call(node, kind)
        given = self._bound(node, READERS[kind])
        if kind in _CONVOLUTIONS:
            parts = [given["weight"], given.get("bias")]
            if all(part is None or part.data is not None for part in parts):
                self._convolutions[node] = given, call.padded
        found = READERS[kind](call, **given)
        if kind in ("pad", "constant_pad_nd") and (pads := zeros_around(**given)) is not None:
            self._padded[node] = given["x"], pads
        several = isinstance(found, list)
        values = found if several else [found]
        self._name(node, values, call)
        return values if several else values[0]

    def _call(self, node: fx.Node, kind: str) -> Call:
        made = results(node)
        if not all(_static(v.shape) for v in made if isinstance(v, torch.Tensor)):
            raise Refusal("its shape depends on values", _FIXED)
        tensors = [value for value in made if isinstance(value, torch.Tensor)]
        users = [n for n in node.users if n.target is python.getitem and n in self._live]
        wanted = {int(user.args[1]) for user in users} if users else {*range(len(made))}  # type: ignore[arg-type]
        if any(not tensor.numel() for number, tensor in enumerate(tensors) if number in wanted):
            refuse_empty_tensor()
        before = node.args[0] if node.args else None
        alone = isinstance(before, fx.Node) and len(before.users) == 1
        return Call(
            kind,
            self.graph,
            [tuple(map(int, value.shape)) for value in tensors],
            [dtype_of(value) for value in tensors],
            frozenset(wanted),
            self._names.get(node, node.name),
            self.fold,
            self._convolutions.get(before) if alone else None,  # type: ignore[arg-type]
            self._padded.get(before) if alone else None,  # type: ignore[arg-type]
        )

    def _bound(self, node: fx.Node, reader: Any) -> dict[str, Any]:
        """The arguments by name, those that say nothing left out.

        Raises:
            Refusal: the reader does not take one of them into account.
        """
        target: Any = node.target
        declared = target._schema.arguments
        given = dict(zip((a.name for a in declared), node.args, strict=False)) | dict(node.kwargs)
        defaults = {a.name: a.default_value for a in declared if a.has_default_value()}
        taken = parameters(reader)
        found = {}
        for name, argument in given.items():
            short = "x" if name == "self" else name
            if short in taken or "arguments" in taken:
                found[short] = self._argument(argument)
            elif name not in defaults or argument != defaults[name]:
                raise Refusal(f"its argument '{name}' is not understood")
        return found

    def _argument(self, argument: Any) -> Any:
        if isinstance(argument, fx.Node):
            value = self.env[argument]
            if isinstance(value, (list, tuple)) and not isinstance(value, Known):
                return [self._constants.value(v) if isinstance(v, Known) else v for v in value]
            return self._constants.value(value) if isinstance(value, Known) else value
        if isinstance(argument, (list, tuple)):
            return [self._argument(item) for item in argument]
        return argument

    def _name(self, node: fx.Node, values: list[Any], call: Call) -> None:
        made = [value for value in results(node) if isinstance(value, torch.Tensor)]
        names = []
        places = origins(node, len(values))
        for number, (value, example) in enumerate(zip(values, made, strict=False)):
            names.append(f"{call.name}_{number}" if number else call.name)
            if value is None:
                continue
            if value.shape != tuple(example.shape):
                raise Refusal(
                    f"it came out as {value.shape}, where PyTorch has {tuple(example.shape)}",
                    "That is a fault of the conversion; please report it.",
                )
            if data_type_of(dtype_of(example)) == value.data_type and value.data is None:
                value.dtype = dtype_of(example)
            if value.data is None and value.origin is None:
                value.origin = f"{places[number]} ({call.note})" if call.note else places[number]
        self.graph.name_results(values, names)

    # -- constants ----------------------------------------------------------------------------

    def _folded(self, node: fx.Node, kind: str) -> Any:
        """Computes what does not depend on the inputs."""
        target: Any = node.target
        tags = getattr(target, "tags", ())
        if torch.Tag.nondeterministic_seeded in tags and not (
            "dropout" in kind and not node.args[2]
        ):
            self.problems.refuse(node, "it gives random numbers", "Feed them as an input.")
            return UNREAD
        given = [self.env[n] for n in node.all_input_nodes]
        known = [item for item in _flat(given) if isinstance(item, Known)]
        arguments: Any = fx.node.map_arg((node.args, dict(node.kwargs)), self._plain)
        args, kwargs = arguments
        if mutates(node):
            args = (args[0].clone(), *args[1:])
        try:
            with torch.no_grad():
                result = target(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - operators raise errors of many kinds
            self.problems.refuse(node, f"it cannot be computed: {str(error).splitlines()[0]}", "")
            return UNREAD
        found = computed(result, kind, module_path(node)[0], known)
        self.env.update(dict.fromkeys(changed(node), found))
        return found

    def _plain(self, node: fx.Node) -> Any:
        value = self.env[node]
        if isinstance(value, (list, tuple)) and not isinstance(value, Known):
            return [item.tensor if isinstance(item, Known) else item for item in value]
        return value.tensor if isinstance(value, Known) else value


def _stand_in(node: fx.Node) -> Any:
    """What stands for the results of a refused node, so that what reads them is judged, too."""
    found: list[Any] = []
    for value in results(node):
        found.append(UNREAD)
        if isinstance(value, torch.Tensor) and _static(value.shape) and value.numel():
            with suppress(Refusal):
                found[-1] = Value(tuple(value.shape), dtype_of(value), "unread")
    return found if isinstance(node.meta.get("val"), (tuple, list)) else found[0]


def dtype_of(tensor: torch.Tensor) -> np.dtype[Any]:
    """What the items of a tensor are in NumPy.

    Raises:
        Refusal: NNEF has no such items.
    """
    if tensor.dtype == torch.bfloat16:
        return np.dtype(np.float32)
    if tensor.dtype.is_complex or tensor.is_quantized:
        raise Refusal(
            f"its items are {str(tensor.dtype).removeprefix('torch.')}",
            "NNEF has scalars, integers and logicals (3.3.1).",
        )
    return np.dtype(str(tensor.dtype).removeprefix("torch."))


def _static(shape: Sequence[Any]) -> bool:
    return all(isinstance(extent, int) for extent in shape)


def _flat(items: Any) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if isinstance(item, list):
            found += _flat(item)
        else:
            found.append(item)
    return found
