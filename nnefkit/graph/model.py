"""The model that every room shares: `Graph`, `Operation`, `Tensor`.

All three are values. Nothing changes one in place; the ``with_...`` methods of `Graph` give changed
copies that share the tensor data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.arguments import expected_mapping, expected_names
from nnefkit.display import nnef_text
from nnefkit.display.cards.graph import graph_card
from nnefkit.display.cards.operation import operation_card
from nnefkit.display.cards.tensor import SAMPLE, tensor_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.graph_drawing import draw_graph
from nnefkit.display.operation_table import operation_frame
from nnefkit.errors import InputError, Source, Span, UnknownNameError, did_you_mean
from nnefkit.graph.frozen import FrozenDict, frozen
from nnefkit.graph.variable_values import fitting
from nnefkit.operation_names import SOURCES, WEIGHTS

if TYPE_CHECKING:
    import pandas as pd

DTYPES = ("scalar", "integer", "logical", "string")
"""The data-types of tensors (3.3.1)."""


class Identifier(str):
    """The name of a tensor among the arguments of an operation; a plain `str` is a literal."""

    __slots__ = ()


@frozen
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tensor(Displayed):
    """A tensor of a graph: what is known of it without a run."""

    name: str
    dtype: str = "scalar"
    """``"scalar"``, ``"integer"``, ``"logical"`` or ``"string"``."""
    shape: tuple[int, ...] | None = None
    """Extents, ``()`` for rank 0; None while it is not known."""
    data: np.ndarray[Any, Any] | None = None
    """Values of a variable or a constant (read-only, perhaps mapped from a file), else None."""
    label: str | None = None
    """The label of a variable (4.1.3), else None."""
    quantization: Mapping[str, Any] | None = None
    """Of the tensor's line in ``graph.quant``: ``{"op-name": ..., **arguments}``, or None."""
    origin: str | None = None
    """Where a converter took it from: node or module of the source model."""

    def _card(self, *, brief: bool) -> Card:
        return tensor_card(
            self,
            brief=brief,
            label=self.label or "",
            quantization=self.quantization,
            origin=self.origin or "",
            sample=50_000 if brief else SAMPLE,
        )


@frozen
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Operation(Displayed):
    """One call of an operation: ``output = name<dtype>(inputs, attribs)``."""

    name: str
    inputs: Mapping[str, Any]
    """Formal name -> `Identifier` of a tensor, a literal (int, float, bool, str), or a list."""
    outputs: Mapping[str, Any]
    """Formal name -> `Identifier` of a tensor, or a list of them."""
    attribs: Mapping[str, Any] = field(default_factory=FrozenDict)
    """Formal name -> value, defaults filled in; arrays are lists, tuples are tuples."""
    dtype: str | None = None
    """The generic type argument of a generic operation (deduced or explicit), else None."""
    scope: tuple[str, ...] = ()
    """The fragment calls that it came from, outermost first."""
    span: Span | None = None
    """Its place in the source text of the graph."""
    macs: int | None = None
    """Multiply-accumulates of one run, filled in together with the shapes."""

    @property
    def is_source(self) -> bool:
        """Whether it introduces a tensor instead of computing one: external, variable, constant."""
        return self.name in SOURCES

    @property
    def is_weight(self) -> bool:
        """Whether it introduces a tensor with values of its own: a variable or a constant."""
        return self.name in WEIGHTS

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the tensors that it reads, in the order of the parameters (repeats kept)."""
        return tuple(_identifiers(self.inputs.values(), []))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the tensors that it computes, in the order of the results."""
        return tuple(_identifiers(self.outputs.values(), []))

    def __str__(self) -> str:
        return nnef_text.assignment(
            self.name, self.inputs, self.outputs, self.attribs, self.dtype, Identifier
        )

    def _card(self, *, brief: bool) -> Card:
        return operation_card(self, brief=brief)


def _identifiers(values: Iterable[Any], found: list[str]) -> list[str]:
    for value in values:
        if isinstance(value, Identifier):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            _identifiers(value, found)
    return found


@frozen
@dataclass(frozen=True, eq=False, repr=False)
class Graph(Displayed):
    """A network: operations in a valid order, and the tensors between them."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    tensors: Mapping[str, Tensor]
    provenance: Mapping[str, Any] = field(default_factory=FrozenDict)
    """Where it comes from: ``path`` of a loaded model, or what a converter recorded."""
    version: str = "1.0"
    extensions: tuple[str, ...] = ()
    declarations: tuple[str, ...] = ()
    """Text of the declarations of custom operations without a body, kept for saving."""
    source: Source | None = field(default=None, repr=False)
    """The text that it was parsed from; operations' spans point into it."""

    @cached_property
    def producers(self) -> Mapping[str, Operation]:
        """Tensor name -> the operation that computes it."""
        return {name: op for op in self.operations for name in op.output_names}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Operation, ...]]:
        """Tensor name -> the operations that read it, in the order of the graph."""
        readers: dict[str, list[Operation]] = {name: [] for name in self.tensors}
        for op in self.operations:
            for name in dict.fromkeys(op.input_names):
                readers.setdefault(name, []).append(op)
        return {name: tuple(ops) for name, ops in readers.items()}

    @cached_property
    def variables(self) -> tuple[Tensor, ...]:
        """The tensors that are results of ``variable`` operations, in their order."""
        return tuple(
            self.tensors[name]
            for op in self.operations
            if op.name == "variable"
            for name in op.output_names
        )

    @cached_property
    def computations(self) -> tuple[Operation, ...]:
        """The operations that compute something: all but externals, variables and constants."""
        return tuple(op for op in self.operations if not op.is_source)

    @cached_property
    def _picture(self) -> str:
        return draw_graph(self)

    @cached_property
    def opaque(self) -> frozenset[str]:
        """The tensors that come out of operations that are not known: of any data-type."""
        return frozenset(
            name for op in self.operations if "0" in op.outputs for name in op.output_names
        )

    def line(self, operation: Operation) -> int | None:
        """The line of the source text where `operation` stands, if there is a source."""
        if self.source is None or operation.span is None:
            return None
        return self.source.position(operation.span.start)[0]

    def needed(self, outputs: str | Collection[str]) -> tuple[Operation, ...]:
        """Return the operations that the tensors `outputs` depend on, in the order of the graph.

        Sources (externals, variables and constants) are among them.

        Raises:
            UnknownNameError: The graph has no such tensor.
        """
        names = {self.tensor(name).name for name in expected_names(outputs, "outputs")}
        operations = []
        for op in reversed(self.operations):
            if not names.isdisjoint(op.output_names):
                operations.append(op)
                names.update(op.input_names)
        return tuple(reversed(operations))

    def tensor(self, name: str) -> Tensor:
        """The tensor called `name`.

        Raises:
            UnknownNameError: no tensor is called so; the hint has the nearest name.
        """
        try:
            return self.tensors[name]
        except KeyError:
            raise UnknownNameError(
                f"graph '{self.name}' has no tensor '{name}'",
                hint=did_you_mean(name, self.tensors) or "graph.tensors has all of them by name.",
            ) from None

    def __str__(self) -> str:
        return nnef_text.document(
            name=self.name,
            inputs=self.inputs,
            outputs=self.outputs,
            assignments=self._assignments(),
            version=self.version,
            extensions=self.extensions,
            declarations=self.declarations,
        )

    def _assignments(self) -> Iterator[str]:
        opaque = self.opaque
        for op in self.operations:
            explicit = bool(opaque) and not opaque.isdisjoint(op.input_names)
            yield nnef_text.assignment(
                op.name,
                op.inputs,
                op.outputs,
                op.attribs,
                op.dtype,
                Identifier,
                explicit=explicit,
            )

    def _card(self, *, brief: bool) -> Card:
        return graph_card(self, picture=None if brief else self._picture, brief=brief)

    def to_frame(self) -> pd.DataFrame:
        """The operations as a table, one row each (a graph's sources too)."""
        return operation_frame(self)

    # -- changed copies -----------------------------------------------------------------------

    def with_data(self, data: Mapping[str, Any]) -> Graph:
        """A copy in which the variables in `data` (by tensor name or label) hold other values.

        Raises:
            UnknownNameError: there is no such variable.
            InputError: values of another shape than the variable's, or of no numeric kind.
        """
        expected_mapping(data, "data", "names of variables to arrays")
        tensors = dict(self.tensors)
        variables = {variable.name: variable for variable in self.variables}
        by_label: dict[str, list[str]] = {}
        for variable in variables.values():
            by_label.setdefault(_label(variable), []).append(variable.name)
        for key, values in data.items():
            # Variables of one label share their data (4.1.3).
            label = _label(variables[key]) if key in variables else str(key).lower()
            shared = by_label.get(label, [])
            if not shared:
                labels = [variable.label for variable in variables.values() if variable.label]
                hint = did_you_mean(key, [*variables, *labels])
                if key in self.tensors:
                    hint = f"'{key}' is no variable: a run computes it, or takes it as an input."
                raise UnknownNameError(
                    f"graph '{self.name}' has no variable '{key}'",
                    hint=hint or "graph.variables lists them.",
                )
            array = fitting(tensors[shared[0]], values)
            for name in shared:
                tensors[name] = replace(tensors[name], data=array)
        return replace(self, tensors=FrozenDict(tensors))

    def with_outputs(self, outputs: Sequence[str]) -> Graph:
        """A copy that computes other tensors; operations that they do not need are left out.

        Raises:
            UnknownNameError: there is no such tensor.
        """
        return self.between(None, outputs)

    def with_input_shapes(self, /, **shapes: Sequence[int]) -> Graph:
        """A copy whose externals have other shapes; shapes that follow from them become None.

        `nnefkit.infer_shapes(graph, **shapes)` does this and fills the others in again.

        Raises:
            UnknownNameError: there is no such input.
            InputError: an extent that is not a positive integer.
        """
        for name, shape in shapes.items():
            if name not in self.inputs:
                raise UnknownNameError(
                    f"graph '{self.name}' has no input '{name}'",
                    hint=did_you_mean(name, self.inputs)
                    or f"Its inputs are {', '.join(self.inputs)}.",
                )
            if not _is_shape(shape):
                raise InputError(
                    f"the shape of input '{name}' must consist of positive integers, not {shape}",
                    hint=f"For example: {name}={self.tensors[name].shape}.",
                    section="4.1.1",
                )
        operations = tuple(
            replace(op, attribs=FrozenDict(op.attribs, shape=[*map(int, shapes[name])]), macs=None)
            if op.name == "external" and (name := op.output_names[0]) in shapes
            else replace(op, macs=None)
            for op in self.operations
        )
        fixed = {n for op in operations if not op.input_names for n in op.output_names}
        tensors = {
            name: replace(tensor, shape=tuple(map(int, shapes[name])))
            if name in shapes
            else tensor
            if name in fixed
            else replace(tensor, shape=None)
            for name, tensor in self.tensors.items()
        }
        return replace(self, operations=operations, tensors=FrozenDict(tensors))

    def between(self, inputs: Collection[str] | None, outputs: Sequence[str]) -> Graph:
        """The part of the graph that computes `outputs` from `inputs`.

        Tensors named in `inputs` become externals of their shape (which must be known); with None,
        the graph's own inputs stay. Inputs that the part does not need are left out.

        Raises:
            UnknownNameError: there is no such tensor.
            InputError: `outputs` is empty, the shape of a new input is not known, or a new input is
                a result of an operation that another result of is needed.
        """
        cut = {self.tensor(name).name for name in expected_names(inputs or (), "inputs")}
        wanted = tuple(self.tensor(name).name for name in expected_names(outputs, "outputs"))
        if not wanted:
            raise InputError("a graph needs at least one output", section="3.2.1")
        kept = self._needed(wanted, cut, updates=inputs is None)
        read = {name for op in kept for name in op.input_names} | set(wanted)
        new = [name for name in self.tensors if name in cut and name in read]
        _refuse_half_cut(kept, cut)
        own = [op for op in self.operations if op.name == "external" and op.output_names[0] in new]
        externals = [self._external(name) for name in new if name not in self.inputs]
        operations = (*own, *externals, *kept)
        present = {name for op in operations for name in (*op.output_names, *op.input_names)}
        return replace(
            self,
            inputs=tuple(op.output_names[0] for op in operations if op.name == "external"),
            outputs=wanted,
            operations=operations,
            tensors=FrozenDict(
                (name, replace(tensor, data=None, label=None) if name in new else tensor)
                for name, tensor in self.tensors.items()
                if name in present
            ),
        )

    def _needed(
        self, outputs: Collection[str], cut: Collection[str], updates: bool
    ) -> list[Operation]:
        """The operations that compute `outputs`, without those that compute only `cut`.

        With `updates`, also those that update the variables that are read, since the next run
        depends on them.
        """
        wanted = set(outputs)
        while True:
            read = set(wanted)
            kept = []
            for op in reversed(self.operations):
                if any(name in read and name not in cut for name in op.output_names):
                    kept.append(op)
                    read.update(op.input_names)
            late = {
                name
                for op in self.operations
                if updates and op.name == "update" and op.inputs.get("variable") in read
                for name in op.output_names
            }
            if late <= wanted:
                return kept[::-1]
            wanted |= late

    def _external(self, name: str) -> Operation:
        tensor = self.tensors[name]
        if tensor.shape is None:
            raise InputError(
                f"'{name}' cannot become an input: its shape is not known",
                hint="nnefkit.infer_shapes(graph) fills the shapes in.",
            )
        return Operation(
            "external",
            FrozenDict(),
            FrozenDict(output=Identifier(name)),
            FrozenDict(shape=list(tensor.shape)),
            dtype=tensor.dtype,
        )


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, (list, tuple)) and all(
        isinstance(extent, (int, np.integer)) and extent > 0 for extent in shape
    )


def _refuse_half_cut(kept: Iterable[Operation], cut: Collection[str]) -> None:
    for op in kept:
        for name in op.output_names:
            if name in cut:
                raise InputError(
                    f"'{name}' cannot become an input: '{op.name}' computes it together with "
                    "another tensor that is needed",
                    hint=f"Cut all the results of '{op.name}', or what it reads.",
                )


def _label(variable: Tensor) -> str:
    # A variable that has no label (it was built, not read) shares its data with no other.
    return (variable.label or f"variable {variable.name}").lower()
