"""`quantize`: a graph with quantization info from the values that it has over some inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from nnefkit.analysis.quantization.bias_correction import with_corrected_biases
from nnefkit.analysis.quantization.calibration import Calibration, observed
from nnefkit.analysis.quantization.equalization import equalized
from nnefkit.analysis.quantization.measurement import OutputLoss, RoundingSums, measured
from nnefkit.analysis.quantization.plan import QuantizationPlan, planned
from nnefkit.analysis.quantization.ranges import Method
from nnefkit.analysis.quantization.report import (
    QuantizationReport,
    QuantizedGraph,
    QuantizedTensor,
    Role,
)
from nnefkit.analysis.quantization.settings import (
    QuantizationSettings,
    Symmetric,
    checked_settings,
)
from nnefkit.analysis.quantization.tensor_grids import tensor_grids, weight_values, with_grids
from nnefkit.arguments import wrong_type
from nnefkit.arrays import Array
from nnefkit.errors import InputError
from nnefkit.execution import Session
from nnefkit.graph import FrozenDict, Graph, expected_graph
from nnefkit.operations.quantization_grid import QuantizationGrid
from nnefkit.operations.shape_inference import infer_shapes


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
    settings = checked_settings(graph, bits, per_channel, symmetric, method, percentile, keep)
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
    reference = last = stages[-1]
    result = last.quantized
    corrected: tuple[str, ...] = ()
    if correct_biases:
        last, corrected = last.with_corrected_biases(retained)
        result = last.quantized
        steps.append((last.title, loss.of(result)))
    rows = _rows(reference.graph, result, last.plan, retained, engine)
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
        return tensor_grids(self.graph, self.plan, self.run.histograms, self.settings)

    @cached_property
    def quantized(self) -> Graph:
        """The graph with quantization info."""
        return with_grids(self.graph, self.grids)

    def with_corrected_biases(
        self, inputs: list[dict[str, Array]]
    ) -> tuple[_Stage, tuple[str, ...]]:
        """Return the stage after bias correction, and the layers that it changed."""
        filters = {name: self.grids[name] for name in self.plan.filters if name in self.grids}
        if not filters:
            return self, ()
        rounded = with_grids(self.graph, filters)
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


def _rows(
    reference: Graph,
    quantized: Graph,
    plan: QuantizationPlan,
    retained: list[dict[str, Array]],
    engine: str,
) -> Iterator[QuantizedTensor]:
    sums, deviations = measured(reference, quantized, retained, engine)
    values = weight_values(quantized, plan.weights)
    for op in quantized.operations:
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
