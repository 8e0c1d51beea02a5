"""The graph: operations in a valid order, and the tensors between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from nnefkit.arguments import expected_mapping, expected_names, unknown_attribute
from nnefkit.display import nnef_text
from nnefkit.display.cards.graph import graph_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.graph_drawing import draw_graph
from nnefkit.display.operation_table import operation_frame
from nnefkit.errors import InputError, Source, UnknownNameError, did_you_mean
from nnefkit.graph.cut import check_cut, external, needed_operations, needed_with_updates
from nnefkit.graph.dialect import is_of_tract, properties_text, tract_constant
from nnefkit.graph.drawn import Drawn
from nnefkit.graph.extents import EXTENTS, converted_for
from nnefkit.graph.frozen import FrozenDict, frozen
from nnefkit.graph.input_shapes import inferred, reshaped
from nnefkit.graph.obvious_calls import OTHER_CALLS, operation_at
from nnefkit.graph.operation import Identifier, Operation
from nnefkit.graph.provenance import unproven
from nnefkit.graph.tensor import Tensor
from nnefkit.graph.variable_names import variables_of
from nnefkit.graph.variable_values import fitting_values

if TYPE_CHECKING:
    import pandas as pd


@frozen
@dataclass(frozen=True, eq=False, repr=False)
class Graph(Drawn, Displayed):
    """A network: operations in a valid order, and the tensors between them.

    A graph does not change in place; its ``with_...`` methods return changed copies, which share
    the tensor data. ``str(graph)`` is its NNEF text.

    Attributes:
        name: Its name in the document.
        inputs: Names of its input tensors (results of ``external``).
        outputs: Names of its output tensors.
        operations: In a valid order. Fragments with a body are expanded, defaults are filled in.
        tensors: Each `Tensor` by name.
        provenance: The ``path`` of a loaded model, or records of a converter.
        version: The version of NNEF.
        extensions: The extensions that it enables, in the order of its document: names, and for
            extensions of vendors all that one statement says (``"tract_registry tract_core"``).
        declarations: Texts of the declarations of custom operations without a body, for saving.
        source: The text that it was parsed from, to which the spans of its operations refer.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph g(x) -> (y)
        ... {
        ...     x = external(shape = [2, 3]);
        ...     y = relu(x);
        ... }
        ... ''')
        >>> graph.inputs, graph.outputs
        (('x',), ('y',))
        >>> [operation.name for operation in graph.operations]
        ['external', 'relu']
        >>> graph.producers["y"].inputs
        {'x': 'x'}
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operations: tuple[Operation, ...]
    tensors: Mapping[str, Tensor]
    provenance: Mapping[str, Any] = field(default_factory=FrozenDict)
    version: str = "1.0"
    extensions: tuple[str, ...] = ()
    declarations: tuple[str, ...] = ()
    source: Source | None = None

    @cached_property
    def producers(self) -> Mapping[str, Operation]:
        """The operation that computes each tensor, by tensor name."""
        return {name: op for op in self.operations for name in op.output_names}

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Operation, ...]]:
        """The operations that read each tensor in the order of the graph, by tensor name."""
        readers: dict[str, list[Operation]] = {name: [] for name in self.tensors}
        for op in self.operations:
            for name in dict.fromkeys(op.input_names):
                readers.setdefault(name, []).append(op)
        return {name: tuple(ops) for name, ops in readers.items()}

    @cached_property
    def variables(self) -> tuple[Tensor, ...]:
        """The results of ``variable`` operations, in the order of the graph."""
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
    def opaque(self) -> frozenset[str]:
        """Names of the results of unknown operations, whose data types are also unknown."""
        return frozenset(
            name for op in self.operations if "0" in op.outputs for name in op.output_names
        )

    @cached_property
    def _picture(self) -> str:
        return draw_graph(self)

    def line(self, operation: Operation) -> int | None:
        """Return the line of `operation` in the source text, or None if there is no text."""
        if self.source is None or operation.span is None:
            return None
        return self.source.position(operation.span.start)[0]

    def needed(self, outputs: str | Collection[str]) -> tuple[Operation, ...]:
        """Return the operations that some tensors depend on, in the order of the graph.

        The result includes externals, variables and constants.

        Args:
            outputs: The name of a tensor, or several.

        Raises:
            UnknownNameError: The graph has no such tensor.

        Example:
            >>> graph = nk.parse('''
            ... version 1.0;
            ... graph g(x) -> (y, z)
            ... {
            ...     x = external(shape = [1]);
            ...     y = exp(x);
            ...     z = log(x);
            ... }
            ... ''')
            >>> [operation.name for operation in graph.needed("z")]
            ['external', 'log']
        """
        names = [self.tensor(name).name for name in expected_names(outputs, "outputs")]
        return tuple(needed_operations(self.operations, names))

    def tensor(self, name: str) -> Tensor:
        """Return the tensor `name`.

        Raises:
            UnknownNameError: The graph has no such tensor; the hint suggests the nearest name.
        """
        try:
            return self.tensors[name]
        except KeyError:
            raise UnknownNameError(
                f"graph '{self.name}' has no tensor '{name}'",
                hint=did_you_mean(name, self.tensors) or "graph.tensors has all of them by name.",
            ) from None

    def __getitem__(self, key: str | int | slice) -> Any:
        """Return the tensor of that name; or the operation, or operations, at that position.

        Raises:
            UnknownNameError: The graph has no such tensor; the hint suggests the nearest name.
            InputError: There is no operation at that position, or `key` is of another type.

        Example:
            >>> graph = nk.parse("version 1.0; graph g(x) -> (y) {"
            ...     "x = external(shape = [1, 4]); y = relu(x); }")
            >>> graph["y"].shape, graph[-1].name
            ((1, 4), 'relu')
        """
        return self.tensor(key) if isinstance(key, str) else operation_at(self.operations, key)

    def __iter__(self) -> Iterator[Operation]:
        """Iterate over the operations, in their order."""
        return iter(self.operations)

    def __len__(self) -> int:
        """Return the number of operations, sources included."""
        return len(self.operations)

    def __bool__(self) -> bool:
        """Return True, also for a graph without operations."""
        return True

    def __contains__(self, item: object) -> bool:
        """Return whether the graph has a tensor of that name, or an operation."""
        return item in self.tensors if isinstance(item, str) else item in self.operations

    def _ipython_key_completions_(self) -> list[str]:
        """Return what Tab completes after ``graph["``."""
        return list(self.tensors)

    def __getattr__(self, name: str) -> NoReturn:
        raise unknown_attribute(self, name, OTHER_CALLS, self.__dict__.get("tensors", ()))

    def __str__(self) -> str:
        return nnef_text.document(
            name=self.name,
            inputs=self.inputs,
            outputs=self.outputs,
            assignments=self._assignments(),
            version=self.version,
            extensions=self.extensions,
            declarations=self.declarations,
            comment=converted_for(self.provenance, self.operations),
            properties=properties_text(self.provenance),
        )

    def _assignments(self) -> Iterator[str]:
        opaque = self.opaque
        of_tract = is_of_tract(self.extensions)
        for op in self.operations:
            explicit = bool(opaque) and not opaque.isdisjoint(op.input_names)
            yield (of_tract and tract_constant(op)) or nnef_text.assignment(
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
        """Return a table with one row for each operation, sources included."""
        return operation_frame(self)

    # -- changed copies -----------------------------------------------------------------------

    def with_data(self, data: Mapping[str, Any]) -> Graph:
        """Return a copy with new values for some variables.

        Args:
            data: An array for each variable, by its name or label, or by the name that it has in a
                ``module.state_dict()``: characters other than letters and digits do not matter.
                Variables with the same label share their data (4.1.3). Extents of 1 may be left
                out, as in biases. ``num_batches_tracked``, which no result depends on, is ignored.

        Raises:
            UnknownNameError: There are no such variables; one diagnostic for each.
            InputError: The values have another shape than the variable, or are not numeric; or a
                name fits several variables, or two names fit the same one with different values.

        Example:
            >>> graph = nk.parse('''
            ... version 1.0;
            ... graph g(x) -> (y)
            ... {
            ...     x = external(shape = [2]);
            ...     w = variable(shape = [2], label = "w");
            ...     y = mul(x, w);
            ... }
            ... ''')
            >>> graph.with_data({"w": np.float32([1, 2])}).tensor("w").data
            array([1., 2.], dtype=float32)
        """
        expected_mapping(data, "data", "names of variables to arrays")
        tensors = dict(self.tensors)
        is_converted = EXTENTS in self.provenance
        for variables, values in variables_of(
            self.name, self.tensors, self.variables, data, is_converted=is_converted
        ).items():
            array = fitting_values(tensors[variables[0]], values)
            for name in variables:
                tensors[name] = replace(tensors[name], data=array)
        facts = unproven(self.provenance, "with_data")
        return replace(self, tensors=FrozenDict(tensors), provenance=facts)

    def with_outputs(self, outputs: str | Sequence[str]) -> Graph:
        """Return a copy that computes other tensors, without the operations that are not needed.

        Raises:
            UnknownNameError: There is no such tensor.

        Example:
            >>> graph = nk.parse('''
            ... version 1.0;
            ... graph g(x) -> (z)
            ... {
            ...     x = external(shape = [1]);
            ...     y = exp(x);
            ...     z = log(y);
            ... }
            ... ''')
            >>> graph.with_outputs("y").outputs
            ('y',)
        """
        facts = unproven(self.provenance, "with_outputs")
        return replace(self.between(None, outputs), provenance=facts)

    def with_input_shapes(self, /, **shapes: Sequence[int]) -> Graph:
        """Return a copy with new shapes of inputs, and the shapes that follow from them.

        `nnefkit.infer_shapes(graph, **shapes)` does the same.

        Raises:
            UnknownNameError: There is no such input.
            InputError: An extent is not a positive integer; or the graph was converted, and what
                its source computes for these shapes needs other operations, or may need them.
            DocumentError: Operations cannot be computed for these shapes (chapter 4); carries one
                diagnostic for each.

        Example:
            >>> graph = nk.parse("version 1.0; graph g(x) -> (y) {"
            ...     "x = external(shape = [1, 4]); y = transpose(x, axes = [1, 0]); }")
            >>> graph.with_input_shapes(x=[8, 4]).tensors["y"].shape
            (4, 8)
        """
        return inferred(reshaped(self, shapes))

    def between(self, inputs: str | Collection[str] | None, outputs: str | Sequence[str]) -> Graph:
        """Return the part of the graph that computes `outputs` from `inputs`.

        Args:
            inputs: Names of the tensors that become inputs of the part; their shapes must be known.
                With None, the inputs are those of the graph. The part has only those that it needs.
            outputs: Names of the tensors to compute.

        Raises:
            UnknownNameError: There is no such tensor.
            InputError: `outputs` is empty, the shape of a new input is not known, or a new input is
                computed together with another tensor that is needed.

        Example:
            >>> graph = nk.parse('''
            ... version 1.0;
            ... graph g(x) -> (z)
            ... {
            ...     x = external(shape = [1]);
            ...     y = exp(x);
            ...     z = log(y);
            ... }
            ... ''')
            >>> print([str(operation) for operation in graph.between(["y"], ["z"]).operations])
            ['y = external<scalar>(shape = [1]);', 'z = log(y);']
        """
        cut = {self.tensor(name).name for name in expected_names(inputs or (), "inputs")}
        wanted = tuple(self.tensor(name).name for name in expected_names(outputs, "outputs"))
        if not wanted:
            raise InputError("a graph needs at least one output", section="3.2.1")
        if inputs is None:
            needed = needed_with_updates(self.operations, wanted)
        else:
            needed = needed_operations(self.operations, wanted, cut)
        check_cut(needed, cut)
        read = set(wanted).union(*(op.input_names for op in needed))
        new = [name for name in self.tensors if name in cut and name in read]
        tensors = {
            **self.tensors,
            **{name: replace(self.tensors[name], data=None, label=None) for name in new},
        }
        return self._of((*self._externals(new), *needed), wanted, tensors)

    def _externals(self, names: Sequence[str]) -> list[Operation]:
        """Return the operations that introduce inputs, those of the graph first."""
        own = [
            op for op in self.operations if op.name == "external" and op.output_names[0] in names
        ]
        return own + [external(self.tensors[name]) for name in names if name not in self.inputs]

    def _of(
        self,
        operations: tuple[Operation, ...],
        outputs: tuple[str, ...],
        tensors: Mapping[str, Tensor],
    ) -> Graph:
        """Return a copy with only these operations and the tensors that they refer to."""
        present = {name for op in operations for name in (*op.output_names, *op.input_names)}
        return replace(
            self,
            inputs=tuple(op.output_names[0] for op in operations if op.name == "external"),
            outputs=outputs,
            operations=operations,
            tensors=FrozenDict((n, tensor) for n, tensor in tensors.items() if n in present),
            provenance=unproven(self.provenance, "between"),
        )
