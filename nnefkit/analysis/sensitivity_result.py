"""The result of `sensitivity`, its sentences and displays."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nnefkit.display.cards.sensitivity import (
    SensitivityRow,
    SensitivitySummary,
    sensitivity_card,
)
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import LONGEST_NAME, Card, code
from nnefkit.display.numbers import number, plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.display.visible_text import visible
from nnefkit.errors import UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SensitiveOperation:
    """An operation, and what a perturbation of its result does to the outputs."""

    tensor: str
    operation: str
    number: int
    """Index of the operation in the graph, from 0."""
    line: int | None
    """Line of the operation in the text of the graph."""
    own_snr: float
    """Signal-to-noise ratio of its perturbed result, in dB; infinite if nothing changed."""
    output_snr: float
    """Signal-to-noise ratio of the outputs, in dB; infinite if none changed."""
    output: bool
    """Whether it is an output itself."""

    @property
    def amplification(self) -> float:
        """How much stronger the relative error of the outputs is than its own, in dB."""
        if math.isinf(self.own_snr) and math.isinf(self.output_snr):
            return 0.0
        return round(self.own_snr - self.output_snr, 9)

    def __repr__(self) -> str:
        return (
            f"<{visible(self.tensor, LONGEST_NAME)}: {number(self.own_snr)} dB itself, "
            f"{number(self.output_snr)} dB of the outputs>"
        )


@dataclass(frozen=True, repr=False)
class Sensitivity(Displayed):
    """The operations by how much a perturbation of each moves the outputs: `nnefkit.sensitivity`.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [1, 4]); y = mul(x, 5.0); z = exp(y); }")
        >>> found = nk.sensitivity(graph, np.float32([[0.1, 0.5, 1.0, 0.3]]), "noise", snr=40)
        >>> found["z"].amplification
        0.0
    """

    operations: tuple[SensitiveOperation, ...] = field(repr=False)
    """The operations, the one that moves the outputs most first."""
    graph: Graph = field(repr=False)
    perturbation: str
    """What was done: ``"rounding to 8 bits"``, ``"noise of 30 dB"``."""
    of: str
    """What was perturbed: ``"results"`` or ``"weights"``."""
    inputs: int
    """Number of inputs."""

    @property
    def summary(self) -> Summary:
        """The result in words."""
        return in_words(*self._answer)

    @property
    def _answer(self) -> tuple[str, str]:
        worst = self.operations[0]
        whose = "its result" if self.of == "results" else "its weights"
        if worst.output_snr == math.inf:
            return "No output moves.", f"The {self.perturbation} changes none of them."
        headline = f"{code(worst.tensor)} moves the outputs most."
        sentence = f"With {whose} perturbed, they have {number(worst.output_snr)} dB"
        middle = self.operations[len(self.operations) // 2]
        if len(self.operations) > 2:
            sentence += f"; the median of {plural(len(self.operations), 'operation')} is "
            sentence += f"{number(middle.output_snr)} dB"
        return headline, f"{sentence}."

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each operation, the most sensitive first.

        ``own_snr``, ``output_snr`` and ``amplification`` are in dB.
        """
        import pandas as pd

        columns = ["tensor", "operation", "number", "line", "own_snr", "output_snr"]
        columns += ["amplification", "output"]
        rows = [[getattr(each, name) for name in columns] for each in self.operations]
        return pd.DataFrame(rows, columns=columns)

    def __getitem__(self, tensor: str) -> SensitiveOperation:
        for each in self.operations:
            if each.tensor == tensor:
                return each
        raise UnknownNameError(
            f"'{tensor}' was not perturbed",
            hint=did_you_mean(tensor, [each.tensor for each in self.operations]),
        )

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer
        summary = SensitivitySummary(
            title=f"{self.graph.name}: sensitivity to {self.perturbation}",
            facts=(
                f"{self.of} of {plural(len(self.operations), 'operation')}, one at a time",
                plural(self.inputs, "input"),
            ),
            headline=headline,
            sentence=sentence,
            rows=tuple(
                SensitivityRow(
                    each.number,
                    each.operation,
                    each.tensor,
                    each.line,
                    each.own_snr,
                    each.output_snr,
                    each.amplification,
                )
                for each in self.operations
            ),
        )
        return sensitivity_card(summary, brief=brief)
