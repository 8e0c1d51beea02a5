"""`blame`: which operations of a suspect run introduce its error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from nnefkit.analysis.blame_result import Blame
from nnefkit.analysis.blame_sides import (
    Alignment,
    Reference,
    Subject,
    Suspect,
    check_same_input,
    check_same_segments,
)
from nnefkit.analysis.blamed_operation import BlamedOperation, Verdict, ranked
from nnefkit.analysis.bug_report import Evidence
from nnefkit.analysis.causes import Weights, altered, weight_tensors
from nnefkit.analysis.metrics import Metrics, energy, metrics
from nnefkit.analysis.pairing import Axes
from nnefkit.analysis.recorded_series import Examples
from nnefkit.analysis.recordings import Source
from nnefkit.analysis.segments import IsolatedSegment, own_results, run_on, segments
from nnefkit.analysis.tolerance import Accepted, tolerance_for
from nnefkit.analysis.weight_differences import described_cause
from nnefkit.arrays import Array
from nnefkit.display.elements import code
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import InputError
from nnefkit.execution.many.distribution import numbered, size_of
from nnefkit.execution.trace.trace import Trace
from nnefkit.graph import Graph, Operation, expected_graph

BUDGET = 1 << 30
"""Number of bytes that the values of operations that are run together may take."""
SHARES = 8
"""Number of guilty operations, the worst ones, whose share of the error is measured."""


def blame(
    graph: Graph,
    inputs: Any,
    *,
    reference: Subject | Iterable[Source] = "numpy",
    suspect: Subject,
    engine: str = "numpy",
    tolerance: Accepted = None,
    quantized: bool = False,
    budget: int = BUDGET,
    labels: tuple[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    axes: Axes = None,
    by_values: bool = False,
    progress: bool | None = None,
) -> Blame:
    """Find the operations of a suspect that introduce its error, told from those that inherit it.

    Each operation of the suspect is run on the values that its inputs have in the reference. What
    it then gets wrong is the error that it introduces. For the worst ones, the share of the error
    of the outputs is measured: the suspect runs on from the result without the introduced error.

    Args:
        graph: The graph, with weights.
        inputs: Its inputs, as for `nnefkit.run`; or a list or an iterator of such inputs.
        reference: What is right: the name of an engine, another graph, or a recorded run of all or
            some tensors (a `Trace`, a mapping, or a path, as for `nnefkit.compare`) for the inputs;
            of several inputs a list or other iterable of recorded runs, one for each.
        suspect: What is suspected: the name of an engine that runs `graph`, or another graph, such
            as one with quantized weights. Tensors are paired by name, unless `names` or `by_values`
            say otherwise.
        engine: The engine that runs a `reference` or a `suspect` that is a graph.
        tolerance: The allowed error of an operation, as for `nnefkit.compare`.
        quantized: Whether a `suspect` that is a graph is run with its quantization info.
        budget: Number of bytes that the values of operations that are run together may take; with
            more, the operations are run in several parts.
        labels: Names of the reference and of the suspect for the displays.
        names: Name in the reference -> name in the suspect, for tensors whose names differ.
        axes: Orders of axes that differ, as for `nnefkit.compare`; ``"auto"`` finds them.
        by_values: Whether to pair tensors that are left by their values, as for `nnefkit.compare`.
        progress: Whether to show a progress bar; None shows it if it takes more than a second.

    Returns:
        The operations, the guiltiest first.

    Raises:
        InputError: The inputs do not fit, there are more of them than recorded runs (or fewer), a
            run was recorded with other inputs, the suspect cannot be run, or the reference has no
            tensor of the suspect.
        ExecutionError: An engine cannot run the graph.
        StorageError: A recorded run cannot be read.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = mul(x, 2.0); z = exp(y); }")
        >>> other = nk.parse(str(graph).replace("2.0", "2.5"))
        >>> found = nk.blame(graph, np.array([1.0, 2.0]), suspect=other)
        >>> [(each.tensor, each.cause) for each in found.guilty]
        [('y', 'its `y` is 2.0 in the first graph and 2.5 in the second')]
    """
    graph = expected_graph(graph, data=True)
    suspected = Suspect.of(suspect, graph, engine, quantized)
    is_series = isinstance(inputs, (list, Iterator))
    alignment = Alignment(names, by_values, axes)
    referee = Reference(reference, graph, engine)
    examples = _examples(inputs if is_series else [inputs], referee)
    fixed = weight_tensors(suspected.graph)
    count = sum(fixed.isdisjoint(op.output_names) for op in suspected.graph.computations)
    total = None if examples.size is None else examples.size * count
    with ProgressBar(total, graph.name, "operation", delay=bar_delay(progress)) as bar:
        task = _Examination(suspected, referee, alignment, tolerance, budget, bar)
        for number, example in enumerate(examples):
            if is_series:
                numbered(task, number, example)
            else:
                task(number, example)
    found = task.found
    if not found:
        raise InputError("there are no inputs", hint="Pass at least one.")
    known = labels or (referee.label, suspected.label)
    result = _result(found, suspected, referee, (str(known[0]), str(known[1])))
    pairs = {each.other: (name, each.confidence or 0.0) for name, each in alignment.found.items()}
    return replace(result, paired_by_values=pairs)


def _examples(inputs: Iterable[Any], referee: Reference) -> Examples:
    """Return the inputs with the recorded runs of the reference.

    Raises:
        InputError: There are not as many.
    """
    runs = referee.recorded
    count = size_of(inputs)
    if runs is not None and size_of(runs) == 1 and count is not None and count > 1:
        raise InputError(
            f"a recorded run is of one input, but {count} are given",
            hint="Pass a list of recorded runs, one for each input, in the same order.",
        )
    return Examples((inputs, runs, None))


@dataclass
class _Found:
    """What is known about one segment, over all inputs."""

    segment: IsolatedSegment
    own: list[Metrics] = field(default_factory=list)
    signal: list[float] = field(default_factory=list)
    """Sum of squares of the reference, for each input."""
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
        if any(not each.ok for each in self.own):
            return "guilty"
        return "passes it on" if self.total_is_wrong else "clean"

    @property
    def worst(self) -> Metrics:
        return max(self.own, key=lambda each: (each.mismatched > 0, -_or(each.snr, -math.inf)))

    def snr(self) -> float:
        noise = sum(_or(each.rmse, math.inf) ** 2 * each.compared for each in self.own)
        return _ratio(sum(self.signal), noise)

    def inherited_snr(self) -> float:
        return _ratio(sum(self.signal), self.inherited)

    def share(self) -> float | None:
        before = sum(error**2 for error, _ in self.errors)
        after = sum(error**2 for _, error in self.errors)
        if not before or not math.isfinite(before) or not math.isfinite(after):
            return None
        return 1 - after / before


def _snr(own: Metrics) -> float:
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


# -- the examination -------------------------------------------------------------------------------


class _Examination:
    """Examines one input after the other: the errors of all segments, the shares of the guilty."""

    def __init__(
        self,
        suspect: Suspect,
        reference: Reference,
        alignment: Alignment,
        tolerance: Accepted,
        budget: int,
        bar: ProgressBar,
    ) -> None:
        self.found: dict[str, _Found] = {}
        """What is known so far, by result."""
        self.suspect = suspect
        self.reference = reference
        self.tolerance = tolerance
        self.budget = budget
        self.bar = bar
        self.alignment = alignment
        self.given: dict[str, Array] = {}
        """The values of the reference, by the names of the suspect."""
        self.own: dict[str, Array] = {}

    def __call__(self, number: int, example: tuple[Any, Any, Any]) -> None:
        """Examine an input, and its recorded run if the reference has some."""
        graph = self.suspect.graph
        inputs, recorded, _ = example
        reference = self.reference.run(inputs, recorded)
        self.suspect.session.reset()
        run = self.suspect.session.trace(inputs, progress=False)
        self.given = self.alignment.aligned(reference, run, ordered=self.reference.ordered)
        for name in graph.inputs:
            check_same_input(name, self.given.setdefault(name, run[name]), run[name])
        self.own = {}
        parts = segments(graph, self.given)
        if not parts:
            raise InputError(
                "the reference has no tensor that the suspect computes",
                hint="Tensors are paired by name: give both graphs the same names, or pass "
                "names={...} or by_values=True.",
            )
        if number:
            check_same_segments([each.segment for each in self.found.values()], parts)
        for part, own in own_results(graph, parts, self.given, self.suspect.run, self.budget):
            each = self.found.setdefault(part.tensor, _Found(part))
            self._measure(each, own, run[part.tensor])
            self.bar.update(len(part.operations))
        self._shares(self.found, run)

    def _measure(self, each: _Found, own: Array, full: Array) -> None:
        name = each.segment.tensor
        expected = self.given[name]
        if expected.shape != own.shape:
            raise InputError(
                f"'{name}' has shape {list(own.shape)} in the suspect and {list(expected.shape)} "
                "in the reference",
                hint="Only tensors of equal shapes are examined: leave it out of the reference.",
            )
        allowed = tolerance_for(self.tolerance, expected.dtype, own.dtype)
        measured = metrics(expected, own, allowed)
        each.own.append(measured)
        if not measured.ok:
            self.own[name] = own
            if each.worst is measured:
                each.evidence = Evidence(self._inputs(each.segment), expected, own)
        each.signal.append(energy(expected))
        passed_on = metrics(own, full, allowed)
        each.inherited += _or(passed_on.rmse, math.inf) ** 2 * passed_on.compared
        if passed_on.mismatched:
            each.inherited = math.inf
        # Most operations introduce nothing, or inherit nothing: two of the three are equal.
        if not measured.different:
            total = passed_on
        elif not passed_on.different:
            total = measured
        else:
            total = metrics(expected, full, allowed)
        each.total_is_wrong |= not total.ok

    def _inputs(self, part: IsolatedSegment) -> dict[str, Array]:
        names = {name for op in part.operations for name in op.input_names}
        inside = {name for op in part.operations for name in op.output_names}
        names -= inside | weight_tensors(self.suspect.graph)
        return {name: self.given[name] for name in sorted(names)}

    def _shares(self, found: Mapping[str, _Found], run: Trace) -> None:
        """Measure how much of the error of the outputs remains without what one introduces."""
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
            after = self._error(run_on(self.suspect.graph, values, changed, self.suspect.run))
            if after is not None:
                each.errors.append((before, after))

    def _error(self, outputs: Mapping[str, Array]) -> float | None:
        """Return the error of the outputs relative to the reference; None if it is not known."""
        errors = []
        for name, array in outputs.items():
            if name not in self.given:
                continue
            measured = metrics(self.given[name], array)
            if measured.mismatched or not measured.compared:
                return None
            norm = math.sqrt(float(np.square(self.given[name], dtype=np.float64).mean()))
            errors.append(measured.rmse / norm if norm else measured.rmse)
        return math.hypot(*errors) if errors else None


def _without_error(full: Array, own: Array, expected: Array) -> Array:
    """Return a result of the suspect's run without the error that the operation introduces."""
    if full.dtype.kind != "f" or not np.isfinite(own).all() or not np.isfinite(expected).all():
        return expected.astype(full.dtype)
    wide = full.astype(np.float64) - (own.astype(np.float64) - expected.astype(np.float64))
    return wide.astype(full.dtype)


# -- the result ------------------------------------------------------------------------------------


def _result(
    found: Mapping[str, _Found], suspect: Suspect, reference: Reference, labels: tuple[str, str]
) -> Blame:
    graph = suspect.graph
    causes = _Causes(suspect, reference)
    numbers = {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
    operations = []
    for name, each in found.items():
        op = _computing(suspect, each.segment)
        verdict = each.verdict
        operations.append(
            BlamedOperation(
                name,
                op.name,
                numbers[op.output_names[0]],
                graph.line(op),
                verdict,
                each.worst,
                each.snr(),
                each.inherited_snr(),
                each.share(),
                causes.of(each.segment) if verdict == "guilty" else "",
                name in graph.outputs,
                tuple(other.output_names[0] for other in each.segment.operations),
                tuple(_snr(measured) for measured in each.own),
            )
        )
    return Blame(
        tuple(ranked(operations)),
        graph,
        labels,
        _unchecked(graph, operations),
        suspect.engine,
        {name: each.evidence for name, each in found.items() if each.evidence is not None},
    )


def _computing(suspect: Suspect, segment: IsolatedSegment) -> Operation:
    """Return the operation that computes a result, before it is rounded by quantization info."""
    op = segment.main
    if segment.tensor in suspect.bits and op.input_names:
        return suspect.graph.producers[op.input_names[0]]
    return op


def _unchecked(graph: Graph, operations: list[BlamedOperation]) -> tuple[str, ...]:
    examined = {name for each in operations for name in each.operations} | weight_tensors(graph)
    return tuple(
        op.output_names[0]
        for op in graph.computations
        if examined.isdisjoint(op.output_names) and op.name != "update"
    )


class _Causes:
    """What differs in operations themselves, as far as the graph of the reference is known."""

    def __init__(self, suspect: Suspect, reference: Reference) -> None:
        self.graph = graph = suspect.graph
        self.rounded = suspect.bits
        self.suspect = suspect
        self.other = reference.graph
        self.weights = Weights(graph, self.other, {}, ({}, reference.digests))

    def of(self, segment: IsolatedSegment) -> str:
        if self.other is None:
            return ""
        parts = []
        own = {*segment.main.output_names, *_computing(self.suspect, segment).output_names}
        for op in segment.operations:
            # What differs in one before it is not the operation's own.
            at = "" if op.output_names[0] in own else f"in {code(op.output_names[0])}, "
            names = self.weights.differing(op)
            parts += [f"{at}{described_cause(name, self.graph, self.other)}" for name in names]
            name = op.output_names[0]
            if name in self.rounded:
                parts.append(f"its result is rounded to {self.rounded[name]} bits")
                continue
            counterpart = self.other.producers.get(name)
            if counterpart is not None and (change := altered(counterpart, op)):
                parts.append(f"{at}{change}")
        return "; ".join(dict.fromkeys(parts))
