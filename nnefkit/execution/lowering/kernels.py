"""Calls of the reference kernels (`nnefkit.operations`) with the arguments of an operation."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from nnefkit.execution.lowering.call_arguments import Function, Literals, attributes, bind
from nnefkit.graph import Graph, Operation
from nnefkit.operations.custom import checked_kernel, definitions, ruled
from nnefkit.operations.registry import KERNELS, SHAPE_RULES


def bind_kernel(graph: Graph, op: Operation, scalar: np.dtype[Any]) -> Function:
    """Return a function of the arrays that `op` reads, in the order of ``op.input_names``.

    Attributes and literals are bound. The function returns an array where the operation has one
    result that is a tensor, else a flat sequence of arrays in the order of ``op.output_names``.

    Args:
        graph: The graph of the operation.
        op: An operation that has a kernel.
        scalar: The dtype of the tensors of data-type scalar.
    """
    custom = None if op.name in KERNELS else definitions()[op.name]
    kernel: Function
    if custom is not None:
        attribs = dict(op.attribs)
        if custom.takes_dtype and op.dtype is not None:
            attribs.setdefault("dtype", op.dtype)
        kernel = checked_kernel(custom, op, graph.tensors, scalar)
    else:
        attribs = attributes(op)
        if op.name == "cast":
            attribs["scalar"] = scalar
        kernel = KERNELS[op.name]
    if op.name in SHAPE_RULES and any(graph.tensors[n].shape is None for n in op.output_names):
        # After an operation without a shape rule, nothing has been checked yet.
        kernel = ruled(op, kernel)
    if attribs:
        kernel = partial(kernel, **attribs)
    return bind(op, kernel, partial(Literals, graph, op, scalar))
