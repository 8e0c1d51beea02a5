"""The result of a comparison of two runs, and its summary in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nnefkit.analysis.causes import weight_tensors
from nnefkit.analysis.compared_tensor import (
    ComparedTensor,
    ComparedTensors,
    advice,
    listed,
    place,
    row,
    severity,
    size,
)
from nnefkit.analysis.tolerance import Tolerance
from nnefkit.display.cards.comparison import ComparisonRow, ComparisonSummary, comparison_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import LONGEST_NAME, Card, code
from nnefkit.display.numbers import number, plural
from nnefkit.display.text import brief_repr
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


class Missing(NamedTuple):
    """Tensors that only one run has, without weights."""

    first_only: tuple[str, ...]
    second_only: tuple[str, ...]

    def __repr__(self) -> str:
        first, second = map(brief_repr, self)
        return f"Missing(first_only={first}, second_only={second})"


@dataclass(frozen=True, repr=False)
class Comparison(Displayed):
    """The result of comparing two runs, as `nnefkit.compare` returns it.

    Example:
        >>> comparison = nk.compare({"x": np.ones(3)}, {"x": np.ones(3)})
        >>> comparison.ok, comparison.summary
        (True, 'The runs are equal. The one tensor compared is equal in every element.')
        >>> comparison["x"].metrics.max_abs
        0.0
    """

    rows: ComparedTensors = field(repr=False)
    """The tensors that both runs have, in the order of the graph (without one, of the first)."""
    missing: Missing = field(repr=False)
    labels: tuple[str, str] = ("a", "b")
    graph: Graph | None = field(default=None, repr=False)
    """The graph that determines the order and the operations of the rows, if one is known."""
    both_graphs: bool = field(default=False, repr=False)
    """Whether the graphs of both runs are known, so that weights and attributes were compared."""

    @cached_property
    def _by_name(self) -> Mapping[str, ComparedTensor]:
        return {row.name: row for row in self.rows}

    def __getitem__(self, name: str) -> ComparedTensor:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError(
                f"no tensor '{name}' was compared", hint=did_you_mean(name, self._by_name)
            ) from None

    def __iter__(self) -> Iterator[ComparedTensor]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ok(self) -> bool:
        """Whether every tensor that both runs have (see `judged`) is within its tolerance."""
        return all(row.ok for row in self.judged)

    @property
    def equal(self) -> bool:
        """Whether every tensor that both runs have (see `judged`) is equal in every element."""
        return all(row.verdict == "equal" for row in self.judged)

    @property
    def differing(self) -> ComparedTensors:
        """The tensors out of tolerance; weights only where nothing but weights was compared."""
        return ComparedTensors(row for row in self.judged if not row.ok)

    @property
    def introducing(self) -> ComparedTensors:
        """The tensors that introduce a difference: their inputs agree, but they do not."""
        return ComparedTensors(row for row in self.judged if row.verdict == "introduces")

    @property
    def first_divergence(self) -> ComparedTensor | None:
        """The first tensor out of tolerance; None if the runs agree."""
        return next(iter(self.differing), None)

    @cached_property
    def judged(self) -> ComparedTensors:
        """The rows without weights (or all, if there is nothing else).

        Different weights are often intended; the runs are judged by their effects.
        """
        return ComparedTensors(row for row in self.rows if not row.weight) or self.rows

    def worst(self, n: int = 10) -> ComparedTensors:
        """Return the `n` tensors with the largest relative differences, the largest first.

        Raises:
            InputError: `n` is negative or not an integer.
        """
        count: object = n
        if not isinstance(count, (int, np.integer)) or count < 0:
            raise InputError(f"n must be an integer of at least 0, not {n!r}")
        return ComparedTensors(sorted(self.judged, key=severity, reverse=True)[:n])

    @property
    def summary(self) -> str:
        """The result in words: where the runs diverge, why, and how far the difference spreads."""
        return f"{self._answer[0]} {self._answer[1]}".replace("`", "")

    @cached_property
    def _answer(self) -> tuple[str, str]:
        """Headline and sentences; names are in `backticks`."""
        first = self.first_divergence
        if first is None:
            headline = "The runs are equal." if self.equal else "The runs agree."
            sentences = [_agreement(self)]
        else:
            headline, sentences = (
                f"The runs diverge at {code(first.name)}",
                _divergence(self, first),
            )
        sentences += [_permuted(self), _not_compared(self)]
        return headline, " ".join(filter(None, sentences))

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

    def _card(self, *, brief: bool) -> Card:
        return comparison_card(self._summary, brief=brief)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each tensor and one column for each metric.

        `Metrics` explains each and its unit; shares are from 0 to 1.
        """
        return self.rows.to_frame()


# -- the result in words --------------------------------------------------------------------------


def _agreement(comparison: Comparison) -> str:
    count = len(comparison.judged)
    subject = f"All {count:,} tensors are" if count > 1 else "The one tensor compared is"
    if comparison.equal:
        return f"{subject} equal in every element."
    worst = comparison.worst(1)[0]
    measured = worst.metrics
    if measured is None:  # tensors that cannot be compared are not within the tolerance
        return ""
    return (
        f"{subject} within the tolerance; the largest relative difference is "
        f"{number(measured.max_rel)}, at {code(worst.name)} ({number(measured.max_abs)}, "
        f"SNR {number(measured.snr)} dB)."
    )


def _divergence(comparison: Comparison, first: ComparedTensor) -> list[str]:
    sentences = [f"({place(first) or 'first in order'}): {size(first)}."]
    if first.verdict == "introduces":
        sentences += [_reason(comparison, first), _spread(comparison, first)]
    elif len(comparison.differing) > 1:
        sentences.append(_extent(comparison))
    return [*sentences, advice(first)]


def _reason(comparison: Comparison, first: ComparedTensor) -> str:
    """Explain why a tensor differs although the inputs of its operation do not."""
    if first.operation == "external" and not first.altered.startswith("it is"):
        return "It is an input: the runs had different inputs."
    inputs = _inputs(comparison, first)
    if first.causes:
        verb = "differs" if len(first.causes) == 1 else "differ"
        noun = "weight" if len(first.causes) == 1 else "weights"
        rest = f"; {inputs[1]}" if inputs else ""
        return f"Its {noun} {listed(first.causes)} {verb}{rest}."
    if first.altered:
        return f"{first.altered[0].upper()}{first.altered[1:]}."
    if not inputs:
        return ""
    if not comparison.both_graphs:
        return f"{inputs[0]}, so its weights differ or it is computed differently."
    return f"{inputs[0]} and its weights are equal, so it is computed differently."


def _inputs(comparison: Comparison, tensor: ComparedTensor) -> tuple[str, str] | None:
    """Say that the inputs of an operation agree, as the beginning and as the end of a sentence."""
    graph = comparison.graph
    if graph is None:
        return None
    weights = weight_tensors(graph)
    count = len(set(graph.operations[tensor.number].input_names) - weights)
    if count == 0:
        return None
    if count == 1:
        return "Its input agrees", "its input does not"
    return "Its inputs agree", "its inputs do not"


def _spread(comparison: Comparison, first: ComparedTensor) -> str:
    """Describe the other differences."""
    others = [each for each in comparison.introducing if each is not first]
    parts = [_others(others), _inheriting(comparison, first), _outputs(comparison, first)]
    return "; ".join(filter(None, parts)) + "."


def _others(others: list[ComparedTensor]) -> str:
    if not others:
        return ""
    noun = "tensor introduces" if len(others) == 1 else "tensors introduce"
    names = listed([each.name for each in others])
    return f"{len(others):,} more {noun} a difference ({names})"


def _inheriting(comparison: Comparison, first: ComparedTensor) -> str:
    count = sum(each.verdict == "inherits" for each in comparison.differing)
    if count:
        verb = "tensor inherits" if count == 1 else "tensors inherit"
        return f"{count:,} {verb} the difference"
    return "" if first.output else "no other tensor inherits the difference"


def _outputs(comparison: Comparison, first: ComparedTensor) -> str:
    outputs = [each for each in comparison.rows if each.output and each is not first]
    wrong = [each for each in outputs if not each.ok]
    if not wrong:
        return "the outputs are within the tolerance" if outputs else ""
    worst = max(wrong, key=severity)
    if worst.metrics is None or worst.metrics.mismatched:
        return f"the output {code(worst.name)} differs"
    return f"the output {code(worst.name)} is off by {number(worst.metrics.max_abs)}"


def _extent(comparison: Comparison) -> str:
    count = len(comparison.differing)
    worst = max(comparison.differing, key=severity)
    return (
        f"{count:,} of {len(comparison.judged):,} tensors are out of tolerance; the largest "
        f"difference, relative to the tensor, is at {code(worst.name)} ({size(worst)})."
    )


def _permuted(comparison: Comparison) -> str:
    permuted: dict[tuple[int, ...], list[str]] = {}
    for each in comparison.rows:
        if each.axes is not None:
            permuted.setdefault(each.axes, []).append(each.name)
    second = _label(comparison.labels[1])
    return " ".join(
        f"The axes of {listed(names)} in {second} were permuted by {list(axes)}."
        for axes, names in permuted.items()
    )


def _label(label: str) -> str:
    return visible(label, LONGEST_NAME)


def _not_compared(comparison: Comparison) -> str:
    sides = zip(comparison.labels, comparison.missing, strict=True)
    parts = [
        f"{plural(len(names), 'tensor')} only in {_label(label)}" for label, names in sides if names
    ]
    return f"Not compared: {' and '.join(parts)}." if parts else ""


# -- the table ------------------------------------------------------------------------------------


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
                ComparisonRow(index, operation, name, "missing", note=f"only in {_label(label)}")
            )
    return iter(sorted(rows, key=lambda row: row.number))


def _tolerances(tensors: ComparedTensors) -> str:
    dtypes: dict[Tolerance, dict[str, None]] = {}
    for tensor in tensors:
        dtypes.setdefault(tensor.tolerance, {}).update(dict.fromkeys(tensor.dtypes))
    return "; ".join(f"{tolerance} for {', '.join(names)}" for tolerance, names in dtypes.items())
