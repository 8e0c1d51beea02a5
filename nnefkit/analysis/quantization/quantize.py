"""`quantize`: a graph with quantization info from the values that it has over some inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from nnefkit.analysis.quantization.bias_correction import with_corrected_biases
from nnefkit.analysis.quantization.calibration import Calibration, observed
from nnefkit.analysis.quantization.equalization import equalized
from nnefkit.analysis.quantization.grid import QuantizationGrid
from nnefkit.analysis.quantization.histogram import ValueHistogram
from nnefkit.analysis.quantization.measurement import OutputLoss, RoundingSums, measured
from nnefkit.analysis.quantization.plan import Bias, QuantizationPlan, planned
from nnefkit.analysis.quantization.ranges import METHODS, Method, activation_grid, weight_grid
from nnefkit.analysis.quantization.report import (
    QuantizationReport,
    QuantizedGraph,
    QuantizedTensor,
    Role,
)
from nnefkit.arguments import expected_names, wrong_type
from nnefkit.arrays import Array
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.execution import Session
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.graph import FrozenDict, Graph, expected_graph
from nnefkit.operations.shape_inference import infer_shapes

Symmetric = bool | Literal["weights"]
MIN_BITS, MAX_BITS = 2, 16
BIAS_BITS = 32


@dataclass(frozen=True)
class QuantizationSettings:
    """The checked arguments of `quantize`."""

    bits: int
    per_channel: bool
    symmetric: Symmetric
    method: Method
    percentile: float
    keep: tuple[str, ...]

    def is_symmetric(self, role: Role) -> bool:
        """Return whether the ranges of tensors of a role are symmetric."""
        return role == "weight" if self.symmetric == "weights" else bool(self.symmetric)


def quantize(
    graph: Graph,
    calibration: Any,
    bits: int = 8,
    per_channel: bool = True,
    symmetric: Symmetric = "weights",
    method: Method = "minmax",
    *,
    percentile: float = 99.99,
    keep: Iterable[str] = (),
    equalize: bool = False,
    correct_biases: bool = False,
    engine: str = "numpy",
    progress: bool | None = None,
) -> QuantizedGraph:
    """Give a graph quantization info (``graph.quant``) from the values over calibration inputs.

    The graph is run on the inputs, one at a time, and the values of its tensors are counted in
    histograms; from these come the ranges. All lines are ``zero_point_linear_quantize``, so that 0
    is represented exactly. The result of a layer is quantized after its bias and activation
    function. Operations that only move values (reshape, max_pool, concat, ...) share the range of
    their inputs. Biases have 32 bits and the step of the products that they are added to.

    ``nk.run(result, inputs, quantized=True)`` runs it in quantized form, `nnefkit.save` writes it.

    Args:
        graph: The graph, with weights. Quantization info that it has is replaced.
        calibration: Typical inputs: one, as for `nnefkit.run`, or an iterable of them, of any
            length. Variables that the graph updates persist from one to the next.
        bits: Number of bits of activations and weights, 2 to 16.
        per_channel: Whether filters have one range for each output channel (an array in their line,
            5.3), or one for all.
        symmetric: Whether ranges are symmetric about 0, with signed codes: True, False, or only
            those of ``"weights"``. Codes of other ranges are unsigned.
        method: How ranges are chosen: from the extremes (``"minmax"``), so that they contain a
            ``"percentile"`` of the activations, or for the least mean square error (``"mse"``).
        percentile: Percentage of the values of an activation that are in its range, for the method
            ``"percentile"``.
        keep: Names of tensors to leave in floating point. If one is the result of a layer, its
            weights also stay.
        equalize: Whether to scale the channels of neighboring layers to equal ranges first
            (cross-layer equalization), which changes weights, but not what the graph computes.
        correct_biases: Whether to take the mean error of rounded weights off the biases.
        engine: The engine that runs the graph.
        progress: Whether to show a progress bar; None shows it if it takes more than a second.

    Returns:
        The graph with quantization info; ``result.report`` has for each tensor its range, step,
        share of clipped values and errors, measured on the first inputs.

    Raises:
        InputError: There are no inputs, an argument is out of range, a tensor has NaN or infinite
            values, or nothing can be quantized.
        UnknownNameError: `keep` names a tensor that does not exist.
        ExecutionError: The engine cannot run the graph.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 3.0); }")
        >>> quantized = nk.quantize(graph, np.float32([[-1.0, 0.5, 2.0, 1.0]]))
        >>> quantized.tensor("x").quantization["bits"]
        8
        >>> nk.run(quantized, np.float32([[0.11, 0.2, 0.31, 0.4]]), quantized=True)["y"].round(3)
        array([[0.318, 0.6  , 0.918, 1.2  ]], dtype=float32)
    """
    graph = _prepared(expected_graph(graph, data=True))
    settings = _settings(graph, bits, per_channel, symmetric, method, percentile, keep)
    for argument, value in (("equalize", equalize), ("correct_biases", correct_biases)):
        if not isinstance(value, bool):
            raise wrong_type(argument, "True or False", value)
    stages = [_Stage("plain", graph, settings, engine)]
    pairs: tuple[tuple[str, str], ...] = ()
    if equalize:
        scaled, pairs = equalized(graph)
        stages.append(_Stage("equalized", scaled, settings, engine))
    runs = [stage.run for stage in stages]
    retained, count = observed(runs, calibration, graph.name, progress=progress)
    loss = OutputLoss(graph, retained, engine)
    steps = [(stage.title, loss.of(stage.quantized)) for stage in stages]
    last = stages[-1]
    result = last.quantized
    corrected: tuple[str, ...] = ()
    if correct_biases:
        last, corrected = last.with_corrected_biases(retained)
        result = last.quantized
        steps.append((last.title, loss.of(result)))
    rows = _rows(last.graph, result, last.plan, retained, engine)
    report = QuantizationReport(
        graph.name,
        tuple(rows),
        FrozenDict(last.plan.left),
        tuple(steps),
        count,
        len(retained),
        settings.method,
        settings.bits,
        pairs,
        corrected,
    )
    return QuantizedGraph.of(result, report)


class _Stage:
    """A graph that is quantized: the given one, or one with other weights."""

    def __init__(
        self, title: str, graph: Graph, settings: QuantizationSettings, engine: str
    ) -> None:
        self.title = title
        self.graph = graph
        self.settings = settings
        self.engine = engine
        self.plan = planned(graph, settings.keep)
        if not self.plan.groups and not self.plan.weights:
            raise InputError(
                f"graph '{graph.name}' has nothing to quantize",
                hint="Only tensors of type scalar that are not in keep=[...] are quantized.",
                section="5.3",
            )
        passed_on = self.plan.passed_on
        names = [name for group in self.plan.groups for name in group if name not in passed_on]
        self.run = Calibration(Session(graph, engine), names)

    @cached_property
    def grids(self) -> dict[str, QuantizationGrid]:
        """The grids, after the calibration."""
        return _grids(self.graph, self.plan, self.run.histograms, self.settings)

    @cached_property
    def quantized(self) -> Graph:
        """The graph with quantization info."""
        return with_grids(self.graph, self.grids)

    def with_corrected_biases(
        self, inputs: list[dict[str, Array]]
    ) -> tuple[_Stage, tuple[str, ...]]:
        """Return the stage after bias correction, and the layers that it changed."""
        filters = {name: self.grids[name] for name in self.plan.filters if name in self.grids}
        rounded = with_grids(self.graph, filters)
        if not filters:
            return self, ()
        graph, names = with_corrected_biases(self.graph, rounded, inputs, self.engine)
        stage = _Stage("biases corrected", graph, self.settings, self.engine)
        stage.run.histograms = self.run.histograms
        return stage, names


def _prepared(graph: Graph) -> Graph:
    """Return a graph with shapes and without quantization info."""
    if any(tensor.shape is None for tensor in graph.tensors.values()):
        graph = infer_shapes(graph)
    plain = {name: replace(t, quantization=None) for name, t in graph.tensors.items()}
    return replace(graph, tensors=FrozenDict(plain))


def _settings(
    graph: Graph,
    bits: Any,
    per_channel: Any,
    symmetric: Any,
    method: Any,
    percentile: Any,
    keep: Any,
) -> QuantizationSettings:
    check_bits(bits)
    if not isinstance(per_channel, bool):
        raise wrong_type("per_channel", "True or False", per_channel)
    if not isinstance(symmetric, bool) and symmetric != "weights":
        raise InputError(f"'symmetric' must be True, False or 'weights', not {symmetric!r}")
    if method not in METHODS:
        raise InputError(
            f"there is no method {method!r}",
            hint=did_you_mean(str(method), METHODS) or f"The methods are {', '.join(METHODS)}.",
        )
    if not isinstance(percentile, (int, float)) or not 50 <= percentile <= 100:
        raise InputError(
            f"'percentile' must be from 50 to 100, not {percentile!r}",
            hint="99.99 clips one of 10,000 values.",
        )
    names = expected_names(keep, "keep")
    for name in names:
        if name not in graph.tensors:
            raise UnknownNameError(
                f"graph '{graph.name}' has no tensor '{name}'",
                hint=did_you_mean(name, graph.tensors) or "graph.tensors has all of them by name.",
            )
    return QuantizationSettings(int(bits), per_channel, symmetric, method, float(percentile), names)


def check_bits(bits: Any) -> None:
    """Check a number of bits.

    Raises:
        InputError: It is not an integer from 2 to 16.
    """
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)):
        raise wrong_type("bits", "an integer", bits)
    if not MIN_BITS <= bits <= MAX_BITS:
        raise InputError(
            f"'bits' must be from {MIN_BITS} to {MAX_BITS}, not {bits}",
            hint="Usual are 8 and 4; biases always have 32.",
            section="4.9.5",
        )


# -- grids -----------------------------------------------------------------------------------------


def _grids(
    graph: Graph,
    plan: QuantizationPlan,
    histograms: Mapping[str, ValueHistogram],
    settings: QuantizationSettings,
) -> dict[str, QuantizationGrid]:
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
    grids |= weight_grids(graph, plan, grids, settings)
    return grids


def weight_grids(
    graph: Graph,
    plan: QuantizationPlan,
    activations: Mapping[str, QuantizationGrid],
    settings: QuantizationSettings,
) -> dict[str, QuantizationGrid]:
    """Return the grids of all weights; those of biases follow from filters and inputs."""
    values = weight_values(graph, plan.weights)
    for name in plan.weights:
        if not np.isfinite(values[name]).all():
            raise InputError(
                f"'{name}' has NaN or infinite values",
                hint="Fix the weights, or leave them in floating point: keep=[...].",
            )
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
        grids[name] = _bias_grid(bias, values[name], activations[bias.input], grids)
    return grids


def _bias_grid(
    bias: Bias, values: Array, source: QuantizationGrid, grids: dict[str, QuantizationGrid]
) -> QuantizationGrid:
    """Return the grid of a bias; its step is the product of those of the input and the filter.

    Where the bias would not fit into 32 bits, the step of the filter is enlarged.
    """
    filters = grids[bias.filter.name]
    largest = 2 ** (BIAS_BITS - 1) - 1
    flat = filters.scale.reshape(-1)
    channels = np.abs(values.astype(np.float64)).reshape(-1)
    if flat.size > 1 and channels.size == flat.size:
        needed = channels / largest
    else:
        needed = np.full(flat.shape, channels.max(initial=0.0) / largest)
    step = flat * float(source.scale)
    short = step < needed
    if short.any():
        enlarged = np.where(short, needed / float(source.scale) * (1 + 1e-6), flat)
        scale = enlarged.astype(np.float32).astype(np.float64).reshape(filters.scale.shape)
        grids[bias.filter.name] = filters = replace(filters, scale=scale)
        step = filters.scale.reshape(-1) * float(source.scale)
    step = step.astype(np.float32).astype(np.float64)
    shape = (*(1 for _ in range(bias.axis)), step.size) if step.size > 1 else ()
    scale = step.reshape(shape)
    return QuantizationGrid(
        scale, np.zeros(shape, np.int64), BIAS_BITS, signed=True, symmetric=True
    )


def weight_values(graph: Graph, names: Iterable[str]) -> dict[str, Array]:
    """Return the values of weights, those that are computed included."""
    scalar = scalar_dtype(graph)
    values = {n: stored(t, scalar) for n in names if (t := graph.tensors[n]).data is not None}
    computed = [name for name in names if name not in values]
    if computed:
        with Session(graph.with_outputs(computed), "numpy") as session:
            values |= session.run({}, progress=False)
    return values


def with_grids(graph: Graph, grids: Mapping[str, QuantizationGrid]) -> Graph:
    """Return a graph with the quantization info of some tensors."""
    tensors = {
        name: replace(tensor, quantization=grids[name].line) if name in grids else tensor
        for name, tensor in graph.tensors.items()
    }
    return replace(graph, tensors=FrozenDict(tensors))


# -- report ----------------------------------------------------------------------------------------


def _rows(
    graph: Graph,
    quantized: Graph,
    plan: QuantizationPlan,
    retained: list[dict[str, Array]],
    engine: str,
) -> Iterator[QuantizedTensor]:
    sums, deviations = measured(graph, quantized, retained, engine)
    values = weight_values(graph, plan.weights)
    for op in graph.operations:
        for name in op.output_names:
            line = quantized.tensors[name].quantization
            grid = QuantizationGrid.read(line) if line else None
            if grid is None:
                continue
            rounding = sums.get(name)
            if rounding is None:
                rounding = RoundingSums(grid)
                rounding.add(values[name])
            snr = deviations[name].snr if name in deviations else rounding.sqnr
            role: Role = "activation"
            if name in plan.biases:
                role = "bias"
            elif name in values:
                role = "weight"
            elif op.name == "external":
                role = "input"
            yield QuantizedTensor.of(name, op.name, role, grid, rounding, snr)
