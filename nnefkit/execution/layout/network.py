"""The network: operations with the orders that they may be computed in, and their tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import prod
from typing import NamedTuple

from nnefkit.arrays import Shape
from nnefkit.execution.layout.demands import Demand, cost
from nnefkit.execution.layout.flattening import flattenings
from nnefkit.execution.layout.forms import Form, channels_first, identity, seen, through
from nnefkit.execution.layout.layout_target import CHANNELS_FIRST, LayoutTarget
from nnefkit.execution.layout.operation_kinds import SPATIAL, known_operations
from nnefkit.execution.layout.rule_choice import RuleChoice
from nnefkit.execution.layout.rules import Rule, SourceRule, StateRule, UniformRule, WindowedRule
from nnefkit.execution.layout.views import MOVING, Views, form_of
from nnefkit.graph import Graph, Operation

_MOST_ORDERS = 4
"""Maximum number of orders that the readers of a tensor suggest to what computes it."""


class Operand(NamedTuple):
    """A tensor that an operation reads."""

    root: str
    view: Form


@dataclass(eq=False)
class LayoutNode:
    """An operation, and the order that it is computed in."""

    op: Operation
    rule: Rule
    operands: tuple[Operand, ...]
    results: tuple[str, ...]
    is_spatial: bool = False
    """Whether the layout spreads from it."""
    order: Form = ()
    is_decided: bool = False


@dataclass(eq=False)
class Stored:
    """A tensor that is computed, and what reads it."""

    shape: Shape
    elements: int
    producer: LayoutNode
    form: Form
    demands: Counter[Demand] = field(default_factory=Counter)
    readers: list[tuple[LayoutNode, int]] = field(default_factory=list)

    def cost(self, form: Form | None = None, more: Sequence[Demand] = ()) -> int:
        """Return what its readers cost."""
        demands: Iterable[Demand] = self.demands
        if more:
            demands = {*self.demands, *more}
        return cost(form or self.form, self.shape, self.elements, demands)


class LayoutNetwork:
    """The operations and tensors of a graph.

    Args:
        graph: The graph; the shapes of all of its tensors are known.
        fragments: Names of the fragments that the graph declares as nnefkit does.
        is_free: Whether inputs and outputs may become channels-first.
        target: The order in which spatial operations compute.
        visible: Tensors whose elements somebody reads, in whatever order of the axes.
    """

    def __init__(
        self,
        graph: Graph,
        fragments: Collection[str] = (),
        *,
        is_free: bool = False,
        target: LayoutTarget = CHANNELS_FIRST,
        visible: Collection[str] = (),
    ) -> None:
        self.graph = graph
        self.is_free = is_free
        self.views = Views(graph)
        self.nodes: list[LayoutNode] = []
        self.of: dict[int, LayoutNode] = {}
        """id of an operation -> its node."""
        self.stored: dict[str, Stored] = {}
        self.constants: set[str] = set()
        self._updates = {
            op.inputs["variable"]: op for op in graph.operations if op.name == "update"
        }
        self._labels = Counter(
            op.attribs["label"] for op in graph.operations if op.name == "variable"
        )
        self._returned = _returned(graph)
        constants = {
            name for op in graph.operations if self._is_constant(op) for name in op.output_names
        }
        kinds = known_operations(fragments)
        self.flattenings = flattenings(graph, constants, kinds, visible)
        self._rules = RuleChoice(graph, kinds, self.flattenings, target, is_free=is_free)
        for op in graph.operations:
            self._add(op)
        self._connect()

    # -- construction -------------------------------------------------------------------------

    def _is_constant(self, op: Operation) -> bool:
        """Return whether an operation introduces a weight that can be stored in any form."""
        if not op.is_weight:
            return False
        (name,) = op.output_names
        is_shared = op.name == "variable" and self._labels[op.attribs["label"]] > 1
        return not is_shared and name not in self._updates and name not in self._returned

    def _add(self, op: Operation) -> None:
        if op.name in MOVING and op.input_names and self.views.add_view(op):
            return
        for name in op.output_names:
            self.views.add_root(name)
        if self._is_constant(op):
            self.constants.update(op.output_names)
            return
        if op.name == "update" and self._state_of(op):
            return
        node = self._node(op)
        node.order = node.rule.start
        self.nodes.append(node)
        self.of[id(op)] = node

    def _state_of(self, update: Operation) -> bool:
        """Return whether the variable of an update has the update as a part of its node."""
        name = update.inputs["variable"]
        producer = self.graph.producers.get(name)
        return producer is not None and isinstance(self.of[id(producer)].rule, StateRule)

    def _node(self, op: Operation) -> LayoutNode:
        if op.name == "variable":
            return self._variable(op)
        operands = [Operand(*self.views.of[name]) for name in op.input_names]
        results = op.output_names
        if op.name in MOVING and operands:
            # It is not a view, and therefore a copy of one.
            source = self.views.of[op.input_names[0]]
            rank = len(self._shape(results[0]))
            operands = [Operand(source.root, _moved(source.form, op))]
            return LayoutNode(op, UniformRule([rank], [rank]), tuple(operands), results)
        rule = self._rules.rule(op)
        is_spatial = op.name in SPATIAL
        if isinstance(rule, WindowedRule):
            is_spatial = rule.is_spatial
        return LayoutNode(op, rule, tuple(operands), results, is_spatial)

    def _variable(self, op: Operation) -> LayoutNode:
        (name,) = op.output_names
        rank = len(self._shape(name))
        update = self._updates.get(name)
        is_state = (
            update is not None
            and self._labels[op.attribs["label"]] == 1
            and self._returned.isdisjoint((name, *update.output_names))
            and isinstance(update.inputs["value"], str)
        )
        if not is_state or update is None:
            return LayoutNode(op, SourceRule(rank, None), (), (name,))
        # The value is computed later: its view is filled in by `_connect`.
        return LayoutNode(op, StateRule(rank), (), (name, *update.output_names))

    def _shape(self, name: str) -> Shape:
        return self.graph.tensors[name].shape or ()

    # -- connections --------------------------------------------------------------------------

    def _connect(self) -> None:
        """Add what reads each tensor."""
        for node in self.nodes:
            if isinstance(node.rule, StateRule):
                value = self._updates[node.results[0]].inputs["value"]
                node.operands = (Operand(*self.views.of[value]),)
            for name, form in zip(node.results, node.rule.results(node.order), strict=True):
                shape = self._shape(name)
                self.stored[name] = Stored(shape, prod(shape), node, form)
        for node in self.nodes:
            for number, operand in enumerate(node.operands):
                if operand.root in self.stored:
                    self.stored[operand.root].readers.append((node, number))
            self.attach(node)
        for name in self.graph.outputs:
            root, view = self.views.of[name]
            self.stored[root].demands[self.output_demand(view)] += 1

    def output_demand(self, view: Form) -> Demand:
        """Return the forms that an output may have."""
        forms = [identity(len(view))]
        if self.is_free and 3 <= len(view) <= 5:
            forms.append(channels_first(len(view)))
        return Demand(tuple(forms)).of_root(view)

    def demands(self, node: LayoutNode, order: Form) -> list[tuple[str, Demand]]:
        """Return what a node reads in some order, of tensors that are computed."""
        demands = zip(node.operands, node.rule.demands(order), strict=True)
        return [
            (operand.root, demand.of_root(operand.view))
            for operand, demand in demands
            if operand.root in self.stored
        ]

    def attach(self, node: LayoutNode) -> None:
        """Add the demands of a node to those of its tensors."""
        for root, demand in self.demands(node, node.order):
            self.stored[root].demands[demand] += 1

    def detach(self, node: LayoutNode) -> None:
        """Remove the demands of a node from those of its tensors."""
        for root, demand in self.demands(node, node.order):
            demands = self.stored[root].demands
            demands[demand] -= 1
            if not demands[demand]:
                del demands[demand]

    def reorder(self, node: LayoutNode, order: Form) -> None:
        """Compute a node in another order; it must be detached, and is attached afterwards."""
        node.order = order
        for name, form in zip(node.results, node.rule.results(order), strict=True):
            self.stored[name].form = form
        self.attach(node)

    def local_cost(self, node: LayoutNode, order: Form) -> int:
        """Return the cost of the tensors around a detached node."""
        wanted: dict[str, list[Demand]] = {}
        for root, demand in self.demands(node, order):
            wanted.setdefault(root, []).append(demand)
        total = 0
        for name, form in zip(node.results, node.rule.results(order), strict=True):
            total += self.stored[name].cost(form, wanted.pop(name, ()))
        return total + sum(self.stored[root].cost(None, more) for root, more in wanted.items())

    def cost(self) -> int:
        """Return the cost of all tensors."""
        return sum(stored.cost() for stored in self.stored.values())

    def order_from(self, node: LayoutNode, number: int) -> Form | None:
        """Return the order of a node in which it reads a tensor as it is stored."""
        operand = node.operands[number]
        form = self.stored[operand.root].form
        return self._allowed(node, node.rule.from_operand(number, seen(operand.view, form)))

    def orders_for(self, node: LayoutNode, number: int) -> list[Form]:
        """Return the orders of a node in which it computes a result as it is read."""
        name = node.results[number]
        forms = [demand.forms[0] for demand in islice(self.stored[name].demands, _MOST_ORDERS)]
        orders = (self.order_for(node, name, form) for form in forms)
        return [order for order in orders if order is not None]

    def order_for(self, node: LayoutNode, name: str, form: Form) -> Form | None:
        """Return the order of a node in which it computes a form of one of its results."""
        number = node.results.index(name)
        return self._allowed(node, node.rule.from_result(number, form))

    def _allowed(self, node: LayoutNode, order: Form | None) -> Form | None:
        if order is None or not node.rule.allows(order):
            return None
        return order


def _returned(graph: Graph) -> set[str]:
    """Return the outputs, and the tensors that they may be views of."""
    returned: set[str] = set()
    for output in graph.outputs:
        name: str = output
        returned.add(name)
        while (op := graph.producers[name]).name in MOVING and op.input_names:
            (name,) = op.input_names
            returned.add(name)
    return returned


def _moved(form: Form, op: Operation) -> Form:
    return through(form, form_of(op, len(form)))
