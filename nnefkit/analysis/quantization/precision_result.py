"""The result of `precision_curve`: the accuracy of the outputs by the layers that stay precise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnefkit.display.cards.precision import PrecisionRow, PrecisionSummary, precision_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import LONGEST_NAME, Card, code
from nnefkit.display.numbers import number, plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.display.visible_text import visible
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PrecisionPoint:
    """One point of the curve."""

    kept: int
    """Number of layers that are kept precise."""
    layer: str
    """The result of the layer that was added last; empty for the first point."""
    operation: str
    tensors: tuple[str, ...]
    """The tensors of that layer: its result, its weights."""
    snr: float
    """Signal-to-noise ratio of the outputs, in dB."""

    def __repr__(self) -> str:
        added = f", with {visible(self.layer, LONGEST_NAME)}" if self.layer else ""
        return f"<{plural(self.kept, 'layer')} kept{added}: {number(self.snr)} dB>"


@dataclass(frozen=True, repr=False)
class PrecisionCurve(Displayed):
    """The accuracy of a quantized graph by the layers that stay precise: `nnefkit.precision_curve`.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 3.0); z = exp(y); }")
        >>> x = np.float32([[-1.0, 0.5, 2.0, 1.0]])
        >>> curve = nk.precision_curve(nk.quantize(graph, x, bits=4), x, target=25)
        >>> curve.summary
        'No layer needs to be kept. The outputs have 33.9 dB as they are.'
    """

    points: tuple[PrecisionPoint, ...]
    """The accuracy with no layer kept, with one, and so on."""
    graph: Graph = field(repr=False)
    """The graph with all layers of the curve kept precise."""
    target: float
    """The wanted signal-to-noise ratio of the outputs, in dB."""
    bits: int | None
    """Number of bits of kept layers; None is floating point."""
    layers: int
    """Number of layers of the graph."""
    inputs: int
    """Number of inputs that the accuracy is measured with."""

    @property
    def reached(self) -> bool:
        """Whether the target is reached."""
        return self.points[-1].snr >= self.target

    @property
    def keep(self) -> tuple[str, ...]:
        """The layers to keep, for ``nnefkit.quantize(..., keep=curve.keep)``."""
        return tuple(point.layer for point in self.points[1:])

    @property
    def summary(self) -> Summary:
        """The result in words."""
        return in_words(*self._answer)

    @property
    def _answer(self) -> tuple[str, str]:
        first, last = self.points[0], self.points[-1]
        place = "in floating point" if self.bits is None else f"in {self.bits} bits"
        if not last.kept:
            headline = "No layer needs to be kept." if self.reached else "No layer alone helps."
            return headline, f"The outputs have {number(first.snr)} dB as they are."
        names = [code(point.layer) for point in self.points[1:4]]
        rest = last.kept - len(names)
        listed = ", ".join(names) + (f" and {rest:,} more" if rest else "")
        headline = f"{last.kept:,} of {plural(self.layers, 'layer')} {place}"
        if self.reached:
            headline += f" give {number(last.snr)} dB."
            return headline, f"All quantized: {number(first.snr)} dB. Keep {listed}."
        headline += f" do not give {number(self.target)} dB."
        sentence = f"They give {number(last.snr)} dB, all quantized {number(first.snr)} dB."
        return headline, f"{sentence} Kept: {listed}."

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each point; ``snr`` is in dB."""
        import pandas as pd

        columns = ["kept", "layer", "operation", "snr"]
        rows = [[getattr(point, name) for name in columns] for point in self.points]
        return pd.DataFrame(rows, columns=columns)

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        summary = PrecisionSummary(
            title=f"{self.graph.name}: accuracy by layers kept",
            ok=self.reached,
            facts=(
                plural(self.layers, "layer"),
                f"measured on {plural(self.inputs, 'input')}",
                f"target {number(self.target)} dB",
            ),
            headline=headline,
            sentence=sentence,
            target=self.target,
            rows=tuple(
                PrecisionRow(point.kept, point.layer, point.operation, point.snr)
                for point in self.points
            ),
        )
        return precision_card(summary, brief=brief)
