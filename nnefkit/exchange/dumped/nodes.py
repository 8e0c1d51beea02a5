"""The reader of a dumped graph, node by node; all refused ones are reported at once."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, Diagnostic
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.dumped.call import DumpedCall, Literal
from nnefkit.exchange.dumped.document import Dump, DumpedNode, DumpedValue
from nnefkit.exchange.dumped.framework import Framework
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.refusal import UNREAD, Unread, refusal_for, refuse
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value, data_type_of
from nnefkit.graph import Graph
from nnefkit.graph.extents import Shapes

_STORED = ("parameter", "shared", "constant")
_UNTRACED = (
    "it is computed from the input by something that {} does not record, such as a comparison, "
    "a rounding, or NumPy"
)


class DumpReader:
    """Reads one graph.

    Args:
        dump: The graph.
        framework: Its framework.
        call_class: The class of calls that its readers take.
        outputs: Name of a wanted output -> id of its value.
        shapes: Name of an input -> its shape, for each input.
    """

    def __init__(
        self,
        dump: Dump,
        framework: Framework,
        call_class: type[DumpedCall],
        outputs: Mapping[str, str],
        shapes: Shapes,
    ) -> None:
        self.dump = dump
        self.framework = framework
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.nodes = _needed(dump, [*outputs.values()])
        self._call_class = call_class
        self._outputs = outputs
        self._shapes = shapes
        self._allowance = Allowance(dump.size, framework.call)
        self._values: dict[str, Value | Literal | Unread] = {}
        self._seconds = 0.0
        self._count = 0
        """The number of nodes that were read, those of loops once for each step."""
        self._label = ""
        """The step of a loop that is read."""

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the nodes.
        """
        for name, id_ in self.dump.inputs.items():
            self._values[id_] = self._input(name, self.dump.values[id_])
        if self.dump.record.get("structure") == "dynamic":
            self._problem(
                "the model computes other operations for other inputs, and NNEF has no branches",
                "Dump a model that does the same for each input.",
            )
        for node in self.nodes:
            self._read_node(node)
            if bar is not None:
                bar.update(1)
        outputs = self._results()
        if not self.problems and not self.graph.externals:
            self._problem("the graph has no inputs", "A graph of NNEF has at least one input.")
        if self.problems:
            return None
        name_outputs(self.graph, outputs)
        return emitted(self.graph, self.dump.name, outputs)

    # -- values that no node computes ---------------------------------------------------------

    def _input(self, name: str, value: DumpedValue) -> Value | Unread:
        shape = self._shapes[name]
        if value.dtype is None:
            self._problem(
                f"input '{name}' is of type {value.record.get('dtype')}",
                "NNEF has scalars, integers and logicals (3.3.1).",
            )
            return UNREAD
        if 0 in shape or prod(shape) * value.dtype.itemsize > current_budget().bytes:
            self._problem(
                f"input '{name}' has {prod(shape):,} elements",
                NO_EMPTY_TENSORS if 0 in shape else remedy("bytes", self.framework.call),
            )
            return UNREAD
        return self.graph.external(name, tuple(shape), value.dtype)

    def _value(self, id_: str) -> Value | Literal | Unread:
        if id_ not in self._values:
            self._values[id_] = self._stored(self.dump.values[id_])
        return self._values[id_]

    def _stored(self, value: DumpedValue) -> Value | Literal:
        """Return a parameter or a constant.

        Raises:
            Refusal: It is missing, or depends on the input in an unknown way.
        """
        if value.kind == "detached":
            refuse(
                f"its input '{value.id}' is detached: {_UNTRACED.format(self.framework.name)}",
                "Compute it with functions that the framework records, make it an input of the "
                "model, or cut the graph before it: outputs=[...].",
            )
        if value.kind not in _STORED:
            refuse(
                f"its input '{value.id}' is not computed, and no input of the graph",
                self.framework.hint,
            )
        if value.record.get("none") or "slice" in value.record:
            return Literal(value.record.get("slice"))
        if value.id not in self.dump.arrays:
            refuse(f"the array of its input '{value.id}' is missing", self.framework.hint)
        array = self.dump.arrays[value.id]
        if value.shape is not None and array.shape != value.shape:
            refuse(
                f"the array of its input '{value.id}' has the shape {[*array.shape]}, not "
                f"{[*value.shape]}",
                self.framework.hint,
            )
        if not value.name:
            return self.graph.constant(array)
        self.graph.weights.add(value.name)
        return self.graph.weight(array, value.name)

    def _results(self) -> list[tuple[str, Value]]:
        outputs = []
        for name, id_ in self._outputs.items():
            try:
                value = self._value(id_)
            except Exception as error:  # noqa: BLE001 - files that are not valid can cause any
                refusal = refusal_for(error, self.framework.hint)
                reason = refusal.reason.replace("its input", "its value")
                self._problem(f"output '{name}': {reason}", refusal.hint)
                continue
            if isinstance(value, Value) and 0 not in value.shape:
                outputs.append((name, value))
            elif isinstance(value, Value):
                self._problem(f"output '{name}' is empty", NO_EMPTY_TENSORS)
            elif not self.problems:
                self._problem(f"output '{name}' is not computed", self.framework.hint)
        return outputs

    # -- nodes --------------------------------------------------------------------------------

    def _read_node(self, node: DumpedNode) -> None:
        first, start = len(self.graph.operations), time.perf_counter()
        try:
            results = self._computed(node)
        except Exception as error:  # noqa: BLE001 - files that are not valid can cause any
            del self.graph.operations[first:]
            refusal = refusal_for(error, self.framework.hint)
            self._problem(f"{node.op} '{self._stem(node)}': {refusal.reason}", refusal.hint)
            results = []
        self._seconds += time.perf_counter() - start
        for number, id_ in enumerate(node.outputs):
            if id_ is not None:
                self._values[id_] = results[number] if number < len(results) else UNREAD

    def _computed(self, node: DumpedNode) -> list[Value]:
        self._count += 1
        limit, attribute = current_budget().exceeded(self._count, 0, self._seconds)
        if limit:
            refuse(
                f"reading the graph takes more than {limit}",
                remedy(attribute, self.framework.call),
            )
        if node.op not in self.framework.readers:
            refuse(*self.framework.refused.get(node.op, self._unknown()))
        inputs = [self._value(id_) for id_ in node.inputs]
        if any(isinstance(value, Unread) for value in inputs):
            return []  # An earlier refusal is the cause.
        values = self.dump.values
        call = self._call_class(
            node.op,
            self.graph,
            node,
            inputs,  # type: ignore[arg-type]
            [None if id_ is None else values[id_] for id_ in node.outputs],
            self._allowance,
            self.dump.arrays,
            self.framework.hint,
            lambda inner, label: self._run_inner(node, inner, label),
        )
        read: Any = self.framework.readers[node.op](call)
        results: list[Value] = read if isinstance(read, list) else [read]
        if len(results) != len(node.outputs):
            refuse(f"it has {len(node.outputs)} results, not {len(results)}", self.framework.hint)
        for id_, value in zip(node.outputs, results, strict=True):
            if id_ is not None and isinstance(value, Value):
                self._check(values[id_], value)
        self._name(node, results)
        return results

    def _run_inner(self, node: DumpedNode, inputs: Sequence[Value], label: str) -> list[Value]:
        """Return the outputs of an inner graph for some inputs."""
        inner = node.inner
        if inner is None or len(inner.inputs) != len(inputs):
            refuse(f"its inner graph does not have {len(inputs)} inputs", self.framework.hint)
        outer, outer_label = self._values, self._label
        # Constants are shared, and what the inner graph computes is its own.
        self._values = {**outer, **dict(zip(inner.inputs, inputs, strict=True))}
        self._label = f"{outer_label}{label}."
        try:
            for one in inner.nodes:
                for id_, value in zip(one.outputs, self._computed(one), strict=True):
                    if id_ is not None:
                        self._values[id_] = value
            results = [self._value(id_) for id_ in inner.outputs]
            for id_ in self._values.keys() - outer.keys():
                if self.dump.values[id_].kind in _STORED:
                    outer[id_] = self._values[id_]
        finally:
            self._values, self._label = outer, outer_label
        if not all(isinstance(value, Value) for value in results):
            refuse("its inner graph returns something else than tensors", self.framework.hint)
        return results  # type: ignore[return-value]

    def _unknown(self) -> tuple[str, str]:
        return (
            f"it is not an operation of {self.framework.name} that nnefkit knows",
            "Write it with operations that are read, or cut the graph before it, outputs=[...], "
            "and compute the rest outside of it.",
        )

    def _check(self, declared: DumpedValue, value: Value) -> None:
        """Check a result against what the file says about it."""
        shape = declared.shape
        if shape is not None and (
            len(shape) != value.rank
            or any(n not in (None, m) for n, m in zip(shape, value.shape, strict=True))
        ):
            refuse(
                f"its result has the shape {[*value.shape]}, not {[*shape]} as in the file",
                self.framework.hint,
            )
        if declared.dtype is not None and data_type_of(declared.dtype) != value.data_type:
            refuse(
                f"its result is {value.data_type}, not {declared.dtype} as in the file",
                self.framework.hint,
            )

    def _name(self, node: DumpedNode, results: Sequence[Value | Literal]) -> None:
        """Name the results after the framework's variables, or else its parameters and classes."""
        stem = self._stem(node)
        names = []
        for number, (id_, value) in enumerate(zip(node.outputs, results, strict=True)):
            own = self.dump.values[id_].name if id_ is not None else ""
            name = own or (stem if len(results) == 1 else f"{stem}_{number}")
            names.append(self._label + name)
            if not isinstance(value, Value):
                continue  # It is a slice.
            if id_ is not None and value.origin is None and value.data is None:
                value.origin = self._label + id_
        self.graph.name_results(results, names)

    def _stem(self, node: DumpedNode) -> str:
        values = (self.dump.values[id_] for id_ in node.inputs)
        paths = [value.name.rpartition("/")[0] for value in values if value.kind == "parameter"]
        tree = node.record.get("scalar_op")
        name = tree.get("op") if node.op == "Elemwise" and isinstance(tree, dict) else None
        return next(filter(None, paths), snake_case(name if isinstance(name, str) else node.op))

    # -- problems -----------------------------------------------------------------------------

    def _problem(self, message: str, hint: str) -> None:
        self.problems.append(Diagnostic("not-expressible", message, file=self.dump.path, hint=hint))


def snake_case(name: str) -> str:
    """Return the name of a class in small letters: ``leaky_relu`` for ``LeakyReLU``."""
    stem = name.strip("_").removesuffix("Function").replace("ReLU", "Relu")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", stem).lower()


def _needed(dump: Dump, outputs: Sequence[str]) -> list[DumpedNode]:
    """Return the nodes that outputs depend on, in order."""
    wanted = set(outputs)
    needed = []
    for node in reversed(dump.nodes):
        if any(id_ in wanted for id_ in node.outputs):
            needed.append(node)
            wanted.update(node.inputs)
    return needed[::-1]
