"""Graphs built operation by operation, as the readers of other formats do.

Every shape is known at once, since the shape rules of the operations are asked on the way; so is
every value that depends on nothing but constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit import language
from nnefkit.arrays import Array, Shape
from nnefkit.errors import NO_EMPTY_TENSORS, ArgumentError
from nnefkit.exchange.names import Names, identifier, label
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.operations import registry

SCALAR, INTEGER, LOGICAL = "scalar", "integer", "logical"
_INLINE = 16
"""Items up to which a tensor of integers or logicals is written into the text."""


class Value:
    """A tensor in the making; it gets its name when somebody knows a good one."""

    __slots__ = ("data", "dtype", "filler", "kind", "name", "origin", "shape")

    def __init__(
        self,
        shape: Shape,
        kind: np.dtype[Any],
        name: str = "",
        data: Array | None = None,
        origin: str | None = None,
    ) -> None:
        self.shape = shape
        self.kind = kind
        """What the items are in the source format."""
        self.name = name
        """An identifier, or for a constant what its label is made of; empty if not known yet."""
        self.data = data
        """The values of a constant, else None."""
        self.origin = origin
        self.dtype = data_type(kind)
        self.filler = False
        """Whether it is a constant of one number repeated, and no weight that may change."""

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def is_number(self) -> bool:
        """Whether it is a constant with a single finite item, which can stand as a literal."""
        return self.data is not None and self.data.size == 1 and bool(np.isfinite(self.data).all())


KINDS = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)
) - {"float8"} | {"bool"}
"""Names of the dtypes of items that tensors of NNEF can hold without a change."""


def data_type(kind: np.dtype[Any]) -> str:
    """The NNEF data-type (3.3.1) for items of a NumPy dtype."""
    return {"b": LOGICAL, "i": INTEGER, "u": INTEGER}.get(kind.kind, SCALAR)


@dataclass(eq=False)
class _Call:
    name: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    attribs: dict[str, Any]
    dtype: str | None
    scope: tuple[Any, ...]


@dataclass(eq=False)
class _Frame:
    """A named group of operations; it is called after the first of its results with a name."""

    name: str
    result: Value | None = field(default=None)

    def __str__(self) -> str:
        return f"{self.name}:{self.result.name}" if self.result else self.name


class GraphBuilder:
    """Collects the operations of a graph."""

    def __init__(self) -> None:
        self.declarations = language.declarations()
        self.names = Names()
        self.labels = Names(fold_case=True)
        self.calls: list[_Call] = []
        self.externals: list[Value] = []
        self.notes: dict[str, Any] = {}
        """What readers remember about values."""
        self._scope: tuple[Any, ...] = ()
        self._fresh: list[Value] = []

    # -- values -------------------------------------------------------------------------------

    def external(self, name: str, shape: Shape, kind: np.dtype[Any]) -> Value:
        """An input of the graph."""
        value = Value(shape, kind, self.names.unused(identifier(name)), origin=name)
        self.externals.append(value)
        return value

    def constant(self, data: Any, kind: Any = None, name: str = "") -> Value:
        """Known values."""
        array = np.asarray(data, kind)
        return Value(array.shape, array.dtype, name, array)

    # -- operations ---------------------------------------------------------------------------

    def op(self, name: str, *inputs: Any, dtype: str | None = None, **attribs: Any) -> Any:
        """Calls an operation.

        Args:
            name: Of the operation.
            *inputs: Values, numbers, or lists of them; those that follow get their defaults.
            dtype: The generic data-type; None to take that of the first input.
            **attribs: Those that differ from their defaults.

        Returns:
            A value for each result, a list where the result is an array of tensors.

        Raises:
            ArgumentError: the operation's rules do not allow it.
        """
        declaration = self.declarations[name]
        given = dict(zip((n for n, _, _ in declaration.inputs), inputs, strict=False))
        arguments = {n: given.get(n, default) for n, _, default in declaration.inputs}
        filled = {n: attribs.get(n, default) for n, _, default in declaration.attributes}
        shapes = registry.SHAPE_RULES[name](*map(_shape, arguments.values()), **filled)
        kinds = [v.kind for v in _values(inputs)]
        if declaration.generic and dtype is None:
            dtype = data_type(_common(name, kinds))
        results = (shapes,) if len(declaration.results) == 1 else shapes
        outputs = {}
        for result, shape in zip(declaration.results, results, strict=True):
            kind = _result_kind(name, result.name, dtype, kinds)
            made = [self._result(s, kind) for s in shape] if isinstance(shape, list) else None
            outputs[result.name] = self._result(shape, kind) if made is None else made
        called = dtype if declaration.generic else None
        values = _values([*arguments.values()])
        if values and all(value.data is not None for value in values):
            self._fold(name, arguments, filled, called, list(outputs.values()))
            found = list(outputs.values())
            return found[0] if len(found) == 1 else found
        if any(0 in value.shape for value in values):
            raise ArgumentError(
                f"an argument of '{name}' is empty",
                arguments=[""],
                hint=NO_EMPTY_TENSORS,
                section="4.1.1",
            )
        self.calls.append(_Call(name, arguments, outputs, filled, called, self._scope))
        found = list(outputs.values())
        return found[0] if len(found) == 1 else found

    def _fold(
        self,
        name: str,
        arguments: dict[str, Any],
        attribs: dict[str, Any],
        dtype: str | None,
        results: list[Any],
    ) -> None:
        """Computes what depends on nothing but constants."""
        typed = {"dtype": dtype} if name == "cast" else {}
        kinds = [value.kind for value in _values([*arguments.values()]) if value.dtype == SCALAR]
        arrays = [_array(value, [*kinds, np.dtype(np.float32)][0]) for value in arguments.values()]
        computed = registry.KERNELS[name](*arrays, **attribs, **typed)
        for result, data in zip(
            results, (computed,) if len(results) == 1 else computed, strict=True
        ):
            pairs = zip(result, data, strict=True) if isinstance(result, list) else [(result, data)]
            for value, array in pairs:
                value.data = np.asarray(array)
                if data_type(value.data.dtype) == data_type(value.kind):
                    value.kind = value.data.dtype

    def _result(self, shape: Shape, kind: np.dtype[Any]) -> Value:
        value = Value(tuple(map(int, shape)), kind)
        self._fresh.append(value)
        return value

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Marks the operations that are called within as parts of one compound operation."""
        outer, first = self._scope, len(self._fresh)
        frame = _Frame(name)
        self._scope = (*outer, frame)
        try:
            yield
        finally:
            self._scope = outer
            made = self._fresh[first:]
            frame.result = made[-1] if made else None

    def name_results(self, results: Sequence[object], names: Sequence[str]) -> None:
        """Gives what was made since the last time the names of the source, as far as it has any."""
        for value, name in zip(results, names, strict=False):
            if isinstance(value, Value) and name:
                if not value.name:
                    value.name = self.names.unused(identifier(name)) if value.data is None else name
                if value.origin is None:
                    value.origin = name
        stem = identifier(next((name for name in names if name), "tensor"))
        for value in self._fresh:
            if not value.name and value.data is None:
                value.name = self.names.unused(f"{stem}_part")
        self._fresh.clear()

    def name_outputs(self, outputs: Sequence[tuple[str, Value]]) -> None:
        """Name the values that become outputs as the source names these outputs.

        A value that several tensors of the source share has the name of the first of them, which
        need not be that of the output. Inputs and constants are left out: an output that is one of
        them is a copy.
        """
        computed = {v.name: v for call in self.calls for v in _values([*call.outputs.values()])}
        settled = {value.name for value in self.externals}
        for name, value in outputs:
            wanted = identifier(name)
            if value.data is not None or value.name in settled:
                continue
            if wanted not in settled:
                other = computed.get(wanted)
                if other is None:
                    wanted = self.names.unused(wanted)
                else:
                    other.name = value.name
                    computed[other.name] = other
                value.name = wanted
                computed[wanted] = value
            settled.add(value.name)

    def sources(self, value: Value) -> list[Value]:
        """The inputs of the graph that a value is computed from."""
        wanted = {id(value)}
        for call in reversed(self.calls):
            if any(id(result) in wanted for result in _values([*call.outputs.values()])):
                wanted.update(id(argument) for argument in _values([*call.inputs.values()]))
        return [external for external in self.externals if id(external) in wanted]

    # -- the graph ----------------------------------------------------------------------------

    def graph(self, name: str, outputs: Sequence[tuple[str, Value]]) -> Graph:
        """The graph that computes `outputs`, given by the names that the source has for them."""
        results = self._distinct(outputs)
        return _Emission(self).graph(identifier(name), results)

    def _distinct(self, outputs: Sequence[tuple[str, Value]]) -> list[Value]:
        """The outputs, copied where they are inputs, constants, or the same as another one."""
        found: list[Value] = []
        for name, value in outputs:
            if value in found or value in self.externals or value.data is not None:
                copy = self._result(value.shape, value.kind)
                call = _Call("copy", {"x": value}, {"y": copy}, {}, value.dtype, ())
                self.calls.append(call)
                self.name_results([copy], [name])
                value = copy
            found.append(value)
        return found


def _values(arguments: Sequence[Any]) -> list[Value]:
    found: list[Value] = []
    for argument in arguments:
        if isinstance(argument, Value):
            found.append(argument)
        elif isinstance(argument, (list, tuple)):
            found += _values(argument)
    return found


def _shape(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.shape
    return [_shape(item) for item in argument] if isinstance(argument, list) else ()


def _array(argument: Any, scalar: np.dtype[Any]) -> Any:
    if isinstance(argument, list):
        return [_array(item, scalar) for item in argument]
    if isinstance(argument, Value):
        return argument.data
    return np.asarray(argument, scalar if isinstance(argument, float) else None)


_COMPARISONS = frozenset({"lt", "gt", "le", "ge", "eq", "ne", "and", "or", "not"})
_DEFAULT_KINDS: dict[str, np.dtype[Any]] = {
    SCALAR: np.dtype(np.float32),
    INTEGER: np.dtype(np.int64),
    LOGICAL: np.dtype(np.bool_),
}


def _common(name: str, kinds: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    return kinds[-1] if name == "select" else kinds[0]


def _result_kind(
    name: str, result: str, dtype: str | None, kinds: Sequence[np.dtype[Any]]
) -> np.dtype[Any]:
    if dtype is not None:
        same = [kind for kind in kinds if data_type(kind) == dtype]
        return same[0] if same else _DEFAULT_KINDS[dtype]
    if name in _COMPARISONS or name in ("all_reduce", "any_reduce"):
        return _DEFAULT_KINDS[LOGICAL]
    if result == "index" or name in ("argmax_reduce", "argmin_reduce", "argmax_pool"):
        return _DEFAULT_KINDS[INTEGER]
    return next((kind for kind in kinds if kind.kind == "f"), _DEFAULT_KINDS[SCALAR])


class _Emission:
    """The calls that are needed, as operations, with variables where they are first read."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder
        self.operations: list[Operation] = []
        self.tensors: dict[str, Tensor] = {}
        self.introduced: dict[int, Identifier] = {}

    def graph(self, name: str, outputs: Sequence[Value]) -> Graph:
        for value in self.builder.externals:
            self._source("external", value, {"shape": [*value.shape]})
        for call in self._needed(outputs):
            inputs = {n: self._argument(value) for n, value in call.inputs.items()}
            results = {n: self._target(value) for n, value in call.outputs.items()}
            scope = tuple(map(str, call.scope))
            self.operations.append(
                Operation(
                    call.name,
                    FrozenDict(inputs),
                    FrozenDict(results),
                    FrozenDict(call.attribs),
                    call.dtype,
                    scope,
                )
            )
        return Graph(
            name,
            tuple(value.name for value in self.builder.externals),
            tuple(value.name for value in outputs),
            tuple(self.operations),
            FrozenDict(self.tensors),
        )

    def _needed(self, outputs: Sequence[Value]) -> list[_Call]:
        wanted = {id(value) for value in outputs}
        found = []
        for call in reversed(self.builder.calls):
            if any(id(value) in wanted for value in _values([*call.outputs.values()])):
                found.append(call)
                wanted.update(id(value) for value in _values([*call.inputs.values()]))
        return found[::-1]

    def _target(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._target(item) for item in value]
        self.tensors[value.name] = Tensor(value.name, value.dtype, value.shape, origin=value.origin)
        return Identifier(value.name)

    def _argument(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._argument(item) for item in value]
        if not isinstance(value, Value):
            return value
        if value.data is None:
            return Identifier(value.name)
        if value.is_number and not value.rank:
            return _literal(value)
        if id(value) not in self.introduced:
            self.introduced[id(value)] = self._introduce(value)
        return self.introduced[id(value)]

    def _introduce(self, value: Value) -> Identifier:
        assert value.data is not None  # noqa: S101 - the caller has looked
        origin = value.name or None
        wanted = value.name or "constant"
        attribs: dict[str, Any] = {"shape": [*value.shape]}
        fixed = value.data.size <= _INLINE and value.dtype != SCALAR
        if value.is_number or value.filler or fixed:
            single = value.is_number or value.filler
            items = value.data.reshape(-1)[:1] if single else value.data.reshape(-1)
            attribs["value"] = [_literal(Value((), value.kind, data=item)) for item in items]
            kind = "constant"
        else:
            attribs["label"] = self.builder.labels.unused(label(wanted))
            kind = "variable"
        named = Value(value.shape, value.kind, self.builder.names.unused(identifier(wanted)))
        named.data, named.origin = value.data, origin
        return self._source(kind, named, attribs)

    def _source(self, name: str, value: Value, attribs: dict[str, Any]) -> Identifier:
        result = Identifier(value.name)
        declared = self.builder.declarations[name].results[0].name
        self.operations.append(
            Operation(
                name,
                FrozenDict(),
                FrozenDict({declared: result}),
                FrozenDict(attribs),
                value.dtype,
            )
        )
        data = value.data
        if data is not None:
            data = np.asarray(data)
            if data.flags.writeable:
                data = data.copy()
                data.flags.writeable = False
        self.tensors[value.name] = Tensor(
            value.name,
            value.dtype,
            value.shape,
            data,
            attribs.get("label"),
            origin=value.origin,
        )
        return result


def _literal(value: Value) -> float | int | bool:
    assert value.data is not None  # noqa: S101 - the caller has looked
    item = value.data.reshape(-1)[0]
    if value.dtype == SCALAR:
        # The shortest decimal that means this float32: 0.1, not 0.10000000149011612.
        number = float(str(item))
        # Of the largest float32 it lies beyond, which not every engine rounds.
        return number if abs(number) <= float(np.finfo(np.float32).max) else float(item)
    return item.item()  # type: ignore[no-any-return]
