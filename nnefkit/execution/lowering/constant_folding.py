"""Operations on weights alone, computed once, for engines that would compute them in each run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.lowering.kernels import bind_kernel
from nnefkit.execution.lowering.schedule import make_schedule
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation
from nnefkit.operations.registry import KERNELS


def folded(graph: Graph, outputs: Collection[str]) -> Graph:
    """Return a graph with variables in place of the operations on weights alone.

    Weights that are only moved (`transpose`, `squeeze`, `unsqueeze`, `copy`) stay operations.

    Args:
        graph: Its shapes are known, and its variables have values.
        outputs: What is computed.

    Raises:
        NnefError: An operation fails.
    """
    schedule = make_schedule(graph, outputs)
    computing = [op for op in schedule.constant if op.name in KERNELS and op.name not in _MOVING]
    if not computing:
        return graph
    scalar = scalar_dtype(graph)
    values: dict[str, Array] = {}
    for op in schedule.weights:
        for name in op.output_names:
            values[name] = stored(graph.tensors[name], scalar)
    for op in schedule.constant:
        if op.name in KERNELS:
            results = bind_kernel(graph, op, scalar)(*[values[name] for name in op.input_names])
            many = results if isinstance(results, (list, tuple)) else [results]
            values |= zip(op.output_names, map(np.asarray, many), strict=True)
    replaced = {id(op): op for op in computing}
    tensors = dict(graph.tensors)
    operations: list[Operation] = []
    for op in graph.operations:
        if id(op) not in replaced:
            operations.append(op)
            continue
        for name in op.output_names:
            data = np.array(values[name])
            data.flags.writeable = False
            label = f"folded/{name}"
            tensors[name] = replace(tensors[name], data=data, label=label)
            attribs = FrozenDict({"shape": [*data.shape], "label": label})
            outputs_of = FrozenDict({"output": Identifier(name)})
            operations.append(
                Operation("variable", FrozenDict(), outputs_of, attribs, tensors[name].dtype)
            )
    return replace(graph, operations=tuple(operations), tensors=FrozenDict(tensors))


_MOVING = frozenset(("transpose", "squeeze", "unsqueeze", "copy"))
