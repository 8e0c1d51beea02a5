"""Graphs under construction, which readers of other formats build operation by operation.

When an operation is added, its shapes are inferred, and results that depend on constants only are
computed. `emission` turns the source graph into a `Graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit import language
from nnefkit.arrays import Array, Shape
from nnefkit.errors import NO_EMPTY_TENSORS, ArgumentError
from nnefkit.exchange.fragments import fragments
from nnefkit.exchange.literals import check_attributes, has_no_literal
from nnefkit.exchange.names import Names, identifier, label
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import (
    INTEGER,
    LOGICAL,
    SCALAR,
    Argument,
    DType,
    Value,
    data_type_of,
    values_in,
)
from nnefkit.exchange.weight_names import WeightNames
from nnefkit.graph.not_finite import constant_name
from nnefkit.language.declarations.declaration import Declaration
from nnefkit.operations import registry

_FORMS = {
    "transpose": "transposed",
    "flip": "flipped",
    "gates": "reordered",
    "scale": "scaled",
    "slice": "part",
    "expand": "repeated",
    "repeat": "repeated",
}
"""Derivation -> the word that the name of a weight gets by it."""


@dataclass(eq=False)
class PendingOperation:
    """An operation whose tensors may not be named yet."""

    name: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    attribs: Mapping[str, Any]
    data_type: str | None
    """The data type that replaces the generic type of the operation."""
    scope: tuple[Any, ...] = ()

    @property
    def arguments(self) -> list[Value]:
        """The tensors that it reads."""
        return values_in([*self.inputs.values()])

    @property
    def results(self) -> list[Value]:
        """The tensors that it computes."""
        return values_in([*self.outputs.values()])


@dataclass(eq=False)
class _OperationGroup:
    """A named group of operations; it is labeled with the last tensor that it computes."""

    name: str
    result: Value | None = field(default=None)

    def __str__(self) -> str:
        return f"{self.name}:{self.result.name}" if self.result else self.name


@dataclass(eq=False)
class UpdatedVariable:
    """A variable that a run changes, with its label and its initial data."""

    value: Value
    label: str
    data: Array
    result: Value | None = None
    """The result of the `update` of the variable."""


class SourceGraph:
    """The operations of a graph under construction."""

    def __init__(self) -> None:
        self.declarations = language.declarations()
        self.names = Names()
        self.labels = Names(fold_case=True)
        self.weights = WeightNames()
        self.operations: list[PendingOperation] = []
        self.externals: list[Value] = []
        self.states: list[UpdatedVariable] = []
        self.notes: dict[str, Any] = {}
        """Notes of readers about values."""
        self.derivations: dict[tuple[int, Hashable], tuple[Value, Value]] = {}
        """(id of a constant, derivation) -> the constant (to keep it alive) and the new one."""
        self._shared: dict[str, Value] = {}
        self._scope: tuple[_OperationGroup, ...] = ()
        self._fresh: list[Value] = []

    # -- tensors that no operation computes ---------------------------------------------------

    def external(self, name: str, shape: Shape, dtype: DType) -> Value:
        """Add an input of the graph."""
        value = Value(shape, dtype, self.names.unused(identifier(name)), origin=name)
        self.externals.append(value)
        return value

    def constant(self, data: Any, dtype: Any = None, name: str = "") -> Value:
        """Return a constant; `name` is the stem of its label."""
        array = np.asarray(data, dtype)
        return Value(array.shape, array.dtype, name, array)

    def weight(self, data: Array, name: str, dtype: DType | None = None) -> Value:
        """Return the constant for a tensor that the source stores under a name."""
        value = Value(data.shape, dtype or data.dtype, name, data)
        value.sources, value.whole = frozenset([name]), True
        return value

    def derived(
        self, source: Value, how: Hashable, make: Callable[[Array], Array], name: str = ""
    ) -> Value:
        """Return a constant computed from another one; it is computed and stored only once.

        Args:
            source: The constant that it is computed from.
            how: Distinguishes it from others that are computed from the same constant.
            make: Computes its elements from those of the source.
            name: The stem of its label; that of the source by default.
        """
        key = (id(source), how)
        if key not in self.derivations:
            assert source.data is not None  # noqa: S101 - it is a constant
            made = self.constant(make(source.data), name=name or source.name)
            made.filler, made.sources = source.filler, source.sources
            form = how[0] if isinstance(how, tuple) else how
            made.whole = source.whole and form == "reshape"
            made.coded = source.coded and form in ("reshape", "transpose")
            if made.name in made.sources and form != "reshape":
                made.name += f"_{_FORMS.get(str(form), form)}"
            self.derivations[key] = (source, made)
        return self.derivations[key][1]

    def shared(self, name: str, make: Callable[[], Array]) -> Value:
        """Return the constant of that name; it is computed on first use."""
        if name not in self._shared:
            self._shared[name] = self.constant(make(), name=name)
        return self._shared[name]

    def not_finite(self, number: float, dtype: DType) -> Value:
        """Return the constant for an infinity or NaN."""
        name = constant_name(number, 8 * dtype.itemsize)
        return self.shared(name, lambda: np.asarray(number, dtype))

    def state(self, name: str, data: Array) -> Value:
        """Add a variable that a run changes, and that starts with `data` (4.8)."""
        value = Value(data.shape, data.dtype, self.names.unused(identifier(name)), origin=name)
        self.states.append(UpdatedVariable(value, self.labels.unused(label(name)), data.copy()))
        return value

    def update(self, variable: Value, value: Value) -> None:
        """Assign `value` to a variable at the end of each run."""
        result = self.op("update", variable, value)
        self.name_results([result], [f"{variable.name}_next"])
        state = next(state for state in self.states if state.value is variable)
        state.result = result

    # -- operations ---------------------------------------------------------------------------

    def op(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> Value:
        """Call an operation with one result.

        Args:
            name: The name of the operation.
            *inputs: Tensors and literals; inputs left out at the end take their defaults.
            data_type: The generic data type; by default that of the first input.
            **attribs: The attributes that differ from their defaults.

        Returns:
            The result.

        Raises:
            ArgumentError: The rules of the operation do not allow the arguments.
        """
        (result,) = self.ops(name, *inputs, data_type=data_type, **attribs)
        return result

    def ops(
        self, name: str, *inputs: Argument, data_type: str | None = None, **attribs: Any
    ) -> list[Value]:
        """Call an operation with several results, or with an array of them; see `op`."""
        declaration = self.declarations[name]
        inputs = self._with_constants(inputs)
        check_attributes(name, attribs)
        given = dict(zip((n for n, _, _ in declaration.inputs), inputs, strict=False))
        arguments = {n: given.get(n, default) for n, _, default in declaration.inputs}
        filled = {n: attribs.get(n, default) for n, _, default in declaration.attributes}
        dtypes = [value.dtype for value in values_in(inputs)]
        if declaration.generic and data_type is None:
            data_type = _chosen_type(inputs) if name == "select" else data_type_of(dtypes[0])
        shapes = registry.SHAPE_RULES[name](*map(_shape, arguments.values()), **filled)
        outputs = self._outputs(declaration, shapes, data_type, dtypes)
        generic = data_type if declaration.generic else None
        operation = PendingOperation(name, arguments, outputs, filled, generic, self._scope)
        self._add(operation)
        return operation.results

    def _add(self, operation: PendingOperation) -> None:
        """Add an operation, unless its results are constants."""
        _check_types(self.declarations[operation.name], operation.inputs, operation.data_type or "")
        operands = operation.arguments
        if operands and all(value.data is not None for value in operands):
            _fold(operation)
        elif all(0 in value.shape for value in operation.results):
            # Concatenations leave it out.
            for value in operation.results:
                value.data = np.zeros(value.shape, value.dtype)
        elif any(0 in value.shape for value in operands):
            raise ArgumentError(
                f"an argument of '{operation.name}' is empty",
                arguments=[""],
                hint=NO_EMPTY_TENSORS,
                section="4.1.1",
            )
        else:
            self.operations.append(operation)

    def fragment(
        self,
        name: str,
        inputs: Sequence[Argument],
        shapes: Sequence[Sequence[int]],
        /,
        **attribs: Any,
    ) -> list[Value]:
        """Call a fragment of ``fragments.nnef``.

        Args:
            name: The name of the fragment.
            inputs: All of its tensors, as values or literals.
            shapes: The shapes of its results.
            **attribs: All of its attributes.
        """
        declaration = fragments()[name]
        inputs = self._with_constants(inputs)
        check_attributes(name, attribs)
        arguments = dict(zip((n for n, _, _ in declaration.inputs), inputs, strict=True))
        _check_types(declaration, arguments, "")
        scalar = _scalar_dtype([value.dtype for value in values_in(inputs)])
        dtypes = {"tensor<integer>": _DEFAULT_DTYPES[INTEGER]}
        results = [
            self._result(shape, dtypes.get(str(result.type), scalar))
            for shape, result in zip(shapes, declaration.results, strict=True)
        ]
        outputs = dict(zip((r.name for r in declaration.results), results, strict=True))
        self.operations.append(
            PendingOperation(name, arguments, outputs, attribs, None, self._scope)
        )
        return results

    def cast(self, value: Value) -> Value:
        """Cast integers to scalars at run time, which may round them."""
        result = self._result(value.shape, _DEFAULT_DTYPES[SCALAR])
        operation = PendingOperation(
            "cast", {"input": value}, {"output": result}, {}, SCALAR, self._scope
        )
        self.operations.append(operation)
        return result

    def copy(self, value: Value, name: str) -> Value:
        """Return a copy, named `name`, of an input, a constant or another tensor."""
        result = self._result(value.shape, value.dtype)
        operation = PendingOperation("copy", {"x": value}, {"y": result}, {}, value.data_type)
        self.operations.append(operation)
        self.name_results([result], [name])
        return result

    def _with_constants(self, inputs: Sequence[Argument]) -> tuple[Argument, ...]:
        """Return inputs with constants for the numbers that have no literals."""
        if not any(map(has_no_literal, inputs)):
            return tuple(inputs)
        dtype = _scalar_dtype([value.dtype for value in values_in(inputs)])
        return tuple(self.not_finite(x, dtype) if has_no_literal(x) else x for x in inputs)

    def _outputs(
        self,
        declaration: Declaration,
        shapes: Any,
        data_type: str | None,
        dtypes: Sequence[DType],
    ) -> dict[str, Any]:
        each = (shapes,) if len(declaration.results) == 1 else shapes
        outputs: dict[str, Any] = {}
        for result, shape in zip(declaration.results, each, strict=True):
            dtype = _result_dtype(declaration.name, result.name, data_type, dtypes)
            if isinstance(shape, list):
                outputs[result.name] = [self._result(one, dtype) for one in shape]
            else:
                outputs[result.name] = self._result(shape, dtype)
        return outputs

    def _result(self, shape: Sequence[int], dtype: DType) -> Value:
        value = Value(tuple(map(int, shape)), dtype)
        self._fresh.append(value)
        return value

    # -- names --------------------------------------------------------------------------------

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Mark the operations called inside as parts of one compound operation."""
        outer, first = self._scope, len(self._fresh)
        inner = _OperationGroup(name)
        self._scope = (*outer, inner)
        try:
            yield
        finally:
            self._scope = outer
            made = self._fresh[first:]
            inner.result = made[-1] if made else None

    def name_results(self, results: Sequence[object], names: Sequence[str]) -> None:
        """Give the results of an operator their names in the source, and the rest derived names."""
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

    # -- dependencies -------------------------------------------------------------------------

    def needed(self, values: Sequence[Value]) -> list[PendingOperation]:
        """Return the operations that `values` depend on, in order."""
        wanted = {id(value) for value in values}
        needed = []
        for operation in reversed(self.operations):
            if any(id(result) in wanted for result in operation.results):
                needed.append(operation)
                wanted.update(id(argument) for argument in operation.arguments)
        return needed[::-1]

    def sources(self, value: Value) -> list[Value]:
        """Return the inputs of the graph that a value depends on."""
        read = {id(argument) for one in self.needed([value]) for argument in one.arguments}
        return [one for one in self.externals if id(one) in read or one is value]


def _check_types(declaration: Declaration, arguments: Mapping[str, Any], generic: str) -> None:
    """Refuse tensors whose data types are not those that an operation or a fragment takes."""
    for name, argument in arguments.items():
        declared = str(declaration.by_name[name].type).removesuffix("[]")
        wanted = generic if declared == "tensor<?>" else declared[len("tensor<") : -1]
        for value in values_in([argument]):
            if wanted and value.data_type != wanted:
                refuse(
                    f"'{name}' of '{declaration.name}' must be {wanted}, "
                    f"but its input is {value.data_type}",
                    "Cast it to float32." if wanted == SCALAR else "",
                )


def _shape(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.shape
    return [_shape(item) for item in argument] if isinstance(argument, (list, tuple)) else ()


def _fold(operation: PendingOperation) -> None:
    """Compute the results of an operation whose inputs are constants."""
    name, arguments = operation.name, [*operation.inputs.values()]
    typed = {"dtype": operation.data_type} if name == "cast" else {}
    dtypes = [value.dtype for value in values_in(arguments) if value.data_type == SCALAR]
    scalar = dtypes[0] if dtypes else np.dtype(np.float32)
    arrays = [_array(argument, scalar) for argument in arguments]
    computed = registry.KERNELS[name](*arrays, **operation.attribs, **typed)
    outputs = [*operation.outputs.values()]
    sources = frozenset().union(*(value.sources for value in operation.arguments))
    for output, data in zip(outputs, (computed,) if len(outputs) == 1 else computed, strict=True):
        values, parts = (output, data) if isinstance(output, list) else ([output], [data])
        for value, part in zip(values, parts, strict=True):
            value.data, value.sources = np.asarray(part), sources
            if data_type_of(value.data.dtype) == data_type_of(value.dtype):
                value.dtype = value.data.dtype


def _array(argument: Any, scalar: DType) -> Any:
    if isinstance(argument, (list, tuple)):
        return [_array(item, scalar) for item in argument]
    if isinstance(argument, Value):
        return argument.data
    return np.asarray(argument, scalar if isinstance(argument, float) else None)


_LOGICAL = frozenset(("lt", "gt", "le", "ge", "eq", "ne", "and", "or", "not")).union(
    ("all_reduce", "any_reduce")
)
_POSITIONS = frozenset(("argmax_reduce", "argmin_reduce", "argmax_pool"))
_DEFAULT_DTYPES: Mapping[str, DType] = {
    SCALAR: np.dtype(np.float32),
    INTEGER: np.dtype(np.int64),
    LOGICAL: np.dtype(np.bool_),
}


def _chosen_type(inputs: Sequence[Argument]) -> str:
    """Return the data type of the tensors or literals that `select` chooses from."""
    chosen = inputs[1:]
    first = next((x for x in chosen if isinstance(x, Value)), chosen[0])
    return data_type_of(first.dtype if isinstance(first, Value) else np.asarray(first).dtype)


def _result_dtype(name: str, result: str, data_type: str | None, dtypes: Sequence[DType]) -> DType:
    if data_type is not None:
        same = [dtype for dtype in dtypes if data_type_of(dtype) == data_type]
        return same[0] if same else _DEFAULT_DTYPES[data_type]
    if name in _LOGICAL:
        return _DEFAULT_DTYPES[LOGICAL]
    if result == "index" or name in _POSITIONS:
        return _DEFAULT_DTYPES[INTEGER]
    return _scalar_dtype(dtypes)


def _scalar_dtype(dtypes: Sequence[DType]) -> DType:
    return next((dtype for dtype in dtypes if dtype.kind == "f"), _DEFAULT_DTYPES[SCALAR])
