"""Steps of recurrent layers in graphs, recognized by the operations that they consist of.

The form of a step is the body of its fragment in ``fragments.nnef``. Neither names nor scopes
count, so that a step is also recognized in a text in which the call is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nnefkit.exchange.fragments import fragments
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.io import parse

STATES = ("hidden", "cell")
"""The names of the states among the inputs of a fragment."""


@dataclass(frozen=True, eq=False)
class StepForm:
    """A fragment that computes one step, and the ONNX operator for the whole layer."""

    fragment: str
    operator: str
    gates: tuple[int, ...]
    """The gates of the fragment in the order of ONNX."""
    attributes: Mapping[str, Any]
    """Attributes of the operator, for one direction."""

    @cached_property
    def body(self) -> Graph:
        """The operations of the step, as a graph of the fragment's inputs and results."""
        declaration = fragments()[self.fragment]
        names = [parameter.name for parameter in declaration.parameters]
        results = [result.name for result in declaration.results]
        shapes = self.shapes(1, 1, 1)
        lines = [f"{name} = external(shape = {[*shapes[name]]});" for name in names]
        lines.append(f"{', '.join(results)} = {self.fragment}({', '.join(names)});")
        text = (
            "version 1.0;\nextension KHR_enable_fragment_definitions;\n"
            "extension KHR_enable_operator_expressions;\n"
            f"{declaration.text}\n"
            f"graph step({', '.join(names)}) -> ({', '.join(results)})\n{{\n"
            + "\n".join(lines)
            + "\n}\n"
        )
        return parse(text)

    def shapes(self, batch: int, features: int, size: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each input of the fragment.

        Args:
            batch: The extent of the batch.
            features: The extent of an input.
            size: The extent of a state.
        """
        columns = len(self.gates) * size
        return {
            "input": (batch, features),
            "hidden": (batch, size),
            "cell": (batch, size),
            "input_filter": (columns, features),
            "hidden_filter": (columns, size),
            "input_bias": (1, columns),
            "hidden_bias": (1, columns),
            # Of a GRU that computes its candidate by itself.
            "gates_filter": (2 * size, size),
            "candidate_filter": (size, size),
            "gates_bias": (1, 2 * size),
            "candidate_bias": (1, size),
        }

    @property
    def root(self) -> Operation:
        """The operation that computes the next hidden state."""
        return self.body.producers[self.body.outputs[0]]

    @property
    def states(self) -> tuple[str, ...]:
        """The inputs of the fragment that the step before it computes."""
        return STATES[: len(self.body.outputs)]

    @property
    def is_plain(self) -> bool:
        """Whether other layers have the same form: a sum of two linear layers, activated."""
        return self.operator == "RNN"


FORMS = (
    StepForm("lstm_step", "LSTM", (0, 3, 1, 2), {}),
    StepForm("gru_step", "GRU", (1, 0, 2), {"linear_before_reset": 1}),
    StepForm("gru_reset_first_step", "GRU", (1, 0, 2), {}),
    StepForm("rnn_tanh_step", "RNN", (0,), {}),
    StepForm("rnn_relu_step", "RNN", (0,), {"activations": ("Relu",)}),
)


@dataclass(frozen=True, eq=False)
class RecurrentStep:
    """One step in a graph."""

    form: StepForm
    arguments: Mapping[str, Any]
    """The tensor, or the literal, for each input of the fragment."""
    hidden: str
    """The next hidden state."""
    cell: str
    """The next cell state; empty if there is none."""
    operations: tuple[Operation, ...]

    @property
    def input(self) -> Identifier:
        """The tensor that only this step reads."""
        return Identifier(self.arguments["input"])

    @cached_property
    def weights(self) -> tuple[Any, ...]:
        """The arguments that all steps of a layer share."""
        return tuple(
            value for name, value in self.arguments.items() if name not in ("input", *STATES)
        )


def recognized_steps(graph: Graph) -> Iterator[RecurrentStep]:
    """Yield the steps of a graph, in its order.

    No operation outside of a step reads a tensor inside of it, and all its extents fit.

    Args:
        graph: Without calls of fragments; all its shapes are known.
    """
    forms: dict[str, list[StepForm]] = {}
    for form in FORMS:
        forms.setdefault(form.root.name, []).append(form)
    outputs = frozenset(graph.outputs)
    for op in graph.operations:
        for form in forms.get(op.name, ()):
            step = _Match(graph, form).step(op.output_names[0])
            if step is not None and _is_closed(graph, step, outputs) and _fits(graph, step):
                yield step
                break


class _Match:
    """The comparison of a step's form with the operations that compute a tensor."""

    def __init__(self, graph: Graph, form: StepForm) -> None:
        self._graph = graph
        self._body = form.body
        self._form = form
        self._values: dict[str, Any] = {}
        """Tensor of the form -> the tensor or literal of the graph."""
        self._operations: dict[int, Operation] = {}

    def step(self, hidden: str) -> RecurrentStep | None:
        """Return the step that computes a hidden state; None if none does."""
        body = self._body
        pending: list[tuple[Any, Any]] = [(Identifier(body.outputs[0]), Identifier(hidden))]
        while pending:
            expected, actual = pending.pop()
            further = self._compared(expected, actual)
            if further is None:
                return None
            pending += further
        if any(name not in self._values for name in (*body.inputs, *body.outputs)):
            return None
        arguments = {name: self._values[name] for name in body.inputs}
        results = [self._values[name] for name in body.outputs]
        return RecurrentStep(
            self._form,
            arguments,
            results[0],
            results[1] if len(results) > 1 else "",
            tuple(self._operations.values()),
        )

    def _compared(self, expected: Any, actual: Any) -> list[tuple[Any, Any]] | None:
        """Return the pairs to compare next; None if these two differ."""
        if not isinstance(expected, Identifier):
            is_same = not isinstance(actual, Identifier) and bool(expected == actual)
            return [] if is_same else None
        if expected in self._values:
            known = self._values[expected]
            same = isinstance(known, Identifier) == isinstance(actual, Identifier)
            return [] if same and known == actual else None
        pattern = self._body.producers[expected]
        if pattern.name == "external":
            self._values[expected] = actual
            return []
        op = self._graph.producers.get(actual) if isinstance(actual, Identifier) else None
        if op is None or not _is_alike(pattern, op):
            return None
        for name, value in zip(pattern.output_names, op.output_names, strict=True):
            if self._values.setdefault(name, Identifier(value)) != value:
                return None
        if self._values[expected] != actual:
            return None
        self._operations[id(op)] = op
        return [*zip(_flat(pattern), _flat(op), strict=True)]


def _is_alike(pattern: Operation, op: Operation) -> bool:
    """Return whether two operations compute the same of their inputs."""
    return (
        pattern.name == op.name
        and pattern.dtype == op.dtype
        and len(pattern.output_names) == len(op.output_names)
        and len(_flat(pattern)) == len(_flat(op))
        and pattern.attribs == op.attribs
    )


def _flat(op: Operation) -> list[Any]:
    """Return the inputs of an operation, those of an array one by one."""
    return [
        item
        for value in op.inputs.values()
        for item in (value if isinstance(value, (list, tuple)) else [value])
    ]


def _is_closed(graph: Graph, step: RecurrentStep, outputs: frozenset[str]) -> bool:
    """Return whether nothing outside of a step uses what is inside of it."""
    own = set(map(id, step.operations))
    inner = {name for op in step.operations for name in op.output_names}
    inner -= {step.hidden, step.cell}
    given = {value for value in step.arguments.values() if isinstance(value, Identifier)}
    if not inner.isdisjoint(outputs) or not given.isdisjoint(inner | {step.hidden, step.cell}):
        return False
    return all(id(reader) in own for name in inner for reader in graph.consumers[name])


def _fits(graph: Graph, step: RecurrentStep) -> bool:
    """Return whether the shapes are those of a layer: nothing is broadcast."""
    tensors = graph.tensors

    def shape(name: str) -> tuple[int, ...] | None:
        value = step.arguments[name]
        if not isinstance(value, Identifier) or tensors[value].dtype != "scalar":
            return None
        extents = tensors[value].shape
        return None if extents is None else tuple(extents)

    x, hidden = shape("input"), tensors[step.hidden].shape
    if x is None or hidden is None or len(x) != 2 or len(hidden) != 2:
        return False
    expected = step.form.shapes(hidden[0], x[1], hidden[1])
    return all(
        shape(name) == expected[name] or (name.endswith("_bias") and _is_zero(value))
        for name, value in step.arguments.items()
    )


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0
