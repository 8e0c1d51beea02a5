"""Graphs with their quantization info (``graph.quant``) as operations (5.3, 7.1)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from nnefkit.custom_operations import declarations_in_effect
from nnefkit.errors import Diagnostic, ExecutionError, did_you_mean
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.language import Declaration, declarations, lower
from nnefkit.language.declarations.custom_declarations import declared
from nnefkit.language.declarations.declaration import REQUIRED
from nnefkit.language.types import dtype_of
from nnefkit.operations.kernel_call import call
from nnefkit.operations.quantization_rules import ALGORITHMS, check_quantization
from nnefkit.operations.tensor_introduction import ITEM_TYPES


class Quantized(NamedTuple):
    """A graph with its quantization info converted to operations."""

    graph: Graph
    sources: Mapping[str, str]
    """Name of each input and updated variable that is quantized -> name of the tensor that holds
    its values before that."""


def pseudo_quantized(graph: Graph, *, data: bool = True) -> Quantized:
    """Return a graph that quantizes every tensor with quantization info after it is computed (7.1).

    The quantized tensor has the name of the original tensor, which gets a new name.

    Args:
        graph: Its tensors have quantization info.
        data: Whether the data of variables that no run updates are quantized at once, instead of
            by an operation.

    Raises:
        ExecutionError: No tensor has quantization info; or, all of them at once: an algorithm is
            unknown, lacks an argument, is applied to a tensor that is not scalar, or has arguments
            for which its values are not defined.
    """
    return _Quantizer(graph, data).quantized()


class _Quantizer:
    """Builds the operations and tensors of the quantized graph."""

    def __init__(self, graph: Graph, at_once: bool) -> None:
        self.graph = graph
        self.at_once = at_once
        self.lines = {n: t.quantization for n, t in graph.tensors.items() if t.quantization}
        self.customs = declared(graph.declarations)
        self.known = {**declarations_in_effect(), **self.customs}
        self.changing = updates(graph)
        self.taken = set(graph.tensors)
        self.operations: list[Operation] = []
        self.tensors = dict(graph.tensors)
        self.sources: dict[str, str] = {}

    @cached_property
    def scalar(self) -> np.dtype[Any]:
        """The dtype that scalars are computed in."""
        return scalar_dtype(self.graph)

    def quantized(self) -> Quantized:
        self._check()
        for op in self.graph.operations:
            self._add(op)
        graph = replace(
            self.graph,
            inputs=tuple(self.sources.get(name, name) for name in self.graph.inputs),
            operations=tuple(self.operations),
            tensors=FrozenDict(self.tensors),
        )
        used = {str(line["op-name"]) for line in self.lines.values()}
        fragments = [name for name, d in self.customs.items() if d.body is not None]
        if used.intersection(fragments):
            graph = lower(graph, fragments)
        return Quantized(graph, self.sources)

    def _add(self, op: Operation) -> None:
        """Add an operation, with one that quantizes each of its results that has info."""
        names = [name for name in op.output_names if name in self.lines]
        at_once = self.at_once and op.name == "variable" and names
        if at_once and self._quantize_data(names[0]):
            self.operations.append(op)
            return
        raw = {name: self._renamed(op, name) for name in names}
        self.operations.append(self._with_sources(op, raw))
        for name in names:
            self._quantize(op, name, raw[name])

    # -- one tensor -----------------------------------------------------------------------------

    def _quantize_data(self, name: str) -> bool:
        """Quantize the values of a variable, if they are the same in every run."""
        tensor = self.tensors[name]
        line = self.lines[name]
        if tensor.data is None or name in self.changing or line["op-name"] not in ALGORITHMS:
            return False
        inputs, attribs = self._arguments(line)
        parameters = [
            np.asarray(value, np.int64 if dtype == "integer" else self.scalar)
            for value, dtype in inputs.values()
        ]
        with np.errstate(all="ignore"):
            (data,) = call(line["op-name"], [stored(tensor, self.scalar), *parameters], attribs)
        data = np.broadcast_to(data, tensor.data.shape).astype(self.scalar, copy=False)
        data.flags.writeable = False
        self.tensors[name] = replace(tensor, data=data, quantization=None)
        return True

    def _renamed(self, op: Operation, name: str) -> Identifier:
        """Rename a result of `op`, for its value before it is quantized."""
        tensor = self.tensors[name]
        raw = self._unused(f"{name}_unquantized")
        self.tensors[raw] = replace(tensor, name=raw, quantization=None)
        self.tensors[name] = Tensor(name, tensor.dtype, tensor.shape, origin=tensor.origin)
        if op.name in ("external", "variable"):
            self.sources[name] = raw
        return raw

    def _with_sources(self, op: Operation, raw: Mapping[str, Identifier]) -> Operation:
        outputs, inputs = _replaced(op.outputs, raw), op.inputs
        if op.name == "update":
            # The update is of the variable itself, not of its quantized values.
            variable = str(inputs["variable"])
            source = Identifier(self.sources.get(variable, variable))
            inputs = FrozenDict(dict(inputs) | {"variable": source})
        return replace(op, inputs=inputs, outputs=outputs) if raw or inputs != op.inputs else op

    def _quantize(self, op: Operation, name: str, raw: Identifier) -> None:
        line = self.lines[name]
        declaration = self._declaration(line["op-name"])
        inputs, attribs = self._arguments(line)
        given: dict[str, Any] = {declaration.parameters[0].name: raw}
        for parameter, (value, dtype) in inputs.items():
            given[parameter] = (
                self._constant(f"{name}_{parameter}", value, dtype, op)
                if isinstance(value, list)
                else value
            )
        self.operations.append(
            Operation(
                declaration.name,
                FrozenDict(given),
                FrozenDict({declaration.results[0].name: Identifier(name)}),
                FrozenDict(attribs),
                self.tensors[name].dtype if declaration.generic else None,
                op.scope,
                op.span,
            )
        )

    def _constant(self, base: str, value: list[Any], dtype: str, op: Operation) -> Identifier:
        """Add a constant for the values of a parameter that has one for each channel."""
        constant = self._unused(base)
        data = np.asarray(value, ITEM_TYPES.get(dtype))
        data.flags.writeable = False
        attribs = {"shape": [*data.shape], "value": np.ravel(np.asarray(value)).tolist()}
        output = FrozenDict(output=constant)
        self.operations.append(
            Operation(
                *("constant", FrozenDict(), output, FrozenDict(attribs), dtype, op.scope, op.span)
            )
        )
        self.tensors[constant] = Tensor(constant, dtype, data.shape, data)
        return constant

    def _unused(self, base: str) -> Identifier:
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return Identifier(name)

    # -- algorithms -----------------------------------------------------------------------------

    def _declaration(self, algorithm: str) -> Declaration:
        return declarations()[algorithm] if algorithm in ALGORITHMS else self.known[algorithm]

    def _arguments(
        self, line: Mapping[str, Any]
    ) -> tuple[dict[str, tuple[Any, str]], dict[str, Any]]:
        """Return the tensor arguments of a line, with their data-types, and its attributes."""
        inputs: dict[str, tuple[Any, str]] = {}
        attribs: dict[str, Any] = {}
        for parameter in self._declaration(line["op-name"]).parameters[1:]:
            value = line.get(parameter.name, parameter.default)
            if parameter.is_tensor:
                dtype = dtype_of(parameter.type) or "scalar"
                # Lines created in Python may have integers there.
                whole = dtype == "scalar" and isinstance(value, int)
                inputs[parameter.name] = (float(value) if whole else value, dtype)
            else:
                attribs[parameter.name] = value
        return inputs, attribs

    def _check(self) -> None:
        if not self.lines:
            raise ExecutionError(
                f"graph '{self.graph.name}' has no quantization info to apply",
                hint="It is in the file graph.quant of a model; pass it with a text as "
                "nk.parse(text, quantization).",
                section="5.3",
            )
        problems = [*self._unknown(), *self._unfit()]
        if problems:
            raise ExecutionError(problems)

    def _unknown(self) -> Iterator[Diagnostic]:
        by_algorithm: dict[str, list[str]] = {}
        for name, line in self.lines.items():
            by_algorithm.setdefault(str(line.get("op-name", "")), []).append(name)
        for algorithm, names in by_algorithm.items():
            try:
                self._declaration(algorithm)
            except KeyError:
                yield Diagnostic(
                    "unknown-quantization",
                    f"the quantization algorithm '{algorithm}' of {_listed(names)} is unknown",
                    hint=did_you_mean(algorithm, ALGORITHMS)
                    or f"nk.register_operation('fragment {algorithm}(...) -> (...);', kernel=...) "
                    "defines it.",
                    section="7.1",
                )

    def _unfit(self) -> Iterator[Diagnostic]:
        for name, line in self.lines.items():
            diagnostics = check_quantization(self.graph.tensors[name], computed=True)
            yield from (each for each in diagnostics if each.severity == "error")
            declaration = self.known.get(line["op-name"])
            for parameter in declaration.parameters[1:] if declaration else ():
                if parameter.default is REQUIRED and parameter.name not in line:
                    yield Diagnostic(
                        "missing-argument",
                        f"the quantization of '{name}' by '{line['op-name']}' has no "
                        f"'{parameter.name}'",
                        section="5.3",
                    )


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in list(names)[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _replaced(outputs: Mapping[str, Any], names: Mapping[str, Identifier]) -> FrozenDict:
    def new(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(new(item) for item in value)
        return names.get(value, value)

    return FrozenDict({key: new(value) for key, value in outputs.items()})
