"""Arithmetic of integers in 64 bits, where a graph casts them to scalars to compute with them.

NNEF computes with scalars only: a remainder of integers is a cast to scalars, a division, a
product, a difference and a cast back (4.5.8). The specification means real numbers, but engines
compute scalars in float32, which represents every integer only up to 2^24. Where integers stay
integers until they become integers or logicals again, engines compute with the integers themselves:
each scalar tensor on the way gets a twin of data-type integer. Sums, products and powers wrap
around at 64 bits, as in NumPy, PyTorch and ONNX Runtime. `div` of integers is the quotient rounded
down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor

SUFFIX = ".integer"
"""End of the names of twins; no identifier of a document has a dot."""

_ROUNDING = frozenset(("floor", "ceil", "round", "copy"))
_MOVING = frozenset(
    ("reshape", "squeeze", "unsqueeze", "transpose", "slice", "tile", "concat", "stack", "split")
).union(("unstack", "gather", "select", "copy_n"))
_PLAIN = _MOVING.union(("neg", "abs", "sign", "add", "sub", "mul", "min", "max", "add_n"))
_PLAIN = _PLAIN.union(("max_reduce", "min_reduce", "matmul"))
ARITHMETIC = (
    _PLAIN.difference(_MOVING)
    .union(("div", "lt", "gt", "le", "ge", "eq", "ne"))
    .union(("argmax_reduce", "argmin_reduce", "sum_reduce"))
)
"""Operations that the standard defines for scalars only, and that integers are computed by."""
_COMPARISONS = frozenset(("lt", "gt", "le", "ge", "eq", "ne"))
_CHOICES = frozenset(("argmax_reduce", "argmin_reduce"))
_APART = frozenset(("condition", "indices"))
"""Inputs that are not numbers to compute with."""
_MAX_EXPONENT = 64
_LIMIT = 2.0**63


def with_integer_arithmetic(graph: Graph) -> Graph:
    """Return `graph` with the arithmetic of integers done in integers.

    All tensors keep their names and data types. A graph without such arithmetic is returned as it
    is.

    Args:
        graph: Without calls of fragments; all its shapes are known.
    """
    whole = _WholeNumbers(graph)
    if not any(whole.wide.values()):
        return graph
    demanded = whole.demanded()
    return _Twins(graph, whole, demanded).graph() if demanded is not None else graph


def rounded_integers(graph: Graph) -> frozenset[str]:
    """Return the scalar tensors whose values `with_integer_arithmetic` computes as integers."""
    return frozenset(_WholeNumbers(graph).demanded() or ())


class _WholeNumbers:
    """The scalar tensors of a graph that are whole numbers, since they come from integers."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._updated = updates(graph)
        self._constants: dict[str, bool] = {}
        self.wide: dict[str, bool] = {}
        """Name -> whether integers are among its sources, not only logicals."""
        self.quotients: dict[str, Operation] = {}
        """Name of a quotient of whole numbers -> its division."""
        for op in graph.operations:
            if not op.is_source:
                self._enter(op)

    def _enter(self, op: Operation) -> None:
        tensors = self._graph.tensors
        if op.name == "cast":
            source = tensors.get(str(op.inputs["input"]))
            if op.dtype == "scalar" and source is not None and source.dtype != "scalar":
                self.wide[op.output_names[0]] = source.dtype == "integer"
            return
        if op.name == "div" and self.holds(op):
            self.quotients[op.output_names[0]] = op
        elif is_closed(op) and self.holds(op, rounding=op.name in ("floor", "ceil")):
            wide = self._is_wide(op)
            self.wide.update((name, wide) for name in op.output_names)

    def holds(self, op: Operation, *, rounding: bool = False) -> bool:
        """Return whether all operands are whole numbers, and one is not constant."""
        operands = [*operands_of(op)]
        names = [value for value in operands if isinstance(value, Identifier)]
        if rounding and names and names[0] in self.quotients:
            return True
        return any(name in self.wide for name in names) and all(map(self.is_whole, operands))

    def is_whole(self, value: Any) -> bool:
        """Return whether an operand is a whole number of at most 64 bits."""
        if isinstance(value, Identifier):
            return value in self.wide or self._is_whole_constant(value)
        if isinstance(value, float):
            return value.is_integer() and -_LIMIT <= value < _LIMIT
        return isinstance(value, int) and not isinstance(value, bool)

    def _is_whole_constant(self, name: str) -> bool:
        if name not in self._constants:
            data = self._graph.tensors[name].data
            known = data is not None and name not in self._updated and data.dtype.kind == "f"
            self._constants[name] = known and _is_whole_array(data)
        return self._constants[name]

    def _is_wide(self, op: Operation) -> bool:
        names = [value for value in operands_of(op) if isinstance(value, Identifier)]
        if names and names[0] in self.quotients:
            return self._is_wide(self.quotients[names[0]])
        return any(self.wide.get(name, False) for name in names)

    def is_end(self, op: Operation) -> bool:
        """Return whether an operation makes integers or logicals of whole numbers."""
        names = [value for value in operands_of(op) if isinstance(value, Identifier)]
        if op.name == "cast":
            if names and names[0] in self.quotients:
                return op.dtype == "integer" and self._is_wide(op)
            return op.dtype in ("integer", "logical") and self._is_wide(op)
        known = op.name in _CHOICES or op.name in _COMPARISONS
        return known and self.holds(op) and self._is_wide(op)

    def demanded(self) -> set[str] | None:
        """Return the whole numbers that integers and logicals depend on; None if none do."""
        names: set[str] = set()
        found = False
        for op in reversed(self._graph.operations):
            if self.is_end(op):
                found = True
            elif names.isdisjoint(op.output_names):
                continue
            for value in operands_of(op):
                if value in self.quotients:
                    names.update(map(str, operands_of(self.quotients[value])))
                elif isinstance(value, Identifier):
                    names.add(value)
        return names.intersection(self.wide) if found else None


def is_closed(op: Operation) -> bool:
    """Return whether an operation on whole numbers has whole numbers as its results."""
    if op.name == "sum_reduce":
        return not op.attribs["normalize"]
    if op.name == "pad":
        return op.attribs["border"] == "constant" and float(op.attribs["value"]).is_integer()
    if op.name == "pow":
        exponent = op.inputs["y"]
        is_number = isinstance(exponent, (int, float)) and not isinstance(exponent, bool)
        return is_number and float(exponent).is_integer() and 1 <= exponent <= _MAX_EXPONENT
    return op.name in _PLAIN or op.name in _ROUNDING or op.name in _FORMULAS


def operands_of(op: Operation) -> Iterator[Any]:
    """Yield the tensors and literals that an operation computes with."""
    for name, value in op.inputs.items():
        if name not in _APART:
            yield from value if isinstance(value, (list, tuple)) else (value,)


def _is_whole_array(data: Any) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.all((np.floor(data) == data) & (np.abs(data) < _LIMIT)))


# -- twins ----------------------------------------------------------------------------------------


class _Twins:
    """The operations of a graph with those on integers in place of those on whole numbers."""

    def __init__(self, graph: Graph, whole: _WholeNumbers, demanded: set[str]) -> None:
        self._graph = graph
        self._whole = whole
        self._demanded = demanded
        self._twins: dict[str, Identifier] = {}
        self._operations: list[Operation] = []
        self._tensors = dict(graph.tensors)

    def graph(self) -> Graph:
        """Return the graph."""
        for op in self._graph.operations:
            if self._whole.is_end(op):
                self._operations.append(self._end(op))
            elif self._demanded.isdisjoint(op.output_names):
                self._operations.append(op)
            elif op.name == "cast":
                self._from_cast(op)
            else:
                self._compute(op)
        tensors = FrozenDict(self._tensors)
        return replace(self._graph, operations=tuple(self._operations), tensors=tensors)

    def _from_cast(self, op: Operation) -> None:
        """Take the integers themselves as the twin of their cast to scalars."""
        self._operations.append(op)
        name, source = op.output_names[0], op.inputs["input"]
        if self._graph.tensors[source].dtype != "integer":
            source = self.add("cast", self._twin_of(name), {"input": source}, op.scope)
        self._twins[name] = source

    def _compute(self, op: Operation) -> None:
        """Add the operation on twins; the scalars are cast from its results."""
        formula = _FORMULAS.get(op.name)
        quotient = self._whole.quotients.get(str(next(operands_of(op))))
        if quotient is not None:
            x, y = (self._operand(value, op) for value in operands_of(quotient))
            (_floor if op.name == "floor" else _ceil)(self, self._twin_of(op.output_names[0]), x, y)
        elif formula is not None:
            formula(
                self,
                self._twin_of(op.output_names[0]),
                *(self._operand(value, op) for value in operands_of(op)),
            )
        else:
            self._add_plain(op)
        for name in op.output_names:
            self._twins[name] = Identifier(name + SUFFIX)
            self._operations.append(
                replace(
                    op,
                    name="cast",
                    inputs=FrozenDict(input=self._twins[name]),
                    outputs=FrozenDict(output=Identifier(name)),
                    attribs=FrozenDict(),
                    dtype="scalar",
                )
            )

    def _add_plain(self, op: Operation) -> None:
        outputs = {
            name: [*map(self._twin_of, value)]
            if isinstance(value, (list, tuple))
            else self._twin_of(value)
            for name, value in op.outputs.items()
        }
        attribs = dict(op.attribs)
        if op.name == "pad":
            attribs["value"] = int(attribs["value"])
        self._operations.append(
            replace(
                op,
                name="copy" if op.name in _ROUNDING else op.name,
                inputs=FrozenDict(self._inputs(op)),
                outputs=FrozenDict(outputs),
                attribs=FrozenDict(attribs),
                dtype="integer" if op.dtype is not None or op.name in _ROUNDING else None,
            )
        )

    def _end(self, op: Operation) -> Operation:
        quotient = self._whole.quotients.get(str(next(operands_of(op))))
        if op.name == "cast" and quotient is not None and op.dtype == "integer":
            inputs = {n: self._operand(v, op) for n, v in quotient.inputs.items()}
            return replace(
                op, name="div", inputs=FrozenDict(inputs), attribs=FrozenDict(), dtype=None
            )
        return replace(op, inputs=FrozenDict(self._inputs(op)))

    def _inputs(self, op: Operation) -> dict[str, Any]:
        return {
            name: value
            if name in _APART
            else [self._operand(item, op) for item in value]
            if isinstance(value, (list, tuple))
            else self._operand(value, op)
            for name, value in op.inputs.items()
        }

    def _operand(self, value: Any, op: Operation) -> Any:
        """Return the twin of an operand."""
        if not isinstance(value, Identifier):
            return int(value)
        if value not in self._twins:
            tensor = self._graph.tensors[value]
            assert tensor.data is not None  # noqa: S101  # it is a constant
            name = self._twin_of(value)
            data = tensor.data.astype(np.int64)
            data.flags.writeable = False
            self._tensors[name] = replace(self._tensors[name], data=data)
            attribs = FrozenDict(shape=[*data.shape], value=[])
            outputs = FrozenDict(output=name)
            constant = Operation("constant", FrozenDict(), outputs, attribs, "integer", op.scope)
            self._operations.append(constant)
            self._twins[value] = name
        return self._twins[value]

    def _twin_of(self, name: str) -> Identifier:
        """Return the name of a new twin."""
        return self.tensor(name + SUFFIX, self._graph.tensors[name].shape)

    def tensor(self, name: str, shape: Sequence[int] | None, dtype: str = "integer") -> Identifier:
        """Return the name of a new tensor."""
        self._tensors[name] = Tensor(name, dtype, None if shape is None else tuple(shape))
        return Identifier(name)

    def shape(self, value: Any) -> tuple[int, ...] | None:
        """Return the shape of an operand."""
        return self._tensors[value].shape if isinstance(value, Identifier) else ()

    def add(
        self,
        name: str,
        result: Identifier,
        inputs: dict[str, Any],
        scope: tuple[str, ...] = (),
        **attribs: Any,
    ) -> Identifier:
        """Add an operation on integers."""
        formal = {"cast": "output", "matmul": "C"}.get(name, "z" if len(inputs) > 1 else "y")
        outputs = FrozenDict({formal: result})
        dtype = "integer" if name == "cast" else None
        self._operations.append(
            Operation(name, FrozenDict(inputs), outputs, FrozenDict(attribs), dtype, scope)
        )
        return result


def _floor(twins: _Twins, result: Identifier, x: Any, y: Any) -> None:
    twins.add("div", result, {"x": x, "y": y})


def _ceil(twins: _Twins, result: Identifier, x: Any, y: Any) -> None:
    """Add the quotient rounded down, and 1 where it is not exact."""
    shape = twins.shape(result)
    quotient, product, more = (
        twins.tensor(f"{result}.{part}", shape) for part in ("quotient", "product", "more")
    )
    inexact = twins.tensor(f"{result}.inexact", shape, "logical")
    twins.add("div", quotient, {"x": x, "y": y})
    twins.add("mul", product, {"x": quotient, "y": y})
    twins.add("ne", inexact, {"x": product, "y": x})
    twins.add("cast", more, {"input": inexact})
    twins.add("add", result, {"x": quotient, "y": more})


def _square(twins: _Twins, result: Identifier, x: Any) -> None:
    twins.add("mul", result, {"x": x, "y": x})


def _rectified(twins: _Twins, result: Identifier, x: Any) -> None:
    twins.add("max", result, {"x": x, "y": 0})


def _clamp(twins: _Twins, result: Identifier, x: Any, low: Any, high: Any) -> None:
    """Add ``max(min(x, high), low)`` (4.2.4)."""
    below = twins.tensor(f"{result}.below", twins.shape(result))
    twins.add("min", below, {"x": x, "y": high})
    twins.add("max", result, {"x": below, "y": low})


def _power(twins: _Twins, result: Identifier, x: Any, exponent: int) -> None:
    """Add products, one for each bit of the exponent and one more for each that is 1."""
    if exponent == 1:
        twins.add("copy", result, {"x": x})
    power = x
    digits = f"{exponent:b}"[1:]
    for number, digit in enumerate(digits):
        is_last = number == len(digits) - 1
        shape = twins.shape(x)
        square = result if is_last and digit == "0" else twins.tensor(f"{result}.{number}", shape)
        power = twins.add("mul", square, {"x": power, "y": power})
        if digit == "1":
            product = result if is_last else twins.tensor(f"{result}.{number}x", shape)
            power = twins.add("mul", product, {"x": power, "y": x})


def _linear(twins: _Twins, result: Identifier, x: Any, matrix: Any, bias: Any) -> None:
    """Add ``matmul(x, matrix, transposeB = true) + bias`` (4.9.2)."""
    product = twins.tensor(f"{result}.product", twins.shape(result))
    twins.add("matmul", product, {"A": x, "B": matrix}, transposeA=False, transposeB=True)
    twins.add("add", result, {"x": product, "y": bias})


_FORMULAS: dict[str, Callable[..., None]] = {
    "sqr": _square,
    "relu": _rectified,
    "clamp": _clamp,
    "pow": _power,
    "linear": _linear,
}
"""Operations that are several operations on integers, or one of another name."""
