"""Two sides that were compared over many inputs: each tensor's worst input, and the spread."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from nnefkit.analysis.compared_runs import Missing
from nnefkit.analysis.compared_tensor import (
    ComparedTensor,
    element,
    listed,
    place,
    severity,
    size,
)
from nnefkit.analysis.comparison import Comparison
from nnefkit.analysis.sentences import cause, not_compared
from nnefkit.display.cards.compared_inputs import (
    ComparedInputsRow,
    ComparedInputsSummary,
    compared_inputs_card,
)
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card, code
from nnefkit.display.numbers import number as written
from nnefkit.display.numbers import plural
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.errors import UnknownNameError, did_you_mean
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TensorOverInputs:
    """One tensor, compared over many inputs."""

    worst: ComparedTensor
    """The comparison for the worst input: one out of tolerance before others, then one with other
    shapes, one with NaN or Inf that do not match, and the one with the largest `Metrics.max_rel`.
    """
    worst_input: int
    """Its number, from 0; the first of several."""
    inputs: int
    """Number of inputs for which both sides have the tensor."""
    outside: int
    """Number of inputs for which it is out of tolerance."""
    equal: int
    """Number of inputs for which it is equal in every element."""
    introduces: int
    """Number of inputs for which it introduces a difference."""
    first_outside: int | None
    """Number of the first input for which it is out of tolerance."""
    measured: int
    """Number of inputs with a distance: equal shapes, and elements that are finite in both."""
    mean: float
    """Mean over these of the largest difference relative to the tensor, `Metrics.max_rel`."""
    squares: float = field(repr=False)
    """Sum of their squared distances from `mean`."""

    @classmethod
    def of(cls, tensor: ComparedTensor, number: int) -> TensorOverInputs:
        """Return the result for one input, whose number is `number`."""
        found = tensor.metrics
        relative = math.nan if found is None else found.max_rel
        is_measured = not math.isnan(relative)
        return cls(
            tensor,
            number,
            1,
            int(not tensor.ok),
            int(tensor.verdict == "equal"),
            int(tensor.verdict == "introduces"),
            None if tensor.ok else number,
            int(is_measured),
            relative if is_measured else 0.0,
            0.0,
        )

    @property
    def name(self) -> str:
        """The name of the tensor."""
        return self.worst.name

    @property
    def ok(self) -> bool:
        """Whether it is within the tolerance for every input."""
        return not self.outside

    @property
    def deviation(self) -> float:
        """Standard deviation of what `mean` is the mean of (population); NaN without any."""
        return math.sqrt(self.squares / self.measured) if self.measured else math.nan

    def merged(self, other: TensorOverInputs) -> TensorOverInputs:
        """Return the result for these inputs and for later ones."""
        worse = other if _badness(other.worst) > _badness(self.worst) else self
        first = other.first_outside if self.first_outside is None else self.first_outside
        measured = self.measured + other.measured
        mean, squares = self._moments(other)
        return replace(
            worse,
            inputs=self.inputs + other.inputs,
            outside=self.outside + other.outside,
            equal=self.equal + other.equal,
            introduces=self.introduces + other.introduces,
            first_outside=first,
            measured=measured,
            mean=mean,
            squares=squares,
        )

    def _moments(self, other: TensorOverInputs) -> tuple[float, float]:
        """Return `mean` and `squares` of both together (Chan, Golub and LeVeque)."""
        if not self.measured or not other.measured:
            some = self if self.measured else other
            return some.mean, some.squares
        if math.isinf(self.mean) or math.isinf(other.mean):
            return math.inf, math.nan
        share = other.measured / (self.measured + other.measured)
        distance = other.mean - self.mean
        squares = self.squares + other.squares + distance * distance * self.measured * share
        return self.mean + distance * share, squares


def _badness(tensor: ComparedTensor) -> tuple[bool, bool, bool, float]:
    return not tensor.ok, *severity(tensor)


def badness(comparison: Comparison) -> tuple[bool, bool, bool, float]:
    """Return a sort key: how bad the worst tensor of a comparison is."""
    return max(map(_badness, comparison.judged))


@dataclass(frozen=True, repr=False)
class ComparedInputs(Displayed):
    """Two sides compared over many inputs, as `nnefkit.compare_many` returns them.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = mul(x, 2.0); }")
        >>> found = nk.compare_many(graph, [np.ones(2), np.zeros(2)], suspect="numpy")
        >>> found.summary
        'The runs are equal for 2 inputs. All 2 tensors are equal in every element.'
    """

    tensors: tuple[TensorOverInputs, ...] = field(repr=False)
    """The tensors that both sides have for some input, in the order of the graph."""
    inputs: int
    """Number of inputs that were compared."""
    worst: Comparison = field(repr=False)
    """The comparison of the worst input."""
    worst_input: int
    """Its number, from 0; the first of several."""
    missing: Missing = field(default=Missing((), ()), repr=False)
    """Names of the tensors that only one side has, for some input at least."""
    labels: tuple[str, str] = ("reference", "suspect")
    graph: Graph | None = field(default=None, repr=False)
    """The graph that determines the order of the tensors, if one is known."""
    interrupted: bool = False
    """Whether the work was interrupted: the result is of the inputs until then."""

    @property
    def ok(self) -> bool:
        """Whether every tensor that both sides have is within the tolerance for every input."""
        return all(each.ok for each in self.tensors)

    @property
    def equal(self) -> bool:
        """Whether every tensor that both sides have is equal in every element for every input."""
        return all(each.equal == each.inputs for each in self.tensors)

    @property
    def first_divergence(self) -> TensorOverInputs | None:
        """The first tensor that is out of tolerance for some input; None if the runs agree."""
        return next((each for each in self.tensors if not each.ok), None)

    def __getitem__(self, name: str) -> TensorOverInputs:
        for each in self.tensors:
            if each.name == name:
                return each
        names = [each.name for each in self.tensors]
        raise UnknownNameError(
            f"no tensor '{name}' was compared", hint=did_you_mean(str(name), names)
        )

    @property
    def summary(self) -> Summary:
        """The result in words: where the runs diverge, for how many inputs, and the worst one."""
        return in_words(*self._answer())

    def _answer(self) -> tuple[str, str]:
        count = plural(self.inputs, "input")
        cut = [f"Interrupted after {count}."] if self.interrupted else []
        first = self.first_divergence
        if first is None:
            is_partial = any(self.missing) or self.worst.unseen
            subject = "What was compared" if is_partial else "The runs"
            verbs = ("is equal", "agrees") if is_partial else ("are equal", "agree")
            headline = f"{subject} {verbs[0 if self.equal else 1]} for {count}."
            sentences = [*cut, self._agreement()]
        else:
            where = "at or before" if len(first.worst.suspects) > 1 else "at"
            headline = f"The runs diverge {where} {code(first.name)}"
            sentences = [self._divergence(first), *cut, self._extent(first)]
        sentences += [not_compared(self.worst), self._missing_elsewhere()]
        return headline, " ".join(filter(None, sentences))

    def _agreement(self) -> str:
        count = len(self.tensors)
        subject = f"All {count:,} tensors are" if count > 1 else "The one tensor compared is"
        if self.equal:
            return f"{subject} equal in every element."
        worst = max(self.tensors, key=lambda each: _badness(each.worst))
        largest = written(severity(worst.worst)[2])
        return (
            f"{subject} within the tolerance; the largest relative difference is {largest}, at "
            f"{code(worst.name)} for input {worst.worst_input:,} ({_spread(worst)})."
        )

    def _divergence(self, first: TensorOverInputs) -> str:
        where = place(first.worst)
        of = f"for {first.outside:,} of {plural(self.inputs, 'input')}"
        since = f"{of}, first for input {first.first_outside:,}" if self.inputs > 1 else of
        sentences = [f"{f'({where}) ' if where else ''}{since}."]
        if self.inputs > 1:
            spread = _spread(first)
            sentences.append(f"It is worst for input {first.worst_input:,}: {size(first.worst)}")
            sentences[-1] += f" (relative to the tensor: {spread})." if spread else "."
        else:
            sentences.append(f"It has: {size(first.worst)}.")
        sentences.append(element(first.worst, self.labels))
        reason = cause(first.worst)
        if reason:
            sentences.append(f"{reason[0].upper()}{reason[1:]}.")
        return " ".join(filter(None, sentences))

    def _extent(self, first: TensorOverInputs) -> str:
        if len(self.tensors) == 1:
            return ""
        wrong = sum(not each.ok for each in self.tensors)
        verb = "is" if wrong == 1 else "are"
        sentence = f"{wrong:,} of {len(self.tensors):,} tensors {verb} out of tolerance"
        worst = max(self.tensors, key=lambda each: _badness(each.worst))
        if worst is first:
            return f"{sentence}."
        return (
            f"{sentence}, worst {code(worst.name)} for input {worst.worst_input:,}: "
            f"{size(worst.worst)}."
        )

    def _missing_elsewhere(self) -> str:
        """Name tensors that lack a counterpart, but have one for the worst input."""
        parts = [
            f"{listed(others)} only in {code(label).strip('`')}"
            for label, names, known in zip(
                self.labels, self.missing, self.worst.missing, strict=True
            )
            if (others := [name for name in names if name not in known])
        ]
        return f"For some inputs, not compared: {', '.join(parts)}." if parts else ""

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each tensor; the metrics are those of its worst input."""
        import pandas as pd

        rows = [_record(each) for each in self.tensors]
        return pd.DataFrame(rows).set_index("tensor").astype({"first_outside": "Int64"})

    def _card(self, *, brief: bool) -> Card:
        headline, sentence = self._answer()
        summary = ComparedInputsSummary(
            f"{' against '.join(self.labels)}, {plural(self.inputs, 'input')}",
            self.graph.name if self.graph is not None else "",
            self.ok,
            headline,
            sentence,
            tuple(_row(each) for each in self.tensors),
        )
        return compared_inputs_card(summary, brief=brief)


def _spread(tensor: TensorOverInputs) -> str:
    if not tensor.measured:
        return ""
    return f"mean {written(tensor.mean)}, deviation {written(tensor.deviation)}"


def _row(each: TensorOverInputs) -> ComparedInputsRow:
    measured = each.worst.metrics
    return ComparedInputsRow(
        each.worst.operation,
        each.name,
        each.outside,
        each.inputs,
        each.worst_input,
        None if measured is None else measured.max_rel,
        None if measured is None else measured.snr,
        each.mean if each.measured else math.nan,
        each.deviation,
    )


def _record(each: TensorOverInputs) -> dict[str, Any]:
    measured = each.worst.metrics
    return {
        "tensor": each.name,
        "operation": each.worst.operation,
        "ok": each.ok,
        "inputs": each.inputs,
        "outside": each.outside,
        "equal": each.equal,
        "introduces": each.introduces,
        "first_outside": each.first_outside,
        "worst_input": each.worst_input,
        "worst_at": None if measured is None else measured.worst,
        "max_abs": math.nan if measured is None else measured.max_abs,
        "max_rel": math.nan if measured is None else measured.max_rel,
        "snr_db": math.nan if measured is None else measured.snr,
        "cosine": math.nan if measured is None else measured.cosine,
        "mean_rel": each.mean if each.measured else math.nan,
        "deviation_rel": each.deviation,
    }
