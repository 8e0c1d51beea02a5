"""The structure of a graph without the names of its tensors: operations and their wiring."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from nnefkit.analysis.causes import meaning, settings
from nnefkit.graph import Graph, Identifier, Operation

_NOT_IN_FORM = {"external": {"shape"}, "variable": {"shape", "label"}}
"""Attributes that are compared apart from the operation."""


class ReadTensor(NamedTuple):
    """A tensor among the arguments of an operation."""

    place: str
    """Its parameter; with the index, in an array."""
    tensor: str


class Use(NamedTuple):
    """One use of a result."""

    result: int
    """Which of the results of its operation."""
    reader: int
    """Number of the operation that reads it."""
    place: str
    """Where it reads it, as in `ReadTensor`."""


class Structure:
    """The operations of a graph by number, what they compute, and what they read.

    Args:
        graph: The graph, with calls of fragments expanded.
        forms: Numbers of forms, shared by the graphs that are compared.
    """

    def __init__(self, graph: Graph, forms: dict[Hashable, int]) -> None:
        self.graph = graph
        self.operations = graph.operations
        by_attributes: dict[tuple[Any, ...], int] = {}
        self.forms = [_form_number(op, forms, by_attributes) for op in self.operations]
        """A number for everything about an operation but its tensors: equal for equal ones."""
        self.arguments = [tuple(_arguments(op)) for op in self.operations]
        self.results = [op.output_names for op in self.operations]
        self.producers: dict[str, tuple[int, int]] = {
            name: (number, place)
            for number, names in enumerate(self.results)
            for place, name in enumerate(names)
        }
        """Name of each tensor -> number of its operation, and which of its results it is."""
        self.uses: list[list[Use]] = [[] for _ in self.operations]
        for number, arguments in enumerate(self.arguments):
            for place, tensor in arguments:
                if tensor in self.producers:
                    producer, result = self.producers[tensor]
                    self.uses[producer].append(Use(result, number, place))

    def label(self, number: int) -> str:
        """Return the label of a variable, which is compared without regard to case (4.1.3)."""
        name = self.results[number][0]
        return (self.graph.tensors[name].label or "").lower()

    def shape(self, number: int) -> Any:
        """Return the shape of the first result of an operation."""
        names = self.results[number]
        return self.graph.tensors[names[0]].shape if names else None


def _form_number(
    op: Operation, forms: dict[Hashable, int], by_attributes: dict[tuple[Any, ...], int]
) -> int:
    # Parsed operations of one form share their attributes.
    literals = [v for v in op.inputs.values() if not isinstance(v, Identifier)]
    key = None if literals else (op.name, op.dtype, id(op.attribs), len(op.outputs))
    if key in by_attributes:
        return by_attributes[key]
    number = forms.setdefault(_form(op), len(forms))
    if key is not None:
        by_attributes[key] = number
    return number


def _form(op: Operation) -> Hashable:
    left_out = _NOT_IN_FORM.get(op.name, set())
    values = tuple((k, form_of(k, v)) for k, v in settings(op).items() if k not in left_out)
    return op.name, op.dtype, frozenset(values), tuple(map(_outline, op.outputs.values()))


def form_of(key: str, value: Any) -> Hashable:
    """Return an attribute so that it is equal to those that mean the same, and can be hashed."""
    return canonical(meaning(key, value))


def canonical(value: Any) -> Hashable:
    """Return a value that is equal for equal attributes, NaN included, and can be hashed."""
    if isinstance(value, Mapping):
        return frozenset((key, canonical(each)) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(canonical, value))
    if isinstance(value, float):
        return repr(value + 0.0)
    if isinstance(value, int) and not isinstance(value, bool):
        # An integer where the declaration has a scalar is the same number.
        return repr(float(value)) if abs(value) < 1 << 53 else repr(value)
    return value if isinstance(value, Hashable) else repr(value)


def _outline(result: Any) -> Hashable:
    return tuple(map(_outline, result)) if isinstance(result, (list, tuple)) else ""


def _arguments(op: Operation) -> Iterator[ReadTensor]:
    for parameter, value in op.inputs.items():
        yield from _tensors(parameter, value)


def _tensors(place: str, value: Any) -> Iterator[ReadTensor]:
    if isinstance(value, Identifier):
        yield ReadTensor(place, value)
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _tensors(f"{place}[{index}]", each)
