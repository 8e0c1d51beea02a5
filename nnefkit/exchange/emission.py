"""Emission of a graph from a source graph: the needed operations, and the variables they read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.fragments import fragments
from nnefkit.exchange.names import identifier, label
from nnefkit.exchange.source_graph import PendingOperation, SourceGraph, UpdatedVariable
from nnefkit.exchange.source_value import SCALAR, Value
from nnefkit.exchange.weight_forms import with_shared_weights
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.language.declarations.custom_declarations import EXPRESSIONS, FRAGMENTS

_INLINE = 16
"""Maximum number of elements of an integer or logical tensor that is written into the text."""


def emitted(source: SourceGraph, name: str, outputs: Sequence[tuple[str, Value]]) -> Graph:
    """Return the graph that computes `outputs`, which map names in the source to values."""
    results = _distinct(source, outputs)
    updates = [state.result for state in source.states if state.result is not None]
    needed = with_shared_weights(
        source.needed([*results, *updates]), source.derivations, source.names
    )
    read = [value for operation in needed for value in operation.arguments]
    source.weights.note(value for value in read if value.data is not None)
    emission = _Emission(source)
    for value in source.externals:
        emission.source("external", value, {"shape": [*value.shape]})
    for state in source.states:
        emission.state(state)
    for operation in needed:
        emission.operation(operation)
    definitions = fragments()
    called = [definitions[name].text for name in emission.called if name in definitions]
    return Graph(
        identifier(name),
        tuple(value.name for value in source.externals),
        tuple(value.name for value in results),
        tuple(emission.operations),
        FrozenDict(emission.tensors),
        declarations=tuple(called),
        extensions=(FRAGMENTS, EXPRESSIONS) if called else (),
    )


def name_outputs(source: SourceGraph, outputs: Sequence[tuple[str, Value]]) -> None:
    """Give the values that become outputs the names that the source gives these outputs.

    A value that several tensors of the source share has the name of the first of them, which need
    not be that of the output. Inputs and constants are left out: an output that is one of them is a
    copy.
    """
    computed = {value.name: value for one in source.operations for value in one.results}
    settled = {value.name for value in source.externals}
    free: set[str] = set()
    """Names that values had before."""
    for name, value in outputs:
        wanted = identifier(name)
        if value.data is not None or value.name in settled:
            continue
        if wanted not in settled and wanted != value.name:
            other, former = computed.get(wanted), value.name
            if other is None and wanted not in free:
                wanted = source.names.unused(wanted)
            if other is None:
                free.discard(wanted)
                free.add(former)
                computed.pop(former, None)
            else:
                other.name = former
                computed[former] = other
            value.name = wanted
            computed[wanted] = value
        settled.add(value.name)


def _distinct(source: SourceGraph, outputs: Sequence[tuple[str, Value]]) -> list[Value]:
    """Return the outputs, with copies of inputs, constants and repeated outputs."""
    distinct: list[Value] = []
    for name, value in outputs:
        is_copy = value in distinct or value in source.externals or value.data is not None
        distinct.append(source.copy(value, name) if is_copy else value)
    return distinct


class _Emission:
    """Operations of a graph; constants become variables where they are first read."""

    def __init__(self, source: SourceGraph) -> None:
        self._source = source
        self._introduced: dict[int, Identifier] = {}
        self.operations: list[Operation] = []
        self.tensors: dict[str, Tensor] = {}
        self.called: dict[str, None] = {}

    def operation(self, pending: PendingOperation) -> None:
        inputs = {
            name: self._argument(value, literals=pending.name != "cast")
            for name, value in pending.inputs.items()
        }
        outputs = {name: self._target(value) for name, value in pending.outputs.items()}
        self.called[pending.name] = None
        self.operations.append(
            Operation(
                pending.name,
                FrozenDict(inputs),
                FrozenDict(outputs),
                FrozenDict(pending.attribs),
                pending.data_type,
                tuple(map(str, pending.scope)),
            )
        )

    def state(self, state: UpdatedVariable) -> None:
        value = Value(state.value.shape, state.value.dtype, state.value.name, state.data)
        value.origin = state.value.origin
        self.source("variable", value, {"shape": [*value.shape], "label": state.label})

    def source(self, operation: str, value: Value, attribs: dict[str, Any]) -> Identifier:
        """Add an `external`, `variable` or `constant`."""
        result = Identifier(value.name)
        declared = self._source.declarations[operation].results[0].name
        outputs = FrozenDict({declared: result})
        self.operations.append(
            Operation(operation, FrozenDict(), outputs, FrozenDict(attribs), value.data_type)
        )
        self.tensors[value.name] = Tensor(
            value.name,
            value.data_type,
            value.shape,
            None if value.data is None else _read_only(value.data),
            attribs.get("label"),
            origin=value.origin,
        )
        return result

    def _target(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._target(item) for item in value]
        self.tensors[value.name] = Tensor(
            value.name, value.data_type, value.shape, origin=value.origin
        )
        return Identifier(value.name)

    def _argument(self, value: Any, *, literals: bool = True) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._argument(item) for item in value]
        if not isinstance(value, Value):
            return value
        if value.data is None:
            return Identifier(value.name)
        if (value.is_number or value.coded) and not value.rank and literals:
            return _literal(value)
        if id(value) not in self._introduced:
            self._introduced[id(value)] = self._constant(value, value.data)
        return self._introduced[id(value)]

    def _constant(self, value: Value, data: Array) -> Identifier:
        weights = self._source.weights
        wanted = weights.stem(value)

        def is_foreign(name: str) -> bool:
            return weights.is_foreign(name, value)

        attribs: dict[str, Any] = {"shape": [*value.shape]}
        elements: Array | None = data.reshape(-1)
        if value.is_number or value.filler:
            elements = data.reshape(-1)[:1]
        elif data.size > _INLINE or value.data_type == SCALAR:
            elements = None
        if elements is None:
            operation = "variable"
            attribs["label"] = self._source.labels.unused(label(wanted), is_foreign)
        else:
            operation = "constant"
            attribs["value"] = [_literal(Value((), value.dtype, data=item)) for item in elements]
        name = self._source.names.unused(identifier(wanted), is_foreign)
        origin = wanted if value.name else None
        named = Value(value.shape, value.dtype, name, data, origin)
        return self.source(operation, named, attribs)


def _read_only(data: Array) -> Array:
    data = np.asarray(data)
    if data.flags.writeable:
        data = data.copy()
        data.flags.writeable = False
    return data


def _literal(value: Value) -> float | int | bool:
    assert value.data is not None  # noqa: S101 - it is a constant
    element = value.data.reshape(-1)[0]
    if value.data_type == SCALAR:
        # The shortest decimal that represents this float32: 0.1, not 0.10000000149011612.
        number = float(str(element))
        # The shortest decimal of the largest float32 exceeds it, and not every engine rounds.
        return number if abs(number) <= float(np.finfo(np.float32).max) else float(element)
    return element.item()  # type: ignore[no-any-return]
