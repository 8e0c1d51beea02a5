"""Differences that single operations of a graph introduce, without those of their inputs.

Small differences grow where a graph subtracts large numbers, divides by small ones or rounds to
codes: two correct implementations may diverge. Each operation is therefore run on the tensors that
the source computed before it, and only its own result is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from nnefkit.arrays import Array, Arrays
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.execution import Step, step
from nnefkit.graph import Graph, Tensor

_ROUNDING = 2.0**-19
"""The rounding of implementations for numbers near 1: 16 units in the last place of float32."""
_FROM_ONE = frozenset(("sigmoid", "tanh", "softmax", "softplus", "elu", "selu", "gelu", "silu"))
"""Functions that are computed from numbers near 1, however small their results are."""
_MOVING = frozenset(("copy", "reshape", "squeeze", "unsqueeze", "transpose", "stack", "unstack"))
_SELECTING = _MOVING | {"slice", "concat", "split", "tile", "gather", "max_pool", "max_reduce"}
"""Operations whose results are elements of their inputs."""


class LocalDifference(NamedTuple):
    """The first difference that an operation introduces."""

    name: str
    """The tensor that differs."""
    difference: float
    """By how much, relative to its largest element."""
    operation: str


def first_local_difference(
    graph: Graph,
    inputs: Arrays,
    expected: Mapping[str, Array],
    name_of: Callable[[Tensor], str],
    tolerance: float,
    bar: ProgressBar,
    *,
    quantized: bool = False,
) -> tuple[LocalDifference | None, set[str]]:
    """Compare each operation, run on the tensors that the source computes before it.

    Args:
        graph: The graph.
        inputs: Its inputs.
        expected: The tensors of the source, by their names there.
        name_of: The name of a tensor in the source.
        tolerance: The largest allowed difference, relative to the largest element of a tensor.
        bar: Counts the operations.
        quantized: Whether tensors are rounded by their quantization info.

    Returns:
        The first difference, or None; and the names of the tensors that were compared.
    """
    compared: set[str] = set()
    scales: dict[str, float] = {}
    counted = {name for operation in graph.computations for name in operation.output_names}
    for run_step in step(graph, inputs, quantized=quantized):
        # Rounding the result of an operation is a step, too.
        bar.update(not counted.isdisjoint(run_step.outputs))
        scale = _scale(run_step, scales)
        for name, array in run_step.outputs.items():
            tensor = graph.tensors.get(name)
            source = None if tensor is None else expected.get(name_of(tensor))
            if source is None or np.shape(source) != array.shape:
                if scale:
                    scales[name] = scale
                continue
            difference = relative_difference(array, np.asarray(source), scale)
            if not difference <= tolerance:
                return LocalDifference(name, difference, run_step.operation.name), compared
            run_step.outputs[name] = source
            compared.add(name)
    return None, compared


def _scale(run_step: Step, scales: Mapping[str, float]) -> float:
    """Return the size of the numbers whose rounding is in the results of an operation.

    Args:
        run_step: The step that runs the operation.
        scales: The sizes for earlier tensors that the source does not have.
    """
    operation = run_step.operation.name
    if operation in _FROM_ONE:
        return 1.0
    given = [scales.get(name, 0.0) for name in run_step.inputs]
    if not any(given):
        return 0.0
    if operation == "mul":
        sizes = [float(np.abs(array).max(initial=0.0)) for array in run_step.inputs.values()]
        return max(scale * max(sizes) for scale in given)
    if operation in ("add", "sub", "add_n"):
        return sum(given)
    return max(given) if operation in _SELECTING else 0.0


def relative_difference(array: Array, expected: Array, scale: float = 0.0) -> float:
    """Return the largest difference of two arrays, relative to the largest element.

    It is infinite if the shapes differ, or if elements that are not finite, or are no numbers, do.

    Args:
        array: An array.
        expected: What it is compared with.
        scale: The size of the numbers that it is computed from, if they may be larger than it:
            differences as small as their rounding count as zero.
    """
    if array.shape != expected.shape or expected.dtype.kind not in "biufV":
        return np.inf
    a, b = array.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return np.inf
    with np.errstate(all="ignore"):
        difference = float(np.abs(a[finite] - b[finite]).max(initial=0.0))
    if difference <= _ROUNDING * scale:
        return 0.0
    largest = float(np.abs(b[finite]).max(initial=0.0))
    return np.inf if np.isnan(difference) or not largest else difference / largest
