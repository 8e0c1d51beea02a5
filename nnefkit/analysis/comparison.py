"""The result of a comparison of two runs, and its displays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from nnefkit import plot
from nnefkit.analysis.compared_runs import ComparedRuns
from nnefkit.analysis.compared_tensor import ComparedTensors, row
from nnefkit.analysis.sentences import answer, short_label
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.arguments import unknown_attribute
from nnefkit.display.cards.comparison import ComparisonRow, ComparisonSummary, comparison_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.summary_text import Summary, in_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_OTHER_CALLS = {
    "first": "comparison.first_divergence",
    "passed": "comparison.ok",
    "failed": "comparison.differing",
    "failures": "comparison.differing",
    "mismatches": "comparison.differing",
    "tensors": "comparison.rows, comparison[name]",
    "metrics": "comparison[name].metrics, comparison.to_frame()",
    "max_abs": "comparison[name].metrics.max_abs, comparison.to_frame()",
    "snr": "comparison[name].metrics.snr, comparison.to_frame()",
    "report": "the name of the comparison as last line of a cell, comparison.to_frame()",
    "show": "the name of the comparison as last line of a cell",
    "blame": "nnefkit.blame(graph, inputs, ...)",
}
"""What is often looked for in a comparison -> the call or attribute that does it."""


@dataclass(frozen=True, repr=False)
class Comparison(Displayed, ComparedRuns):
    """The result of comparing two runs, as `nnefkit.compare` returns it.

    Example:
        >>> comparison = nk.compare({"x": np.ones(3)}, {"x": np.ones(3)})
        >>> comparison.ok, comparison.summary
        (True, 'The runs are equal. The one tensor compared is equal in every element.')
        >>> comparison["x"].metrics.max_abs
        0.0
    """

    @property
    def summary(self) -> Summary:
        """The result in words: where the runs diverge, why, and how far the difference spreads."""
        return in_words(*self._answer)

    @cached_property
    def _answer(self) -> tuple[str, str]:
        return answer(self)

    @cached_property
    def _summary(self) -> ComparisonSummary:
        headline, sentence = self._answer
        return ComparisonSummary(
            title=" against ".join(self.labels),
            agree=self.ok,
            headline=headline,
            sentence=sentence,
            graph=self.graph.name if self.graph is not None else "",
            labels=self.labels,
            rows=tuple(_rows(self)),
            tolerance=_tolerances(self.rows),
            non_finite=sum(
                each.metrics is not None and any(each.metrics.nan + each.metrics.infinite)
                for each in self.rows
            ),
        )

    def plot(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Plot the signal-to-noise ratio of each tensor, in the order of the graph.

        Args:
            ax: The axes to draw into; by default those of a new figure.
            **options: Those of `nnefkit.plot.comparison`.

        Raises:
            InputError: There is nothing to draw.
        """
        return plot.comparison(self, ax, **options)

    def _ipython_key_completions_(self) -> list[str]:
        """Return what Tab completes after ``comparison["``."""
        return [row.name for row in self.rows]

    def __getattr__(self, name: str) -> NoReturn:
        names = [row.name for row in self.__dict__.get("rows", ())]
        raise unknown_attribute(self, name, _OTHER_CALLS, names)

    def _card(self, *, brief: bool) -> Card:
        return comparison_card(self._summary, brief=brief)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each tensor and one column for each metric.

        `Metrics` explains each and its unit; shares are from 0 to 1.
        """
        return self.rows.to_frame()


def _rows(comparison: Comparison) -> Iterator[ComparisonRow]:
    """Return the rows of the table; missing tensors in the order of the graph, else last."""
    graph = comparison.graph
    operations = graph.operations if graph is not None else ()
    numbers = {name: i for i, op in enumerate(operations) for name in op.output_names}
    rows = [row(tensor, index) for index, tensor in enumerate(comparison.judged)]
    for label, names in zip(comparison.labels, comparison.missing, strict=True):
        for name in names:
            index = numbers.get(name, max(len(operations), len(comparison)))
            operation = operations[index].name if name in numbers else ""
            rows.append(
                ComparisonRow(
                    index, operation, name, "missing", note=f"only in {short_label(label)}"
                )
            )
    return iter(sorted(rows, key=lambda row: row.number))


def _tolerances(tensors: ComparedTensors) -> str:
    dtypes: dict[Tolerance, dict[str, None]] = {}
    for tensor in tensors:
        dtypes.setdefault(tensor.tolerance, {}).update(dict.fromkeys(tensor.dtypes))
    return "; ".join(f"{tolerance} for {', '.join(names)}" for tolerance, names in dtypes.items())
