"""`precision_curve`: how few layers must stay precise for a wanted accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

from nnefkit.analysis.quantization.calibration import RETAINED, Calibration, listed, observed
from nnefkit.analysis.quantization.layers import QuantizedLayer, quantized_layers, with_precision
from nnefkit.analysis.quantization.measurement import OutputLoss
from nnefkit.analysis.quantization.precision_result import PrecisionCurve, PrecisionPoint
from nnefkit.analysis.quantization.settings import check_bits
from nnefkit.arguments import wrong_type
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import InputError
from nnefkit.execution import Session
from nnefkit.graph import Graph, expected_graph

TRIES = 6
"""Number of layers that are measured again in each step, those that helped most before."""


def precision_curve(
    quantized: Graph,
    inputs: Any,
    *,
    target: float = 30.0,
    bits: int | None = None,
    limit: int = 12,
    reference: Graph | None = None,
    engine: str = "numpy",
    progress: bool | None = None,
) -> PrecisionCurve:
    """Find the few layers of a quantized graph to keep precise, so that the outputs are good.

    Layers are added one by one, each time the one that improves the outputs most, until the target
    is reached. Nothing is estimated: all layers are measured alone, and in each later step those
    that helped most are measured again, together with the ones chosen before.

    Args:
        quantized: The graph with quantization info, from `nnefkit.quantize` or a file.
        inputs: One input, as for `nnefkit.run`, or an iterable of them; at most 16 are used.
        target: The wanted signal-to-noise ratio of the outputs, in dB.
        bits: Number of bits of the layers that are kept precise, such as 16; None keeps them in
            floating point.
        limit: Largest number of layers to keep.
        reference: The graph that computes the right outputs; None is `quantized` itself, without
            quantization. Pass the original graph if biases were corrected.
        engine: The engine that runs both.
        progress: Whether to show a progress bar; None shows it if it takes more than a second.

    Returns:
        The ratio of the outputs for each number of layers; ``curve.graph`` is the graph with the
        last choice, ``curve.keep`` the list for `nnefkit.quantize`.

    Raises:
        InputError: The graph has no quantization info, there are no inputs, or an argument is out
            of range.
        ExecutionError: The engine cannot run the graph.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 3.0); z = exp(y); }")
        >>> x = np.float32([[-1.0, 0.5, 2.0, 1.0]])
        >>> curve = nk.precision_curve(nk.quantize(graph, x, bits=4), x, target=25)
        >>> curve.reached, curve.keep
        (True, ())
    """
    graph = expected_graph(quantized, data=True)
    _check(target, bits, limit)
    layers = quantized_layers(graph)
    if not layers:
        raise InputError(
            f"graph '{graph.name}' has no quantization info",
            hint="nnefkit.quantize(graph, calibration) makes some.",
            section="5.3",
        )
    reference = graph if reference is None else expected_graph(reference, data=True)
    run = Calibration(Session(reference, engine), [])
    used = islice(listed(inputs, "inputs"), RETAINED)
    retained, _ = observed([run], used, graph.name, progress=False)
    loss = OutputLoss(reference, retained, engine)
    total = len(layers) + min(limit, len(layers)) * TRIES
    with ProgressBar(total, graph.name, "run", delay=bar_delay(progress)) as bar:
        points, graph = _LayerSearch(graph, layers, loss, bits, bar).points(target, limit)
    return PrecisionCurve(tuple(points), graph, float(target), bits, len(layers), len(retained))


def _check(target: Any, bits: Any, limit: Any) -> None:
    if isinstance(target, bool) or not isinstance(target, (int, float)) or math.isnan(target):
        raise wrong_type("target", "a number of dB", target)
    if bits is not None:
        check_bits(bits)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InputError(f"'limit' must be a positive integer, not {limit!r}")


class _LayerSearch:
    """A greedy search: what helped little alone is not measured again as long as others help."""

    def __init__(
        self,
        graph: Graph,
        layers: Sequence[QuantizedLayer],
        loss: OutputLoss,
        bits: int | None,
        bar: ProgressBar,
    ) -> None:
        self.graph = graph
        self.layers = layers
        self.loss = loss
        self.bits = bits
        self.bar = bar

    def points(self, target: float, limit: int) -> tuple[list[PrecisionPoint], Graph]:
        """Return the curve, and the graph at its end."""
        graph = self.graph
        snr = self.loss.of(graph)
        points, graphs = [PrecisionPoint(0, "", "", (), snr)], [graph]
        waiting = [(self._noise(graph, layer), layer) for layer in self.layers if snr < target]
        while waiting and snr < target and len(points) <= limit:
            waiting.sort(key=lambda each: each[0])
            if len(points) > 1:
                self._measure_again(graph, waiting, _power(snr))
            noise, layer = waiting.pop(0)
            graph = with_precision(graph, layer.tensors, self.bits)
            snr = -10 * math.log10(noise) if noise else math.inf
            tensors = tuple(layer.tensors)
            points.append(PrecisionPoint(len(points), layer.name, layer.operation, tensors, snr))
            graphs.append(graph)
        # Errors may cancel, so that the last layers may have made it worse.
        best = max(range(len(points)), key=lambda i: (points[i].snr, -i))
        return points[: best + 1], graphs[best]

    def _measure_again(
        self, graph: Graph, waiting: list[tuple[float, QuantizedLayer]], noise: float
    ) -> None:
        """Bring the layer that helps most to the front; if the first few do not, try all."""
        for count in (TRIES, len(waiting)):
            fresh = [(self._noise(graph, layer), layer) for _, layer in waiting[:count]]
            fresh.sort(key=lambda each: each[0])
            waiting[:count] = fresh
            if fresh[0][0] < noise:
                return

    def _noise(self, graph: Graph, layer: QuantizedLayer) -> float:
        noise = _power(self.loss.of(with_precision(graph, layer.tensors, self.bits)))
        self.bar.update(1)
        return noise


def _power(snr: float) -> float:
    return float(10 ** (-snr / 10)) if snr > -math.inf else math.inf
