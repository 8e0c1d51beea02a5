"""The loss of a quantization, measured: a graph against its quantized form on some inputs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnefkit.analysis.quantization.plan import constant_tensors
from nnefkit.arrays import Array
from nnefkit.execution import Session
from nnefkit.graph import Graph
from nnefkit.operations.quantization_grid import QuantizationGrid


@dataclass
class RoundingSums:
    """Sums over the elements of a tensor, before and after it was rounded to a grid."""

    grid: QuantizationGrid
    count: int = 0
    clipped: int = 0
    """Elements farther than half a step outside of the grid."""
    signal: float = 0.0
    noise: float = 0.0
    in_steps: float = 0.0
    """Sum of the squared errors in units of the step."""
    minimum: float = math.inf
    maximum: float = -math.inf

    def add(self, values: Array) -> None:
        """Add the values of a tensor before it is rounded."""
        if not values.size:
            return
        grid = self.grid
        rounded = grid.rounded(values).astype(np.float64)
        wide = values.astype(np.float64)
        scale, low, high = (
            each.reshape(each.shape + (1,) * (wide.ndim - each.ndim))
            for each in (grid.scale, grid.low, grid.high)
        )
        squares = np.square(wide - rounded)
        outside = (wide < low - scale / 2) | (wide > high + scale / 2)
        self.count += wide.size
        self.clipped += int(np.count_nonzero(outside))
        self.signal += float(np.square(wide).sum())
        self.noise += float(squares.sum())
        self.in_steps += float((squares / np.square(scale)).sum())
        self.minimum = min(self.minimum, float(wide.min()))
        self.maximum = max(self.maximum, float(wide.max()))

    @property
    def sqnr(self) -> float:
        """Ratio of the signal to the noise of rounding and clipping, in dB."""
        return decibels(self.signal, self.noise)

    @property
    def psnr(self) -> float:
        """Ratio of the squared range of the values to the mean square error, in dB."""
        extent = self.maximum - self.minimum if self.count else 0.0
        return decibels(extent * extent, self.noise / max(self.count, 1))

    @property
    def rmse_per_step(self) -> float:
        """Root mean square error in units of the step: 0.289 where there is rounding alone."""
        return math.sqrt(self.in_steps / self.count) if self.count else math.nan


def decibels(signal: float, noise: float) -> float:
    """Return the ratio of two sums of squares in dB; infinite without noise."""
    if math.isnan(signal) or math.isnan(noise):
        return math.nan
    if not noise:
        return math.inf
    return 10 * (math.log10(signal) - math.log10(noise)) if signal else -math.inf


@dataclass
class Deviation:
    """Sums of squares of a tensor in one graph, and of what another one differs by."""

    signal: float = 0.0
    noise: float = 0.0

    def add(self, reference: Array, values: Array) -> None:
        """Add a pair of arrays; elements that are not finite in both are left out."""
        with np.errstate(all="ignore"):
            a, b = reference.astype(np.float64), values.astype(np.float64)
            usable = np.isfinite(a) & np.isfinite(b)
            self.signal += float(np.square(a[usable]).sum())
            self.noise += float(np.square(a[usable] - b[usable]).sum())
            if (np.isfinite(a) != np.isfinite(b)).any():
                self.noise = math.inf

    @property
    def snr(self) -> float:
        """Signal-to-noise ratio in dB."""
        return -math.inf if math.isinf(self.noise) else decibels(self.signal, self.noise)


def output_deviation(reference: Mapping[str, Array], outputs: Mapping[str, Array]) -> Deviation:
    """Return the sums over all outputs, each of which counts the same, whatever its scale."""
    whole = Deviation()
    for name in reference:
        one = Deviation()
        if reference[name].dtype.kind == "f":
            one.add(reference[name], outputs[name])
        else:
            one.signal = float(reference[name].size)
            one.noise = float(np.count_nonzero(reference[name] != outputs[name]))
        if one.signal or one.noise:
            whole.signal += 1.0
            whole.noise += one.noise / one.signal if one.signal else math.inf
    return whole


class OutputLoss:
    """Measures the loss of quantized graphs against the outputs of one reference."""

    def __init__(
        self, reference: Graph, inputs: Sequence[Mapping[str, Array]], engine: str
    ) -> None:
        self.inputs = inputs
        self.engine = engine
        with Session(reference, engine) as session:
            self.expected = [session.run(each, progress=False) for each in inputs]

    def of(self, graph: Graph) -> float:
        """Return the signal-to-noise ratio of the outputs of a quantized graph, in dB."""
        total = Deviation()
        quantized = any(tensor.quantization for tensor in graph.tensors.values())
        with Session(graph, self.engine, quantized=quantized) as session:
            for expected, each in zip(self.expected, self.inputs, strict=True):
                one = output_deviation(expected, session.run(each, progress=False))
                total.signal += one.signal
                total.noise += one.noise
        return total.snr


def measured(
    reference: Graph, graph: Graph, inputs: Sequence[Mapping[str, Array]], engine: str
) -> tuple[dict[str, RoundingSums], dict[str, Deviation]]:
    """Run a graph and its quantized form, and measure each quantized activation.

    Args:
        reference: The graph in floating point.
        graph: The graph with quantization info.
        inputs: Some inputs.
        engine: The engine that runs both.

    Returns:
        By tensor, what rounding it costs, and how it deviates from the reference, errors of the
        tensors before included.
    """
    grids = dict(activation_grids(graph))
    sums = {name: RoundingSums(grid) for name, grid in grids.items()}
    deviations = {name: Deviation() for name in grids}
    with Session(reference, engine) as plain, Session(graph, engine, quantized=True) as rounding:
        before = {name: next(iter(rounding.graph.producers[name].input_names)) for name in grids}
        for each in inputs:
            expected = plain.trace(each, [*grids], progress=False)
            found = rounding.trace(each, [*grids, *before.values()], progress=False)
            for name in grids:
                sums[name].add(found[before[name]])
                deviations[name].add(expected[name], found[name])
    return sums, deviations


def activation_grids(graph: Graph) -> Iterator[tuple[str, QuantizationGrid]]:
    """Yield the quantized tensors that depend on the inputs, with their grids."""
    constant = constant_tensors(graph)
    for op in graph.operations:
        for name in op.output_names:
            line = graph.tensors[name].quantization
            grid = QuantizationGrid.read(line) if line and name not in constant else None
            if grid is not None:
                yield name, grid
