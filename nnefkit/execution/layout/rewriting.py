"""The new graph: every operation in the order that was chosen, and transpositions between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nnefkit.arrays import Shape
from nnefkit.execution.layout.demands import Demand
from nnefkit.execution.layout.forms import (
    NEW,
    Form,
    arranged,
    completed,
    extents,
    identity,
    kept_units,
    turns,
    without_trailing_units,
)
from nnefkit.execution.layout.network import LayoutNetwork, LayoutNode
from nnefkit.execution.layout.rules import UniformRule
from nnefkit.execution.layout.stored_names import StoredNames, is_moved
from nnefkit.execution.layout.views import MOVING, arranged_line
from nnefkit.execution.layout.weights import Reordering, Weight, WeightForm, labels_of
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.operations.shape_changes import ShapeChange, reshape_attributes

LAYOUTS = "layouts"
"""The key of the layouts in ``Graph.provenance``."""


class _ReadForm:
    """A tensor as an operation reads it."""

    __slots__ = ("chosen", "form", "root")

    def __init__(self, root: str, form: Form, chosen: Form) -> None:
        self.root = root
        self.form = form
        """The form of the root."""
        self.chosen = chosen
        """The form of the view that the given operation reads."""


class NetworkWriter:
    """Writes the new graph.

    Args:
        network: The network, with the orders that were chosen.
    """

    def __init__(self, network: LayoutNetwork) -> None:
        self._network = network
        self._graph = network.graph
        self._operations: list[Operation] = []
        self._tensors: dict[str, Tensor] = {}
        self._layouts: dict[str, Form] = {}
        self._made: dict[str, dict[Form, str]] = {}
        """Root -> the forms of it that exist, and their names."""
        self._rows: dict[str, Reordering] = {}
        self._reordered: dict[int, Mapping[int, Reordering]] = {}
        self._reorder()
        self._names = StoredNames(network, self._rows)
        self._labels = labels_of(self._graph)
        self._weights: dict[str, Weight] = {}
        for op in self._graph.operations:
            if network.constants.issuperset(op.output_names) and op.is_weight:
                (name,) = op.output_names
                self._weights[name] = Weight(op, self._graph.tensors[name])
        for node in network.nodes:
            for number, reading in enumerate(self._readings(node)):
                if reading.root in self._weights:
                    self._weights[reading.root].add(self._weight_reading(node, number, reading))

    def _reorder(self) -> None:
        """Find the rows of features that are in another order, and the weights that follow them."""
        for flattening in self._network.flattenings.values():
            node = self._network.of[id(flattening.reshape)]
            if flattening.is_merging:
                (reading,) = self._readings(node)
                form = reading.chosen
            else:
                form = node.rule.results(node.order)[0]
            order = flattening.order(form)
            if order is None:
                continue
            for row in flattening.rows:
                self._rows[row] = Reordering(flattening.axis, order)
            for number, axes in flattening.weights.items():
                self._reordered[number] = {n: Reordering(axis, order) for n, axis in axes.items()}

    # -- what is read -------------------------------------------------------------------------

    def _readings(self, node: LayoutNode) -> list[_ReadForm]:
        demands = node.rule.demands(node.order)
        return [
            self._reading(node, operand.root, operand.view, demand)
            for operand, demand in zip(node.operands, demands, strict=True)
        ]

    def _reading(self, node: LayoutNode, root: str, view: Form, demand: Demand) -> _ReadForm:
        of_root = demand.of_root(view)
        if root in self._network.constants:
            own = identity(len(self._graph.tensors[root].shape or ()))
            number = of_root.forms.index(own) if own in of_root.forms else 0
            form = self._trimmed(node, root, of_root.forms[number])
            return _ReadForm(root, form, demand.forms[number])
        stored = self._network.stored[root]
        met = of_root.met_by(stored.form, stored.shape)
        if met is None:
            return _ReadForm(root, of_root.forms[0], demand.forms[0])
        if met in of_root.forms:
            return _ReadForm(root, met, demand.forms[of_root.forms.index(met)])
        chosen = tuple(view.index(axis) if axis in view else NEW for axis in met)
        return _ReadForm(root, met, chosen)

    def _trimmed(self, node: LayoutNode, root: str, form: Form) -> Form:
        """Return a form of a weight that is broadcast, without axes of extent 1 at its end."""
        rule = node.rule
        if not isinstance(rule, UniformRule) or not rule.broadcasts or node.order == rule.start:
            return form
        constants = self._network.constants
        if any(o.root not in constants and len(o.view) == rule.rank for o in node.operands):
            return without_trailing_units(form, self._graph.tensors[root].shape or ())
        return form

    def _weight_reading(self, node: LayoutNode, number: int, reading: _ReadForm) -> WeightForm:
        return WeightForm(reading.form, self._reordered.get(id(node.op), {}).get(number))

    def _read(self, root: str, form: Form) -> str:
        """Return the name of a form of a tensor, which is computed if it does not exist yet."""
        made = self._made[root]
        if form not in made:
            shape = self._graph.tensors[root].shape or ()
            base = next((one for one in made if not turns(one, form, shape)), None)
            if base is None:
                base = self._transposed(root, next(iter(made)), form)
            if base != form:
                self._moved_units(root, base, form)
        return made[form]

    def _transposed(self, root: str, stored: Form, form: Form) -> Form:
        """Add a transposition of a stored tensor; return the form nearest to another one."""
        order = completed(form, len(stored))
        axes = [stored.index(axis) for axis in order]
        self._adapt(root, stored, order, ("transpose", {"axes": axes}))
        return order

    def _moved_units(self, root: str, old: Form, new: Form) -> None:
        """Add an operation that removes or adds axes of extent 1."""
        shape = self._graph.tensors[root].shape or ()
        removed, added = kept_units(old, new, shape)
        if not added:
            self._adapt(root, old, new, ("squeeze", {"axes": removed}))
        elif not removed:
            self._adapt(root, old, new, ("unsqueeze", {"axes": added}))
        else:
            self._adapt(root, old, new, ("reshape", _moving_reshape(old, new, shape)))

    def _adapt(self, root: str, old: Form, new: Form, call: tuple[str, dict[str, Any]]) -> None:
        operation, attribs = call
        word = "transposed" if operation == "transpose" else "reshaped"
        name = self._names.adapted(root, new, word)
        given = self._graph.tensors.get(name)
        tensor = self._graph.tensors[root]
        shape = extents(new, tensor.shape or ())
        line = origin = None
        if given is not None:
            origin, line = given.origin, given.quantization
            layout = self._names.layout(name, new)
            if layout is not None and is_moved(layout):
                self._layouts[name] = layout
                line = line and arranged_line(line, layout)
        self._tensors[name] = Tensor(name, tensor.dtype, shape, quantization=line, origin=origin)
        source = self._made[root][old]
        self._emit(operation, {"input": source}, {"output": name}, attribs, tensor.dtype)
        self._made[root][new] = name

    def _emit(
        self,
        operation: str,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        attribs: Mapping[str, Any],
        dtype: str,
    ) -> None:
        self._operations.append(
            Operation(
                operation,
                FrozenDict({key: Identifier(name) for key, name in inputs.items()}),
                FrozenDict({key: Identifier(name) for key, name in outputs.items()}),
                FrozenDict(attribs),
                dtype,
                macs=0,
            )
        )

    # -- operations ---------------------------------------------------------------------------

    def stored_name(self, root: str) -> str:
        """Return the name under which the new graph has a tensor that is not a view."""
        return self._names.of[root]

    def graph(self) -> Graph:
        """Return the new graph."""
        for op in self._graph.operations:
            node = self._network.of.get(id(op))
            if node is not None:
                self._write(node)
            elif op.name == "update":
                self._update(op)
            elif op.is_weight:
                self._introduce(self._weights[op.output_names[0]])
        for name in self._graph.outputs:
            self._output(name)
        facts = dict(self._graph.provenance)
        if self._layouts:
            facts[LAYOUTS] = FrozenDict(self._layouts)
        return replace(
            self._graph,
            operations=tuple(self._operations),
            tensors=FrozenDict(self._tensors),
            provenance=FrozenDict(facts),
        )

    def _introduce(self, weight: Weight) -> None:
        """Add a weight, in each of the forms that are stored."""
        root = weight.tensor.name
        stored = weight.stored()
        for number, reading in enumerate(stored):
            name = root
            if number:
                word = "transposed" if reading.reordering is None else "reordered"
                name = self._names.unused(f"{root}_{word}")
            weight.names[reading.key] = name
            op, tensor = weight.introduced(reading, name, self._labels, is_first=not number)
            self._operations.append(op)
            self._tensors[name] = tensor
        for reading in weight.readings.values():
            if reading.key not in weight.names:
                base = weight.base(reading, stored)
                assert base is not None  # noqa: S101 - the others are stored
                self._made[root] = {base.form: weight.names[base.key]}
                self._moved_units(root, base.form, reading.form)
                weight.names[reading.key] = self._made[root][reading.form]

    def _write(self, node: LayoutNode) -> None:
        """Add an operation in its order, after the tensors that it reads in another form."""
        op, rule = node.op, node.rule
        readings = self._readings(node) if op.name != "variable" else []
        names = [self._read_name(node, number, each) for number, each in enumerate(readings)]
        shapes = [
            extents(each.form, self._graph.tensors[each.root].shape or ()) for each in readings
        ]
        attribs = rule.attribs(op, node.order, [each.chosen for each in readings], shapes)
        new_names = iter(names)
        name, given = rule.operation(op, node.order)
        inputs = FrozenDict(_replaced(dict(given), new_names))
        results = node.results[: len(op.output_names)]
        outputs = FrozenDict(
            _replaced(dict(op.outputs), iter([self._names.of[root] for root in results]))
        )
        if op.name in MOVING:
            name, attribs = "copy", FrozenDict()
            inputs = FrozenDict({"x": Identifier(names[0])})
            outputs = FrozenDict({"y": Identifier(self._names.of[results[0]])})
        self._operations.append(
            replace(
                op,
                name=name,
                inputs=inputs,
                outputs=outputs,
                attribs=attribs,
                scope=tuple(map(self._scope, op.scope)),
            )
        )
        for root in results:
            self._store(root)

    def _read_name(self, node: LayoutNode, number: int, reading: _ReadForm) -> str:
        weight = self._weights.get(reading.root)
        if weight is None:
            return self._read(reading.root, reading.form)
        return weight.names[self._weight_reading(node, number, reading).key]

    def _update(self, op: Operation) -> None:
        """Add the update of a variable that is stored in the form of its node."""
        variable = op.inputs["variable"]
        node = self._network.of[id(self._graph.producers[variable])]
        (reading,) = self._readings(node)
        value = self._read_name(node, 0, reading)
        (result,) = op.output_names
        names = {"variable": variable, "value": value}
        self._emit("update", names, {"result": self._names.of[result]}, {}, op.dtype or "scalar")
        self._operations[-1] = replace(self._operations[-1], scope=op.scope, span=op.span)
        self._store(result)

    def _store(self, root: str) -> None:
        """Add the tensor that an operation computes."""
        name, form = self._names.of[root], self._network.stored[root].form
        given = self._graph.tensors.get(name)
        tensor = self._graph.tensors[root]
        line = self._network.views.lines.get(root)
        if line is not None:
            line = arranged_line(line, form)
            if root in self._rows:
                line = self._rows[root].of_line(line)
        origin = None
        if given is not None:
            origin = given.origin or tensor.origin
            layout = self._names.layout(name, form)
            if layout is not None and is_moved(layout):
                self._layouts[name] = layout
        data = None if tensor.data is None else arranged(tensor.data, form)
        shape = extents(form, tensor.shape or ())
        self._tensors[name] = Tensor(name, tensor.dtype, shape, data, tensor.label, line, origin)
        self._made[root] = {form: name}

    def _scope(self, scope: str) -> str:
        call, colon, result = scope.partition(":")
        return f"{call}:{self._names.of.get(result, result)}" if colon else scope

    def _output(self, name: str) -> None:
        """Add what computes an output, unless an operation does already."""
        root, view = self._network.views.of[name]
        stored = self._network.stored[root]
        demand = self._network.output_demand(view)
        form = demand.met_by(stored.form, stored.shape) or demand.forms[0]
        made = self._read(root, form)
        if made == name:
            return
        tensor = self._tensors[made]
        given = self._graph.tensors[name]
        self._tensors[name] = replace(
            tensor, name=name, data=None, label=None, origin=given.origin or tensor.origin
        )
        layout = self._names.layout(name, form)
        if layout is not None and is_moved(layout):
            self._layouts[name] = layout
        self._emit("copy", {"x": made}, {"y": name}, {}, tensor.dtype)


def _moving_reshape(old: Form, new: Form, shape: Shape) -> dict[str, Any]:
    """Return the attributes of a reshape that removes and adds axes of extent 1."""
    change = ShapeChange(extents(old, shape), extents(new, shape))
    inherited = [n for n, axis in enumerate(new) if old[n : n + 1] == (axis,) and axis != NEW]
    free = [n for n in range(len(new)) if n not in inherited]
    inferred = max(free, key=lambda n: change.after[n], default=None)
    attribs = {"shape": [], "axis_start": 0, "axis_count": -1}
    return attribs | reshape_attributes(change, inferred, inherited)


def _replaced(values: Any, names: Iterator[str]) -> Any:
    """Return arguments with other names of tensors, in the order of the arguments."""
    if isinstance(values, Identifier):
        return Identifier(next(names))
    if isinstance(values, dict):
        return {key: _replaced(value, names) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return type(values)(_replaced(value, names) for value in values)
    return values


def transposition_count(operations: Sequence[Operation]) -> int:
    """Return how many operations are transpositions."""
    return sum(op.name == "transpose" for op in operations)
