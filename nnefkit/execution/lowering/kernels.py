"""Calls of reference kernels: an operation's arguments brought into the form that they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.operations.custom import checked_kernel, definitions, ruled
from nnefkit.operations.kernel_call import TYPED
from nnefkit.operations.registry import KERNELS, SHAPE_RULES

Function = Callable[..., Any]


def bind(graph: Graph, op: Operation, scalar: np.dtype[Any]) -> Function:
    """A function of the tensors that `op` reads (`op.input_names`) that gives a flat result.

    Literals and attributes are bound. The result is an array where the operation has one result
    that is a tensor, else a flat sequence of arrays in the order of `op.output_names`.
    """
    custom = None if op.name in KERNELS else definitions()[op.name]
    attribs = dict(op.attribs)
    if op.dtype is not None and (op.name in TYPED if custom is None else custom.takes_dtype):
        attribs.setdefault("dtype", op.dtype)
    if op.name == "cast":
        attribs["scalar"] = scalar
    if custom is not None:
        kernel = checked_kernel(custom, op, graph.tensors, scalar)
    else:
        kernel = KERNELS[op.name]
    if op.name in SHAPE_RULES and any(graph.tensors[n].shape is None for n in op.output_names):
        # Behind an operation without a shape rule, nothing was checked yet.
        kernel = ruled(op, kernel)
    if attribs:
        kernel = partial(kernel, **attribs)
    arguments = list(op.inputs.values())
    if not all(isinstance(value, Identifier) for value in arguments):
        kernel = _with_literals(kernel, arguments, _literal_dtype(graph, op, scalar))
    results = list(op.outputs.values())
    if any(isinstance(result, (list, tuple)) for result in results):
        kernel = _flattened(kernel, len(results) == 1)
    return kernel


def _literal_dtype(graph: Graph, op: Operation, scalar: np.dtype[Any]) -> np.dtype[Any] | None:
    """What whole numbers among the arguments become: beside scalars they are scalars too."""
    names = (*op.input_names, *op.output_names)
    return scalar if any(graph.tensors[name].dtype == "scalar" for name in names) else None


def _with_literals(
    kernel: Function, arguments: Sequence[Any], number: np.dtype[Any] | None
) -> Function:
    # The arguments with None for each tensor, and where the tensors go.
    template: list[Any] = []
    places: list[tuple[int, int | None]] = []
    for i, value in enumerate(arguments):
        if isinstance(value, (list, tuple)):
            items = [None if isinstance(v, Identifier) else _literal(v, number) for v in value]
            places += [(i, j) for j, item in enumerate(items) if item is None]
            template.append(items)
        elif isinstance(value, Identifier):
            places.append((i, None))
            template.append(None)
        else:
            template.append(_literal(value, number))

    def call(*arrays: Array) -> Any:
        filled = [list(item) if isinstance(item, list) else item for item in template]
        for (i, j), array in zip(places, arrays, strict=True):
            if j is None:
                filled[i] = array
            else:
                filled[i][j] = array
        return kernel(*filled)

    return call


def _literal(value: Any, number: np.dtype[Any] | None) -> Array:
    if isinstance(value, bool):
        return np.asarray(value)
    if isinstance(value, (int, float)) and number is not None:
        return np.asarray(value, number)
    return np.asarray(value)


def _flattened(kernel: Function, single: bool) -> Function:
    def call(*arrays: Array) -> list[Array]:
        result = kernel(*arrays)
        if single:
            return list(result)
        flat: list[Array] = []
        for item in result:
            flat.extend(item if isinstance(item, (list, tuple)) else (item,))
        return flat

    return call
