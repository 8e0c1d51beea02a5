"""The result of `quantize`: the graph, and what the quantization of each tensor costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from nnefkit.analysis.quantization.measurement import RoundingSums
from nnefkit.display.cards.quantization import (
    QuantizationRow,
    QuantizationSummary,
    quantization_card,
)
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import LONGEST_NAME, Card, code
from nnefkit.display.numbers import number, percent, plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import FrozenDict, Graph
from nnefkit.graph.frozen import frozen
from nnefkit.operations.quantization_grid import QuantizationGrid

if TYPE_CHECKING:
    import pandas as pd

Role = Literal["input", "activation", "weight", "bias"]
_PROVENANCE = "quantization"
ROUNDING_ALONE = 12**-0.5
"""Root mean square error of rounding evenly spread values, in steps."""


@dataclass(frozen=True)
class QuantizedTensor:
    """A quantized tensor: its grid, and the errors of rounding to it.

    Activations are measured on the first calibration inputs, in the quantized run.
    """

    name: str
    operation: str
    """The operation that computes it."""
    role: Role
    bits: int
    minimum: float
    """The smallest number of its grid; of channels the smallest of all."""
    maximum: float
    """The largest number of its grid; of channels the largest of all."""
    step: float
    """The distance of neighboring numbers; of channels the largest one."""
    channels: int
    """Number of ranges: 1, or one for each output channel."""
    zero_point: int | None
    """The code of 0; None if channels have different ones."""
    clipped: float
    """Share of its elements that are farther than half a step outside of the range."""
    sqnr: float
    """Signal-to-noise ratio of rounding it, in dB; infinite if all its values are on the grid."""
    psnr: float
    """Squared range of its values to the mean square error of rounding it, in dB."""
    rmse_per_step: float
    """Root mean square error of rounding it, in steps: 0.289 (1/sqrt(12)) where values are evenly
    spread and in the range; more means clipping, less that few codes are used."""
    snr: float
    """Signal-to-noise ratio against the run in floating point, in dB: errors of the tensors before
    included."""

    @classmethod
    def of(
        cls,
        name: str,
        operation: str,
        role: Role,
        grid: QuantizationGrid,
        rounding: RoundingSums,
        snr: float,
    ) -> Self:
        """Return the record of a tensor."""
        points = np.unique(grid.zero_point)
        return cls(
            name,
            operation,
            role,
            grid.bits,
            float(grid.low.min()),
            float(grid.high.max()),
            float(grid.scale.max()),
            grid.scale.size,
            int(points[0]) if points.size == 1 else None,
            rounding.clipped / max(rounding.count, 1),
            rounding.sqnr,
            rounding.psnr,
            rounding.rmse_per_step,
            snr,
        )

    def __repr__(self) -> str:
        channels = f" in {self.channels} channels" if self.channels > 1 else ""
        return (
            f"<{visible(self.name, LONGEST_NAME)}: {self.bits} bits, {number(self.minimum)} to "
            f"{number(self.maximum)}{channels}, SQNR {number(self.sqnr)} dB>"
        )


@dataclass(frozen=True, repr=False)
class QuantizationReport(Displayed):
    """What the quantization of a graph costs, from `nnefkit.quantize`.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 3.0); }")
        >>> report = nk.quantize(graph, np.float32([[-1.0, 0.5, 2.0, 1.0]])).report
        >>> report["x"].bits, report["x"].clipped
        (8, 0.0)
    """

    graph: str
    """Name of the graph."""
    tensors: tuple[QuantizedTensor, ...] = field(repr=False)
    """The quantized tensors in the order of the graph."""
    left: Mapping[str, str] = field(repr=False)
    """The tensors in floating point, and why."""
    steps: tuple[tuple[str, float], ...]
    """Signal-to-noise ratio of the outputs in dB, after each step of the quantization."""
    inputs: int
    """Number of calibration inputs."""
    measured: int
    """Number of inputs, the first ones, that errors were measured with."""
    method: str
    bits: int
    equalized: tuple[tuple[str, str], ...] = ()
    """Results of the pairs of layers whose channels were scaled to equal ranges."""
    corrected: tuple[str, ...] = ()
    """Results of the layers whose biases were corrected."""

    @property
    def snr(self) -> float:
        """Signal-to-noise ratio of the outputs against those in floating point, in dB.

        All outputs count the same: it is the mean of their relative square errors.
        """
        return self.steps[-1][1]

    @property
    def summary(self) -> Summary:
        """The result in words."""
        return in_words(*self._answer)

    @property
    def _answer(self) -> tuple[str, str]:
        activations = sum(each.role in ("input", "activation") for each in self.tensors)
        weights = len(self.tensors) - activations
        headline = f"In {self.bits} bits the outputs have {number(self.snr)} dB."
        if self.snr == np.inf:
            headline = f"{self.bits} bits change no output."
        sentence = (
            f"{plural(activations, 'activation')} and {plural(weights, 'weight')} are quantized, "
            f"{len(self.left):,} left in floating point."
        )
        judged = [each for each in self.tensors if each.role != "bias"]
        worst = min(judged, key=lambda each: each.sqnr, default=None)
        if worst is not None and worst.sqnr < np.inf:
            sentence += f" {code(worst.name)} loses most by its own rounding: "
            sentence += f"{number(worst.sqnr)} dB"
            sentence += f", {percent(worst.clipped)} clipped." if worst.clipped else "."
        return headline, sentence

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each quantized tensor, in the order of the graph.

        ``sqnr``, ``psnr`` and ``snr`` are in dB, ``clipped`` is at most 1.
        """
        import pandas as pd

        names = [each.name for each in fields(QuantizedTensor)]
        rows = [[getattr(each, name) for name in names] for each in self.tensors]
        return pd.DataFrame(rows, columns=names)

    def __getitem__(self, tensor: str) -> QuantizedTensor:
        for each in self.tensors:
            if each.name == tensor:
                return each
        raise UnknownNameError(
            f"'{tensor}' is not quantized"
            + (f": {self.left[tensor]}" if tensor in self.left else ""),
            hint=did_you_mean(tensor, [each.name for each in self.tensors]),
        )

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        summary = QuantizationSummary(
            title=f"{self.graph} in {self.bits} bits",
            facts=(
                plural(self.inputs, "calibration input"),
                f"errors measured on {self.measured:,}",
                f"ranges by {self.method}",
            ),
            headline=headline,
            sentence=sentence,
            steps=self.steps,
            rows=tuple(
                QuantizationRow(
                    each.name,
                    each.operation,
                    each.role,
                    each.bits,
                    each.minimum,
                    each.maximum,
                    each.step,
                    each.channels,
                    each.clipped,
                    each.sqnr,
                    each.rmse_per_step,
                    each.snr,
                )
                for each in self.tensors
            ),
            left=self.left,
        )
        return quantization_card(summary, brief=brief)


@frozen
@dataclass(frozen=True, eq=False, repr=False)
class QuantizedGraph(Graph):
    """A graph with quantization info from `nnefkit.quantize`, and the report of it.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 3.0); }")
        >>> quantized = nk.quantize(graph, np.float32([[-1.0, 0.5, 2.0, 1.0]]))
        >>> [each.name for each in quantized.report.tensors]
        ['x', 'y']
    """

    @classmethod
    def of(cls, graph: Graph, report: QuantizationReport) -> QuantizedGraph:
        """Return a graph with its report."""
        values: dict[str, Any] = {each.name: getattr(graph, each.name) for each in fields(Graph)}
        values["provenance"] = FrozenDict({**graph.provenance, _PROVENANCE: report})
        return cls(**values)

    @property
    def report(self) -> QuantizationReport:
        """What the quantization costs.

        Raises:
            InputError: The graph is a changed copy, of which the report would not be true.
        """
        report = self.provenance.get(_PROVENANCE)
        if report is None:
            raise InputError(
                "the graph was changed after it was quantized",
                hint="nnefkit.compare(graph, ...) or nnefkit.blame measure it.",
            )
        return report  # type: ignore[no-any-return]
