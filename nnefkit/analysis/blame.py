"""`blame`: which operations of a suspect run introduce its error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from nnefkit.analysis.blame_result import Blame
from nnefkit.analysis.blame_sides import Alignment, Feed, Runnable, Subject, is_runnable
from nnefkit.analysis.blamed_operation import BlamedOperation, ranked
from nnefkit.analysis.causes import Weights, altered, weight_tensors
from nnefkit.analysis.examination import Examination, Found, snr_of
from nnefkit.analysis.pairing import Axes
from nnefkit.analysis.recorded_series import Examples
from nnefkit.analysis.recordings import Source
from nnefkit.analysis.segments import IsolatedSegment
from nnefkit.analysis.tolerance import Accepted, joined
from nnefkit.analysis.weight_differences import described_cause
from nnefkit.display.elements import code
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import InputError
from nnefkit.execution.many.distribution import numbered, size_of
from nnefkit.graph import Graph, Operation, expected_graph

BUDGET = 1 << 30
"""Number of bytes that the values of operations that are run together may take."""


def blame(
    graph: Graph,
    inputs: Any,
    *,
    reference: Subject | Iterable[Source] = "numpy",
    suspect: Subject | Iterable[Source],
    engine: str = "numpy",
    tolerance: Accepted = None,
    rtol: float | None = None,
    atol: float | None = None,
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

    A suspect that was recorded elsewhere, such as on a device, cannot be run. Then each operation
    of the reference is run on the values that its inputs have in the suspect, and what the suspect
    has instead is the error that it introduces. The share of the worst ones is measured by putting
    their errors into the run of the reference.

    Args:
        graph: The graph, with weights.
        inputs: Its inputs, as for `nnefkit.run`; or a list or an iterator of such inputs.
        reference: What is right: the name of an engine, another graph, or a recorded run of all or
            some tensors (a `Trace`, a mapping, or a path, as for `nnefkit.compare`) for the inputs;
            of several inputs a list or other iterable of recorded runs, one for each.
        suspect: What is suspected: the name of an engine that runs `graph`; another graph, such as
            one with quantized weights; or, against an engine or a graph, recorded runs as for
            `reference`. Tensors are paired by name, unless `names` or `by_values` say otherwise.
        engine: The engine that runs a `reference` or a `suspect` that is a graph.
        tolerance: The allowed error of an operation, as for `nnefkit.compare`.
        rtol: The allowed relative error, instead of `tolerance`.
        atol: The allowed absolute error, instead of `tolerance`.
        quantized: Whether the suspect is run with its quantization info; with a recorded suspect,
            the reference.
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
            run was recorded with other inputs, both sides were recorded, or the reference has no
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
    tolerance = joined(tolerance, rtol, atol)
    runnable, feed = _sides(graph, reference, suspect, engine, quantized)
    is_reversed = feed.word == "suspect"
    is_series = isinstance(inputs, (list, Iterator))
    alignment = Alignment(names, by_values, axes, is_reversed)
    examples = _examples(inputs if is_series else [inputs], feed)
    fixed = weight_tensors(runnable.graph)
    count = sum(fixed.isdisjoint(op.output_names) for op in runnable.graph.computations)
    total = None if examples.size is None else examples.size * count
    with ProgressBar(total, graph.name, "operation", delay=bar_delay(progress)) as bar:
        task = Examination(runnable, feed, alignment, tolerance, budget, bar)
        for number, example in enumerate(examples):
            if is_series:
                numbered(task, number, example)
            else:
                task(number, example)
    found = task.found
    if not found:
        raise InputError("there are no inputs", hint="Pass at least one.")
    own = (runnable.label, feed.label) if is_reversed else (feed.label, runnable.label)
    known = labels or own
    result = _result(found, runnable, feed, (str(known[0]), str(known[1])))
    pairs = {each.other: (name, each.confidence or 0.0) for name, each in alignment.found.items()}
    return replace(result, paired_by_values=pairs)


def _sides(
    graph: Graph,
    reference: Subject | Iterable[Source],
    suspect: Subject | Iterable[Source],
    engine: str,
    quantized: bool,
) -> tuple[Runnable, Feed]:
    """Return the side whose operations are run, and the one whose values they get.

    Raises:
        InputError: Both are recorded runs.
    """
    if is_runnable(suspect):
        runnable = Runnable.of(suspect, graph, engine, quantized, "suspect")
        return runnable, Feed(reference, graph, engine, "reference")
    if is_runnable(reference):
        runnable = Runnable.of(reference, graph, engine, quantized, "reference")
        return runnable, Feed(suspect, graph, engine, "suspect")
    raise InputError(
        "the reference and the suspect are recorded runs, whose operations cannot be run",
        hint="Pass an engine or a graph as one of them; nnefkit.compare(a, b, graph=graph) "
        "finds the first difference of two recorded runs.",
    )


def _examples(inputs: Iterable[Any], feed: Feed) -> Examples:
    """Return the inputs with the recorded runs that belong to them.

    Raises:
        InputError: There are not as many.
    """
    runs = feed.recorded
    count = size_of(inputs)
    if runs is not None and size_of(runs) == 1 and count is not None and count > 1:
        raise InputError(
            f"a recorded run is of one input, but {count} are given",
            hint="Pass a list of recorded runs, one for each input, in the same order.",
        )
    return Examples((inputs, runs, None))


def _result(
    found: Mapping[str, Found], runnable: Runnable, feed: Feed, labels: tuple[str, str]
) -> Blame:
    graph = runnable.graph
    causes = _Causes(runnable, feed)
    numbers = {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
    operations = []
    for name, each in found.items():
        op = _computing(runnable, each.segment)
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
                tuple(snr_of(measured) for measured in each.own),
            )
        )
    return Blame(
        tuple(ranked(operations)),
        graph,
        labels,
        _unchecked(graph, operations),
        runnable.engine,
        {name: each.evidence for name, each in found.items() if each.evidence is not None},
        is_recorded=feed.word == "suspect",
    )


def _computing(runnable: Runnable, segment: IsolatedSegment) -> Operation:
    """Return the operation that computes a result, before it is rounded by quantization info."""
    op = segment.main
    if segment.tensor in runnable.bits and op.input_names:
        return runnable.graph.producers[op.input_names[0]]
    return op


def _unchecked(graph: Graph, operations: list[BlamedOperation]) -> tuple[str, ...]:
    examined = {name for each in operations for name in each.operations} | weight_tensors(graph)
    return tuple(
        op.output_names[0]
        for op in graph.computations
        if examined.isdisjoint(op.output_names) and op.name != "update"
    )


class _Causes:
    """What differs in operations themselves, as far as the graphs of both sides are known."""

    def __init__(self, runnable: Runnable, feed: Feed) -> None:
        self.graph = graph = runnable.graph
        self.rounded = runnable.bits
        self.runnable = runnable
        self.other = feed.graph
        self.is_reversed = feed.word == "suspect"
        self.weights = Weights(graph, self.other, {}, ({}, feed.digests))

    def of(self, segment: IsolatedSegment) -> str:
        if self.other is None:
            return ""
        parts = []
        own = {*segment.main.output_names, *_computing(self.runnable, segment).output_names}
        for op in segment.operations:
            # What differs in one before it is not the operation's own.
            at = "" if op.output_names[0] in own else f"in {code(op.output_names[0])}, "
            names = self.weights.differing(op)
            graphs = (self.other, self.graph) if self.is_reversed else (self.graph, self.other)
            parts += [f"{at}{described_cause(name, *graphs)}" for name in names]
            name = op.output_names[0]
            if name in self.rounded and not self.is_reversed:
                parts.append(f"its result is rounded to {self.rounded[name]} bits")
                continue
            counterpart = self.other.producers.get(name)
            if counterpart is not None:
                both = (op, counterpart) if self.is_reversed else (counterpart, op)
                if change := altered(*both):
                    parts.append(f"{at}{change}")
        return "; ".join(dict.fromkeys(parts))
