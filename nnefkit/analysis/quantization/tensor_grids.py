"""The grids of the tensors of a graph: of activations, filters, biases and other weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from nnefkit.analysis.quantization.histogram import ValueHistogram
from nnefkit.analysis.quantization.plan import Bias, QuantizationPlan
from nnefkit.analysis.quantization.ranges import activation_grid, weight_grid
from nnefkit.analysis.quantization.settings import QuantizationSettings
from nnefkit.arrays import Array
from nnefkit.errors import InputError
from nnefkit.execution import Session
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.graph import FrozenDict, Graph
from nnefkit.operations.quantization_grid import QuantizationGrid

BIAS_BITS = 32


def tensor_grids(
    graph: Graph,
    plan: QuantizationPlan,
    histograms: Mapping[str, ValueHistogram],
    settings: QuantizationSettings,
) -> dict[str, QuantizationGrid]:
    """Return the grids of all tensors of a plan, after the calibration.

    Tensors that turn out to have none are moved to ``plan.left``.

    Raises:
        InputError: Weights have NaN or infinite values.
    """
    grids: dict[str, QuantizationGrid] = {}
    for group in plan.groups:
        values = ValueHistogram()
        for name in group:
            if name in histograms:
                values.merge(histograms[name])
        if not values.count:
            plan.left.update((name, "it has no elements") for name in group)
            continue
        grid = activation_grid(
            values,
            settings.method,
            settings.bits,
            symmetric=settings.is_symmetric("activation"),
            percentile=settings.percentile,
        )
        # The one code that has no counterpart is free for values beyond the range, as in ONNX.
        grid = replace(grid, symmetric=False)
        grids.update((name, grid) for name in group)
    grids |= _weight_grids(graph, plan, grids, settings)
    return grids


def _weight_grids(
    graph: Graph,
    plan: QuantizationPlan,
    activations: Mapping[str, QuantizationGrid],
    settings: QuantizationSettings,
) -> dict[str, QuantizationGrid]:
    """Return the grids of all weights; those of biases follow from filters and inputs."""
    values = weight_values(graph, plan.weights)
    grids: dict[str, QuantizationGrid] = {}
    symmetric = settings.is_symmetric("weight")
    axes = {
        name: each.axis if settings.per_channel else None for name, each in plan.filters.items()
    }
    for name in [*plan.filters, *plan.operands]:
        if values[name].size:
            axis = axes.get(name)
            grids[name] = weight_grid(
                values[name], axis, settings.method, settings.bits, symmetric=symmetric
            )
        else:
            plan.left[name] = "it has no elements"
    for name, bias in [*plan.biases.items()]:
        if bias.input not in activations or bias.filter.name not in grids:
            plan.left[name] = "the input or the filter of its layer is in floating point"
            del plan.biases[name]
            continue
        if values[name].size != grids[bias.filter.name].scale.size > 1:
            plan.left[name] = "it has one value for channels, each of which has another step"
            del plan.biases[name]
            continue
        filters = values[bias.filter.name]
        grids[name] = _bias_grid(bias, values[name], filters, activations[bias.input], grids)
    return grids


def _bias_grid(
    bias: Bias,
    values: Array,
    weights: Array,
    source: QuantizationGrid,
    grids: dict[str, QuantizationGrid],
) -> QuantizationGrid:
    """Return the grid of a bias; its step is the product of those of the input and the filter.

    Where the bias would take more than half of 32 bits, the step of the filter is enlarged, since
    its codes are added to products in as many bits. Where the filter is 0, any step represents it:
    that of the filter becomes as small as the bias allows.
    """
    filters = grids[bias.filter.name]
    scale = filters.scale.reshape(-1)
    axes = tuple(i for i in range(weights.ndim) if scale.size == 1 or i != bias.filter.axis)
    is_zero = ~weights.any(axis=axes).reshape(-1)
    least = np.abs(values.astype(np.float64)).reshape(-1)
    if scale.size == 1:
        least = least.max(initial=0.0, keepdims=True)
    least = least / 2 ** (BIAS_BITS - 2) / float(source.scale) * (1 + 1e-6)
    changed = (least > scale) | (is_zero & (least > 0))
    if changed.any():
        scale = np.where(changed, least, scale).astype(np.float32).astype(np.float64)
        grids[bias.filter.name] = replace(filters, scale=scale.reshape(filters.scale.shape))
    step = (scale * float(source.scale)).astype(np.float32).astype(np.float64)
    shape = (*(1 for _ in range(bias.axis)), step.size) if step.size > 1 else ()
    return QuantizationGrid(
        step.reshape(shape), np.zeros(shape, np.int64), BIAS_BITS, signed=True, symmetric=True
    )


def weight_values(graph: Graph, names: Collection[str]) -> dict[str, Array]:
    """Return the values of weights, those that are computed included.

    Raises:
        InputError: They are NaN or infinite.
    """
    scalar = scalar_dtype(graph)
    values = {n: stored(t, scalar) for n in names if (t := graph.tensors[n]).data is not None}
    computed = [name for name in names if name not in values]
    if computed:
        with Session(graph.with_outputs(computed), "numpy") as session:
            values |= session.run({}, progress=False)
    for name in names:
        if not np.isfinite(values[name]).all():
            raise InputError(
                f"'{name}' has NaN or infinite values",
                hint="Fix the weights; nnefkit.quantize(..., keep=[...]) leaves them as they are.",
            )
    return values


def with_grids(graph: Graph, grids: Mapping[str, QuantizationGrid]) -> Graph:
    """Return a graph with the quantization info of some tensors."""
    tensors = {
        name: replace(tensor, quantization=grids[name].line) if name in grids else tensor
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, tensors=FrozenDict(tensors))
