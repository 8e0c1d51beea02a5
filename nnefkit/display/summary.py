"""What the displays know: plain values, handed over by the classes of the model.

One summary feeds the text and the HTML of an object, so that both tell the same facts. Sequences
hold *everything* (all operations, all tensors of a trace); the displays choose what to show, and
say what they left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

from nnefkit.arrays import Array
from nnefkit.display.statistics import Statistics, statistics
from nnefkit.operation_names import SOURCES

Shape = tuple[int, ...] | None


class Port(NamedTuple):
    """An input or an output of a graph."""

    name: str
    dtype: str
    shape: Shape


class OperationRow(NamedTuple):
    """One operation in the table of a graph."""

    number: int
    """Its place among the operations of the graph, from 0."""
    operation: str
    results: tuple[str, ...]
    """Names of the tensors that it computes."""
    shape: Shape
    """Of the first result."""
    macs: int | None = None
    parameters: int = 0
    """Items of the variables that it reads."""
    line: int | None = None
    scope: tuple[str, ...] = ()


class VariableRow(NamedTuple):
    """One variable in the table of a graph."""

    name: str
    label: str
    shape: Shape
    values: Array | None
    """Looked at only when the display is made, and then only within its budget."""

    @property
    def item_type(self) -> str:
        """Of the stored values, such as ``"float32"``; empty where there are none."""
        return "" if self.values is None else str(self.values.dtype)


class Examined(NamedTuple):
    """Statistics of the variables of a graph, as far as the budget reached."""

    statistics: tuple[Statistics | None, ...]
    """One for each variable; None where there are no values or the budget was spent."""
    examined: int
    """Number of values that were looked at."""
    available: int
    """Number of values that there are."""
    nan: int
    infinite: int


@dataclass(frozen=True)
class Proof:
    """That a graph computes what the model does that it was converted from."""

    source: str
    """What kind of model that was."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Package -> version."""
    verified: bool = False
    engine: str = ""
    tolerance: float | None = None
    """Largest difference allowed, relative to the largest item of an output."""
    difference: float | None = None
    """Largest difference found, relative likewise."""


@dataclass(frozen=True)
class GraphSummary:
    """A graph as a whole."""

    name: str
    version: str = "1.0"
    path: str = ""
    """Where it was loaded from; may be empty."""
    extensions: tuple[str, ...] = ()
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    operations: tuple[OperationRow, ...] = field(default=(), repr=False)
    """All of them, sources (external, variable, constant) included, in the order of the graph."""
    variables: tuple[VariableRow, ...] = field(default=(), repr=False)
    parameters: int = 0
    """Number of values of all variables."""
    bytes: int = 0
    """What they take in memory."""
    macs: int | None = None
    """Multiply-accumulates of one run, as far as shapes are known; None where none are."""
    quantized: int = 0
    """Number of tensors that ``graph.quant`` says something of."""
    proof: Proof | None = None
    """Of a graph that was converted: out of what, and what shows that it is the same."""
    picture: str | None = field(default=None, repr=False)
    """The graph drawn as an SVG document; None leaves the picture out."""
    picture_caption: str = ""
    """What the picture folds or leaves out; without a picture, why there is none."""
    text: str = field(default="", repr=False)
    """The text that the graph was parsed from; may be empty."""
    text_name: str = "graph.nnef"

    budget: int = field(default=2_000_000, repr=False)
    """How many values of variables the displays may look at."""

    @cached_property
    def histogram(self) -> tuple[tuple[str, int], ...]:
        """Operation name -> how often, the most frequent first; without the sources."""
        counts: dict[str, int] = {}
        for row in self.operations:
            if row.operation not in SOURCES:
                counts[row.operation] = counts.get(row.operation, 0) + 1
        return tuple(sorted(counts.items(), key=lambda item: -item[1]))

    @cached_property
    def examined(self) -> Examined:
        """Statistics of the variables, in their order, until the budget is spent."""
        found: list[Statistics | None] = []
        budget, available, nan, infinite, seen = self.budget, 0, 0, 0, 0
        # Many small variables cost more than their values do.
        calls = 400
        limit = max(self.budget // 32, 1)
        for row in self.variables:
            size = row.values.size if row.values is not None else 0
            available += size
            if row.values is None or budget <= 0 or calls <= 0:
                found.append(None)
                continue
            one = statistics(row.values, limit=min(limit, budget))
            found.append(one)
            budget -= one.examined
            calls -= 1
            seen, nan, infinite = seen + one.examined, nan + one.nan, infinite + one.infinite
        return Examined(tuple(found), seen, available, nan, infinite)


@dataclass(frozen=True)
class OperationSummary:
    """One operation by itself."""

    operation: str
    inputs: Mapping[str, Any]
    """Formal name -> argument as it is written in NNEF text."""
    outputs: Mapping[str, Any]
    """Formal name -> results as they are written in NNEF text."""
    attributes: Mapping[str, str]
    """Formal name -> value as it is written in NNEF text."""
    dtype: str | None = None
    """The generic type argument, if it has one."""
    scope: tuple[str, ...] = ()
    macs: int | None = None
    line: int | None = None


@dataclass(frozen=True)
class TensorSummary:
    """One tensor: of a graph, or with the values that it has in a run."""

    name: str
    dtype: str = "scalar"
    shape: Shape = None
    values: Array | None = field(default=None, repr=False)
    label: str = ""
    producer: str = ""
    """Name of the operation that computes it."""
    line: int | None = None
    """Of that operation in the text of the graph."""
    quantization: Mapping[str, Any] | None = None
    origin: str = ""
    access: str = "tensor.data"
    """The code that gives the values, shown as the way to more."""
    given: Statistics | None = field(default=None, repr=False)
    """Statistics of the values where they are known already (or the values are not kept)."""
    sample: int = field(default=4_000_000, repr=False)
    """How many values the displays may look at."""

    @cached_property
    def statistics(self) -> Statistics | None:
        """Statistics of the values, of a sample of them where there are more than that."""
        if self.given is not None or self.values is None:
            return self.given
        return statistics(self.values, limit=self.sample)

    @property
    def item_type(self) -> str:
        """Of the values, such as ``"float32"``; empty where there are none."""
        return "" if self.values is None else str(self.values.dtype)

    @property
    def items(self) -> int | None:
        """Number of items, None while the shape is not known."""
        if self.shape is None:
            return None
        items = 1
        for extent in self.shape:
            items *= extent
        return items


class TraceRow(NamedTuple):
    """One tensor of a run; an operation with two results has two rows."""

    number: int
    """Of the operation in the graph, from 0."""
    operation: str
    tensor: str
    shape: Shape
    finite: bool | None
    """Whether it holds neither NaN nor Inf; None where nobody looked."""
    seconds: float | None = None
    """Of the operation; given in the first row of an operation only, so that a sum is right."""
    bytes: int | None = None
    line: int | None = None
    kept: bool = True
    """Whether the trace holds the values."""


@dataclass(frozen=True)
class TraceSummary:
    """What flowed through a graph in one run."""

    graph: str
    engine: str
    rows: tuple[TraceRow, ...] = field(default=(), repr=False)
    """All tensors of the run, in the order of the graph; variables and constants left out."""
    seconds: float | None = None
    """Of the whole run."""
    inputs: tuple[Port, ...] = ()
    statistics: Mapping[str, Statistics] = field(default_factory=dict, repr=False)
    """Of the tensors that were looked at, by name; asked for those only that are shown."""

    @cached_property
    def kept(self) -> int:
        """Number of tensors whose values the trace holds."""
        return sum(row.kept for row in self.rows)

    @cached_property
    def bytes(self) -> int:
        """What the kept values take in memory."""
        return sum(row.bytes or 0 for row in self.rows if row.kept)

    @cached_property
    def checked(self) -> int:
        """Number of tensors that were looked at."""
        return sum(row.finite is not None for row in self.rows)

    @cached_property
    def non_finite(self) -> tuple[str, ...]:
        """Names of the tensors that hold a NaN or an Inf, in the order of the graph."""
        return tuple(row.tensor for row in self.rows if row.finite is False)


Verdict = Literal["equal", "within", "introduces", "inherits", "differs", "missing"]
"""Of one tensor: the same bits; within the tolerance; differs although the inputs of its operation
do not; differs as they do; differs (where no inputs are known); there is none to compare with."""


class ComparisonRow(NamedTuple):
    """One tensor of a comparison."""

    number: int
    """Of the operation in the graph, from 0; negative where no graph is known."""
    operation: str
    """Empty where no graph is known."""
    tensor: str
    verdict: Verdict
    max_abs: float | None = None
    """Largest absolute difference."""
    relative: float | None = None
    """The same, relative to the largest absolute value of the first of the two."""
    snr: float | None = None
    """Signal-to-noise ratio in dB; infinite where the two are equal."""
    cosine: float | None = None
    line: int | None = None
    shape: Shape = None
    output: bool = False
    """Whether it is an output of the graph; those are always shown."""
    note: str = ""
    """What else there is to say: "shapes differ", "2 NaN"."""


@dataclass(frozen=True)
class ComparedSummary:
    """One tensor of a comparison by itself."""

    name: str
    verdict: Verdict
    facts: tuple[str, ...] = ()
    """What it is: its operation, its shape, the two dtypes."""
    answer: str = ""
    """How far the two are apart, in words."""
    metrics: tuple[tuple[str, str, str], ...] = ()
    """Name, value, and what the value means."""


@dataclass(frozen=True)
class ComparisonSummary:
    """Two runs side by side, tensor by tensor."""

    title: str
    """What is compared: "float weights against 8-bit weights"."""
    agree: bool
    """Whether all tensors are within the tolerance."""
    headline: str
    """The answer in a few words: "They part at conv8", "They agree"."""
    sentence: str = ""
    """What else makes the answer whole. Words in `backticks` (in the headline too) are code."""
    graph: str = ""
    labels: tuple[str, str] = ("a", "b")
    """What the two are called: engines, or "float" and "8 bit"."""
    rows: tuple[ComparisonRow, ...] = field(default=(), repr=False)
    """All tensors, in the order of the graph, missing ones included."""
    tolerance: str = ""
    """In words: "1e-5 relative, 1e-6 absolute"."""
    non_finite: int = 0
    """Number of tensors with NaN or Inf in one of the two."""

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Verdict -> number of tensors."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[row.verdict] = counts.get(row.verdict, 0) + 1
        return counts

    @cached_property
    def first(self) -> ComparisonRow | None:
        """Where the two part: the first tensor that is neither equal nor within the tolerance."""
        parted = (row for row in self.rows if row.verdict in ("introduces", "inherits", "differs"))
        return next(parted, None)


class DiagnosticRow(NamedTuple):
    """One diagnostic of a report; its fields are those of `text.diagnostic`."""

    code: str
    severity: str
    message: str
    file: str = ""
    line: int | None = None
    column: int | None = None
    length: int = 0
    excerpt: str = ""
    hint: str = ""
    section: str = ""


@dataclass(frozen=True)
class ReportSummary:
    """The result of a validation."""

    file: str
    diagnostics: tuple[DiagnosticRow, ...] = field(default=(), repr=False)
    """All of them, in the order of the text."""
    graph: str = ""
    """Name of the graph, where it could be read."""
    operations: int | None = None
    """Number of operations that were checked, where it could be read."""
    text: str = field(default="", repr=False)
    """What was validated, where it is at hand."""
    text_name: str = ""
    """What the diagnostics that point into it call it."""

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends."""
        return [line.rstrip("\r") for line in self.text.removesuffix("\n").split("\n")]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not self.number("error")

    def number(self, severity: str) -> int:
        """How many diagnostics of `severity` there are."""
        return sum(row.severity == severity for row in self.diagnostics)


class EngineRow(NamedTuple):
    """One way to run graphs."""

    name: str
    version: str = ""
    """Of the package that does the work; empty if it is not installed."""
    operations: frozenset[str] = frozenset()
    """Names of those that it runs."""
    partly: frozenset[str] = frozenset()
    """Those of them that it runs with some attributes or dtypes only."""
    options: tuple[str, ...] = ()
    remedy: str = ""
    """What installs it, if it is not."""
    state: str = "not installed"
    """Of one that cannot be used: this, or ``"broken"``."""

    @property
    def whole(self) -> frozenset[str]:
        """Names of the operations that it runs whatever their attributes and dtypes."""
        return self.operations - self.partly


@dataclass(frozen=True)
class EnginesSummary:
    """The engines that there are, the reference first."""

    rows: tuple[EngineRow, ...]
    problems: tuple[str, ...] = ()
    """Engines that are declared but cannot be used, and why."""

    @cached_property
    def installed(self) -> tuple[EngineRow, ...]:
        """Those that can be used."""
        return tuple(row for row in self.rows if row.version)

    @cached_property
    def contested(self) -> tuple[str, ...]:
        """Names of the operations that not every installed engine runs in every case."""
        names = frozenset[str]().union(*(row.operations for row in self.installed))
        return tuple(
            name for name in sorted(names) if any(name not in row.whole for row in self.installed)
        )
