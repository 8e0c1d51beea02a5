"""The examination of one side of a blame: what each operation introduces and inherits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.analysis.blame_sides import (
    Alignment,
    Feed,
    Runnable,
    check_same_input,
    check_same_segments,
)
from nnefkit.analysis.blamed_operation import Verdict
from nnefkit.analysis.bug_report import Evidence
from nnefkit.analysis.causes import weight_tensors
from nnefkit.analysis.metrics import Metrics, energy, metrics
from nnefkit.analysis.segments import IsolatedSegment, own_results, run_on, segments
from nnefkit.analysis.tolerance import Accepted, Tolerance, tolerance_for
from nnefkit.arrays import Array
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import InputError
from nnefkit.execution.trace.trace import Trace

SHARES = 8
"""Number of guilty operations, the worst ones, whose share of the error is measured."""


@dataclass
class Found:
    """What is known about one segment, over all inputs."""

    segment: IsolatedSegment
    own: list[Metrics] = field(default_factory=list)
    signal: list[float] = field(default_factory=list)
    """Sum of squares of the result in the reference, for each input."""
    inherited: float = 0.0
    """Sum of squares of the inherited error."""
    total_is_wrong: bool = False
    """Whether the result in the run of the suspect is out of tolerance."""
    errors: list[tuple[float, float]] = field(default_factory=list)
    """Error of the outputs with and without the introduced error, for each input."""
    evidence: Evidence | None = None
    """The values of the worst input, if it is guilty."""

    @property
    def verdict(self) -> Verdict:
        """Whether it introduces an error out of tolerance, or else passes one on."""
        if any(not each.ok for each in self.own):
            return "guilty"
        return "passes it on" if self.total_is_wrong else "clean"

    @property
    def worst(self) -> Metrics:
        """The error that it introduces for the worst input."""
        return max(self.own, key=lambda each: (each.mismatched > 0, -_or(each.snr, -math.inf)))

    def snr(self) -> float:
        """Return the signal-to-noise ratio of that error over all inputs, in dB."""
        noise = sum(_or(each.rmse, math.inf) ** 2 * each.compared for each in self.own)
        return _ratio(sum(self.signal), noise)

    def inherited_snr(self) -> float:
        """Return the same of the error that it inherits."""
        return _ratio(sum(self.signal), self.inherited)

    def share(self) -> float | None:
        """Return its share of the squared error of the outputs; None if it is not known."""
        before = sum(error**2 for error, _ in self.errors)
        after = sum(error**2 for _, error in self.errors)
        if not before or not math.isfinite(before) or not math.isfinite(after):
            return None
        return 1 - after / before


def snr_of(own: Metrics) -> float:
    """Return the ratio for one input; the lowest one where NaN or Inf do not match."""
    return -math.inf if own.mismatched else _or(own.snr, -math.inf)


def _or(value: float, other: float) -> float:
    return other if math.isnan(value) else value


def _ratio(signal: float, noise: float) -> float:
    if math.isnan(noise):
        return math.nan
    if not noise:
        return math.inf
    return 10 * math.log10(signal / noise) if signal and math.isfinite(noise) else -math.inf


class Examination:
    """Examines one input after the other: the errors of all segments, the shares of the guilty."""

    def __init__(
        self,
        runnable: Runnable,
        feed: Feed,
        alignment: Alignment,
        tolerance: Accepted,
        budget: int,
        bar: ProgressBar,
    ) -> None:
        self.found: dict[str, Found] = {}
        """What is known so far, by result."""
        self.runnable = runnable
        self.feed = feed
        self.is_reversed = feed.word == "suspect"
        self.other_word = "reference" if self.is_reversed else "suspect"
        self.tolerance = tolerance
        self.budget = budget
        self.bar = bar
        self.alignment = alignment
        self.given: dict[str, Array] = {}
        """Values by the names of the graph that is run: those of the reference, or of a recorded
        suspect."""
        self.own: dict[str, Array] = {}
        self.expected: Mapping[str, Array] = {}
        """The right values of the outputs."""

    def __call__(self, number: int, example: tuple[Any, Any, Any]) -> None:
        """Examine an input, and its recorded run if the reference has some."""
        graph = self.runnable.graph
        inputs, recorded, _ = example
        values = self.feed.run(inputs, recorded)
        self.runnable.session.reset()
        run = self.runnable.session.trace(inputs, progress=False)
        given = self.alignment.aligned(values, run, ordered=self.feed.ordered)
        self.given = self.runnable.taken(given, run)
        word = self.feed.word
        for name in graph.inputs:
            check_same_input(name, self.given.setdefault(name, run[name]), run[name], word)
        self.own = {}
        parts = segments(graph, self.given)
        if not parts:
            raise InputError(
                f"the {word} has no tensor that the {self.other_word} computes",
                hint="Tensors are paired by name: give both graphs the same names, or pass "
                "names={...} or by_values=True.",
            )
        if number:
            check_same_segments([each.segment for each in self.found.values()], parts, word)
        for part, own in own_results(graph, parts, self.given, self.runnable.run, self.budget):
            each = self.found.setdefault(part.tensor, Found(part))
            self._measure(each, own, run[part.tensor])
            self.bar.update(len(part.operations))
        self._shares(self.found, run)

    def _measure(self, each: Found, own: Array, full: Array) -> None:
        name = each.segment.tensor
        given = self.given[name]
        if given.shape != own.shape:
            raise InputError(
                f"'{name}' has shape {list(own.shape)} in the {self.other_word} and "
                f"{list(given.shape)} in the {self.feed.word}",
                hint=f"Only tensors of equal shapes are examined: leave it out of the "
                f"{self.feed.word}.",
            )
        allowed = tolerance_for(self.tolerance, given.dtype, own.dtype)
        measured = self._difference(given, own, allowed)
        each.own.append(measured)
        expected, result = (own, given) if self.is_reversed else (given, own)
        if not measured.ok:
            self.own[name] = own
            if each.worst is measured:
                each.evidence = Evidence(self._inputs(each.segment), expected, result)
        each.signal.append(energy(expected))
        passed_on = self._difference(own, full, allowed)
        each.inherited += _or(passed_on.rmse, math.inf) ** 2 * passed_on.compared
        if passed_on.mismatched:
            each.inherited = math.inf
        # Most operations introduce nothing, or inherit nothing: two of the three are equal.
        if not measured.different:
            total = passed_on
        elif not passed_on.different:
            total = measured
        else:
            total = self._difference(given, full, allowed)
        each.total_is_wrong |= not total.ok

    def _difference(
        self, given: Array, computed: Array, allowed: Tolerance | None = None
    ) -> Metrics:
        """Compare what one side has with what the operations of the other compute."""
        a, b = (computed, given) if self.is_reversed else (given, computed)
        return metrics(a, b) if allowed is None else metrics(a, b, allowed)

    def _inputs(self, part: IsolatedSegment) -> dict[str, Array]:
        names = {name for op in part.operations for name in op.input_names}
        inside = {name for op in part.operations for name in op.output_names}
        names -= inside | weight_tensors(self.runnable.graph)
        return {name: self.given[name] for name in sorted(names)}

    def _shares(self, found: Mapping[str, Found], run: Trace) -> None:
        """Measure how much of the error of the outputs remains without what one introduces."""
        self.expected = run.outputs if self.is_reversed else self.given
        before = self._error(run.outputs)
        if before is None or not before:
            return
        guilty = sorted(
            (each for each in found.values() if each.segment.tensor in self.own),
            key=lambda each: each.own[-1].snr,
        )
        values = dict(run)
        for each in guilty[:SHARES]:
            name = each.segment.tensor
            outputs = each.segment.main.output_names
            changed = {other: values[other] for other in outputs}
            changed[name] = _without_error(values[name], self.own[name], self.given[name])
            after = self._error(run_on(self.runnable.graph, values, changed, self.runnable.run))
            if after is not None:
                each.errors.append((before, after))

    def _error(self, outputs: Mapping[str, Array]) -> float | None:
        """Return the error of the outputs relative to the reference; None if it is not known."""
        errors = []
        for name, array in outputs.items():
            if name not in self.given:
                continue
            measured = self._difference(self.given[name], array)
            if measured.mismatched or not measured.compared:
                return None
            expected = self.expected[name]
            norm = math.sqrt(float(np.square(expected, dtype=np.float64).mean()))
            errors.append(measured.rmse / norm if norm else measured.rmse)
        return math.hypot(*errors) if errors else None


def _without_error(full: Array, own: Array, expected: Array) -> Array:
    """Return a result of the suspect's run without the error that the operation introduces."""
    if full.dtype.kind != "f" or not np.isfinite(own).all() or not np.isfinite(expected).all():
        return expected.astype(full.dtype)
    wide = full.astype(np.float64) - (own.astype(np.float64) - expected.astype(np.float64))
    return wide.astype(full.dtype)
