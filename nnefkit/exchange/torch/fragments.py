"""Fragments for what no standard operation says, and graphs that call them."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.source_graph import GraphBuilder, Value, _Call, _Emission
from nnefkit.exchange.torch.sharing import Derived, with_shared_weights
from nnefkit.exchange.torch.states import States
from nnefkit.graph import Graph
from nnefkit.language.declarations.custom import EXPRESSIONS, FRAGMENTS, declared
from nnefkit.language.declarations.declaration import Declaration


@cache
def fragments() -> Mapping[str, Declaration]:
    """Name of each fragment -> its declaration."""
    text = (files(__package__) / "fragments.nnef").read_text()
    return declared(re.findall(r"^fragment .*?^}", text, re.M | re.S))


class Builder(GraphBuilder):
    """Collects operations, and calls of fragments among them."""

    def __init__(self) -> None:
        super().__init__()
        self.used: dict[str, str] = {}
        """Name of each fragment that is called -> its definition."""
        self.states = States(self)
        self._shared: dict[str, Value] = {}
        self._derived: Derived = {}
        """Constant and how another one is made of it -> both; the first one stays alive so."""

    def derived(
        self, source: Value, how: Hashable, make: Callable[[Array], Array], name: str = ""
    ) -> Value:
        """A constant made of another one; the same one each time, so that it is stored once.

        Args:
            source: The constant that it is made of.
            how: What tells it from others that are made of the same one.
            make: Gives its values from those of the source.
            name: What its label is made of; that of the source by default.
        """
        key = (id(source), how)
        if key not in self._derived:
            assert source.data is not None  # noqa: S101 - it is a constant
            made = self.constant(make(source.data), name=name or source.name)
            made.filler = source.filler
            self._derived[key] = (source, made)
        return self._derived[key][1]

    def shared(self, name: str, make: Callable[[], Array]) -> Value:
        """A constant of that name; the same one each time."""
        if name not in self._shared:
            self._shared[name] = self.constant(make(), name=name)
        return self._shared[name]

    def fragment(
        self,
        name: str,
        inputs: Sequence[Any],
        shapes: Sequence[tuple[int, ...]],
        kind: np.dtype[Any],
        attribs: Mapping[str, Any],
    ) -> list[Value]:
        """Calls a fragment.

        Args:
            name: Of the fragment.
            inputs: All of its tensors: values and numbers.
            shapes: Of its results.
            kind: What the items of the results are.
            attribs: All of its attributes.
        """
        declaration = fragments()[name]
        self.used[name] = declaration.text
        arguments = dict(zip((n for n, _, _ in declaration.inputs), inputs, strict=True))
        results = [self._result(shape, kind) for shape in shapes]
        outputs = dict(zip((r.name for r in declaration.results), results, strict=True))
        self.calls.append(_Call(name, arguments, outputs, {**attribs}, None, self._scope))
        return results

    def graph(self, name: str, outputs: Sequence[tuple[str, Value]]) -> Graph:
        """The graph that computes `outputs`, with the definitions of the fragments in it."""
        count = len(outputs)
        outputs = [*outputs, *((value.name, value) for value in self.states.results)]
        needed = _Emission(self)._needed([value for _, value in outputs])
        self.calls = with_shared_weights(needed, self._derived, self.names)
        graph = self.states.introduced(super().graph(name, outputs))
        graph = replace(graph, outputs=graph.outputs[:count])
        called = {op.name for op in graph.operations}
        definitions = tuple(text for used, text in self.used.items() if used in called)
        if not definitions:
            return graph
        return replace(graph, declarations=definitions, extensions=(FRAGMENTS, EXPRESSIONS))
