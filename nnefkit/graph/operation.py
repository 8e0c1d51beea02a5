"""The operations of a graph, and the identifiers by which they refer to tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nnefkit.display import nnef_text
from nnefkit.display.cards.operation import operation_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.errors import Span
from nnefkit.graph.frozen import FrozenDict, frozen
from nnefkit.operation_names import SOURCES, WEIGHTS


class Identifier(str):
    """The name of a tensor among the arguments of an operation.

    A plain `str` among them is a literal.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph g(x) -> (y)
        ... {
        ...     x = external(shape = [1]);
        ...     y = add(x, 2.0);
        ... }
        ... ''')
        >>> graph.operations[1].inputs
        {'x': 'x', 'y': 2.0}
        >>> isinstance(graph.operations[1].inputs["x"], nk.Identifier)
        True
    """

    __slots__ = ()


@frozen
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Operation(Displayed):
    """One call of an operation: ``outputs = name<dtype>(inputs, attribs)``.

    Attributes:
        name: The operation, such as ``"conv"``.
        inputs: By parameter, the `Identifier` of a tensor, a literal (int, float, bool, str), or a
            list.
        outputs: By result, the `Identifier` of a tensor, or a list of identifiers.
        attribs: Values by attribute, defaults filled in; arrays are lists, tuples are tuples.
        dtype: The type argument of a generic operation, deduced or explicit; else None.
        scope: The fragment calls that it was expanded from, outermost first.
        span: Its position in the source text of the graph, if there is one.
        macs: Number of multiply-accumulates of one run, filled in together with the shapes.

    Example:
        >>> graph = nk.parse('''
        ... version 1.0;
        ... graph g(x) -> (y)
        ... {
        ...     x = external(shape = [2, 3]);
        ...     y = relu(x);
        ... }
        ... ''')
        >>> print(graph.operations[1])
        y = relu(x);
        >>> graph.operations[1].input_names, graph.operations[1].output_names
        (('x',), ('y',))
    """

    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    attribs: Mapping[str, Any] = field(default_factory=FrozenDict)
    dtype: str | None = None
    scope: tuple[str, ...] = ()
    span: Span | None = None
    macs: int | None = None

    @property
    def is_source(self) -> bool:
        """True if it introduces a tensor instead of computing one: external, variable, constant."""
        return self.name in SOURCES

    @property
    def is_weight(self) -> bool:
        """True if it introduces a tensor that has values: a variable or a constant."""
        return self.name in WEIGHTS

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the tensors that it reads, in the order of the parameters, with repetitions."""
        return tuple(_identifiers(self.inputs.values(), []))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the tensors that it computes, in the order of the results."""
        if len(self.outputs) == 1:
            (only,) = self.outputs.values()
            if isinstance(only, Identifier):
                return (only,)
        return tuple(_identifiers(self.outputs.values(), []))

    def __str__(self) -> str:
        return nnef_text.assignment(
            self.name, self.inputs, self.outputs, self.attribs, self.dtype, Identifier
        )

    def _card(self, *, brief: bool) -> Card:
        return operation_card(self, brief=brief)


def _identifiers(values: Iterable[Any], names: list[str]) -> list[str]:
    for value in values:
        if isinstance(value, Identifier):
            names.append(value)
        elif isinstance(value, (list, tuple)):
            _identifiers(value, names)
    return names


def renamed(values: Any, names: Mapping[str, str]) -> Any:
    """Return values with other names of tensors, also within arrays; others stay as they are."""
    if isinstance(values, Identifier):
        return Identifier(names.get(values, values))
    if isinstance(values, dict):
        return {key: renamed(value, names) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return type(values)(renamed(value, names) for value in values)
    return values
