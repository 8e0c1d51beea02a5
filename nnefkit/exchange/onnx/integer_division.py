"""Integer divisions in models that are run: divisors of 0, and quotients beyond the range.

ONNX Runtime ends the process where the least integer is divided by -1, and older versions of it
also where an integer is divided by 0. ONNX's evaluator computes 0 there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.errors import ExecutionError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_DIVISIONS = ("Div", "Mod")
_SIGNED, _UNSIGNED = frozenset((3, 5, 6, 7)), frozenset((2, 4, 12, 13))
"""The codes of the integer types in ONNX, of 8, 16, 32 and 64 bits."""
_OLDEST = 7
"""The oldest opset whose operators broadcast as today. ONNX Runtime has no older division."""

Types = Mapping[str, int]
"""Name of a tensor -> the code of its type, 0 if it is unknown."""


def without_fatal_divisions(
    model: ModelProto, types: Callable[[ModelProto], Types]
) -> tuple[ModelProto, dict[str, NodeProto]]:
    """Return a model whose integer divisions end no process, and fail where they divide by 0.

    Args:
        model: A model without functions.
        types: Returns the types of the tensors of the main graph that ONNX cannot infer.

    Returns:
        The model, and its divisions by the name of the node that fails where they divide by 0.

    Raises:
        ExecutionError: The type of a division is unknown.
    """
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    if opset < _OLDEST or not any(_divisions(model.graph)):
        return model, {}
    copy = type(model)()
    copy.CopyFrom(model)
    divisions = [*_divisions(copy.graph, _inferred(model))]
    if not all(division.type for division in divisions):
        divisions = [*_divisions(copy.graph, _inferred(model, types(model)))]
    checked: dict[str, NodeProto] = {}
    # From the last one: positions before it stay what they are.
    for division in reversed(divisions):
        if not division.type:
            raise _unknown_type(division.node)
        if division.type in _SIGNED | _UNSIGNED:
            name = f"nnefkit.divisor.{len(checked)}"
            checked[name] = type(division.node).FromString(division.node.SerializeToString())
            division.guard(name)
    return (copy, checked) if checked else (model, {})


def division_by_zero(node: NodeProto) -> ExecutionError:
    """Return the error of a division of integers by 0."""
    return ExecutionError(
        f"the ONNX model cannot be run: {_named(node)} divides an integer by zero",
        hint="Pass inputs for which its divisor is not 0 (inputs=...), or read the model without "
        "running it (verify=False).",
    )


def failed_division(error: Exception, checked: Mapping[str, NodeProto]) -> NodeProto | None:
    """Return the division by 0 that made a run fail; None if it failed for another reason."""
    if isinstance(error, _DivisionByZeroError):
        return error.node
    match = re.search(r"nnefkit\.divisor\.\d+", str(error))
    return checked.get(match.group()) if match else None


class _DivisionByZeroError(ArithmeticError):
    def __init__(self, node: NodeProto) -> None:
        super().__init__("an integer is divided by zero")
        self.node = node


@cache
def evaluated_divisions() -> list[Any]:
    """Return the divisions of ONNX's evaluator, which fail where integers are divided by 0."""
    from onnx.reference.ops.op_div import Div
    from onnx.reference.ops.op_mod import Mod

    def checked(kind: Any) -> Any:
        def run(self: Any, x: Any, y: Any, *more: Any, **attributes: Any) -> Any:
            if np.asarray(y).dtype.kind in "iu" and not np.all(y):
                raise _DivisionByZeroError(self.onnx_node)
            return kind._run(self, x, y, *more, **attributes)

        return type(kind.__name__, (kind,), {"op_domain": "", "_run": run})

    return [checked(Div), checked(Mod)]


def _named(node: NodeProto) -> str:
    return f"'{node.op_type}' ('{node.name or node.output[0]}')"


def _unknown_type(node: NodeProto) -> ExecutionError:
    return ExecutionError(
        f"the ONNX model is not run: the type of {_named(node)} is unknown, and ONNX Runtime ends "
        "the process for some divisors of integers",
        hint="Store the types of the tensors in the model, or read it without running it "
        "(verify=False).",
    )


# -- divisions whose divisor may be harmful --------------------------------------------------------


@dataclass(frozen=True)
class _Division:
    graph: GraphProto
    position: int
    """The position of the node in its graph."""
    node: NodeProto
    type: int
    """The code of the type of its operands and its result; 0 if it is unknown."""

    def guard(self, name: str) -> None:
        """Insert nodes before the division, one of which, of this name, fails for divisors of 0.

        A divisor of -1 becomes 1, and the dividend changes its sign: the least integer, which has
        no opposite, stays what it is.
        """
        from onnx import TensorProto, helper, numpy_helper

        nodes: list[NodeProto] = []

        def op(kind: str, *inputs: str, to: int | None = None, **more: Any) -> str:
            outputs = [f"{name}.{len(nodes)}"]
            attributes = more if to is None else {**more, "to": to}
            nodes.append(helper.make_node(kind, [*inputs], outputs, **attributes))
            return outputs[0]

        def number(value: Any) -> str:
            return op("Constant", value=numpy_helper.from_array(np.array(value, np.int64)))

        wide = TensorProto.INT64
        x, y = self.node.input
        y = op("Cast", y, to=wide)
        is_zero = op("Cast", op("Equal", y, number(0)), to=wide)
        # The only index of one element: any other is out of range.
        y = op("Add", y, op("Gather", number([0]), is_zero, name=name))
        if self.type in _SIGNED:
            is_negating = op("Cast", op("Equal", y, number(-1)), to=wide)
            change = op("Mul", is_negating, number(2))
            y = op("Add", y, change)
            x = op("Mul", op("Cast", x, to=wide), op("Sub", number(1), change))
            x = op("Cast", x, to=self.type)
        self.node.input[:] = [x, op("Cast", y, to=self.type)]
        for node in reversed(nodes):
            self.graph.node.insert(self.position, node)


def _divisions(
    graph: GraphProto,
    typed: GraphProto | None = None,
    outer: Types | None = None,
    constants: Mapping[str, Any] | None = None,
) -> Iterator[_Division]:
    """Yield the divisions of a graph and its inner graphs, unless their divisor is harmless.

    Args:
        graph: Any graph.
        typed: The same graph with types.
        outer: The types of the graphs that it is in.
        constants: The constants of those graphs.
    """
    typed = graph if typed is None else typed
    types = {**(outer or {}), **_types(typed)}
    constants = {**(constants or {}), **_constants(graph)}
    for position, (node, other) in enumerate(zip(graph.node, typed.node, strict=True)):
        if _is_division(node) and not _is_harmless(constants.get(node.input[1])):
            names = (*node.input, *node.output)
            code = next(filter(None, (types.get(name, 0) for name in names)), 0)
            yield _Division(graph, position, node, code)
        for inner, typed_inner in zip(_inner_graphs(node), _inner_graphs(other), strict=True):
            yield from _divisions(inner, typed_inner, types, constants)


def _is_division(node: NodeProto) -> bool:
    is_standard = node.domain in ("", "ai.onnx")
    return is_standard and node.op_type in _DIVISIONS and len(node.input) == len("xy")


def _inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _constants(graph: GraphProto) -> dict[str, Any]:
    """Return the constants of a graph by name; None for its other tensors."""
    from onnx import helper

    constants: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    constants.update(dict.fromkeys(info.name for info in graph.input))
    for node in graph.node:
        constants.update(dict.fromkeys(node.output))
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx") and node.attribute:
            constants[node.output[0]] = helper.get_attribute_value(node.attribute[0])
    return constants


def _is_harmless(divisor: Any) -> bool:
    """Whether a constant has no elements that integers are divided by with harm."""
    from onnx import TensorProto, numpy_helper

    if isinstance(divisor, TensorProto):
        if divisor.data_type not in _SIGNED | _UNSIGNED:
            return True
        if divisor.data_location == TensorProto.EXTERNAL:
            return False
        divisor = numpy_helper.to_array(divisor)
    return divisor is not None and not np.isin(divisor, (0, -1)).any()


# -- types -----------------------------------------------------------------------------------------


def _inferred(model: ModelProto, types: Types | None = None) -> GraphProto:
    """Return the main graph with the types that ONNX infers from the given ones."""
    from onnx import TypeProto, ValueInfoProto, shape_inference

    copy = type(model)()
    copy.CopyFrom(model)
    for name, code in (types or {}).items():
        kind = TypeProto(tensor_type=TypeProto.Tensor(elem_type=code))
        copy.graph.value_info.append(ValueInfoProto(name=name, type=kind))
    try:
        return shape_inference.infer_shapes(copy).graph
    except Exception:  # noqa: BLE001 - of several kinds, if the model is not valid
        return copy.graph


def _types(graph: GraphProto) -> Types:
    """Return the types that a graph states."""
    types = {name: 0 for node in graph.node for name in node.output}
    types.update((tensor.name, tensor.data_type) for tensor in graph.initializer)
    for info in (*graph.value_info, *graph.input, *graph.output):
        types[info.name] = types.get(info.name) or info.type.tensor_type.elem_type
    return types
