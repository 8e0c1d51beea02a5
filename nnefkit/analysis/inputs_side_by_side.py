"""`compare_many`: two sides over many inputs, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nnefkit.analysis.compared_inputs import ComparedInputs, TensorOverInputs, badness
from nnefkit.analysis.compared_runs import Missing
from nnefkit.analysis.comparison import Comparison
from nnefkit.analysis.pairing import Axes
from nnefkit.analysis.recorded_series import Examples, expected_runs
from nnefkit.analysis.recordings import Source
from nnefkit.analysis.side_by_side import compare, pair_of_strings, without_weights
from nnefkit.analysis.tolerance import Accepted, joined
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import InputError
from nnefkit.execution.many.distribution import expected_examples, spread
from nnefkit.execution.many.traced_inputs import traced
from nnefkit.execution.session import Session
from nnefkit.graph import Graph, expected_graph

SideOfMany = str | Graph | Iterable[Source]
"""An engine, a graph, or recorded runs, one for each input."""


@dataclass(frozen=True)
class ComparingTask:
    """Compares the two sides for one input after the other."""

    sides: tuple[Session | None, Session | None]
    """A session that runs the input; None for recorded runs, which come with it."""
    options: Mapping[str, Any]
    """Options of `compare`."""

    def __call__(self, number: int, example: tuple[Any, Any, Any]) -> Comparison:
        """Return the comparison, with a graph only if that is of a recorded run."""
        del number
        inputs, *recorded = example
        runs = [
            run if session is None else traced(session, inputs)
            for session, run in zip(self.sides, recorded, strict=True)
        ]
        comparison = compare(runs[0], runs[1], **self.options)
        graph = comparison.graph
        if graph is not None:
            # What comes back from other processes is small.
            is_known = any(each is not None and each.graph is graph for each in self.sides)
            graph = None if is_known else without_weights(graph)
        # The values of the two runs are left out, too.
        return replace(comparison, graph=graph, runs=None)


def compare_many(
    graph: Graph | None = None,
    inputs: Iterable[Any] | None = None,
    *,
    reference: SideOfMany = "numpy",
    suspect: SideOfMany,
    engine: str = "numpy",
    quantized: bool = False,
    tolerance: Accepted = None,
    names: Mapping[str, str] | None = None,
    axes: Axes = None,
    by_values: bool = False,
    executor: Any = None,
    labels: tuple[str, str] | None = None,
    progress: bool | None = None,
    rtol: float | None = None,
    atol: float | None = None,
) -> ComparedInputs:
    """Compare two engines, graphs or series of recorded runs over many inputs, tensor by tensor.

    Two runs are held in memory at a time, whatever the number of inputs. The work can be spread
    over threads, processes or machines; the result is the same. An interrupt
    (``KeyboardInterrupt``) ends the work; what was done until then is returned.

    Args:
        graph: The graph, with weights. For two series of recorded runs it is optional, and may lack
            weights: it orders the tensors, and tells causes from consequences.
        inputs: An iterable of inputs, each as for `nnefkit.run`; None if both sides are recorded.
            Variables that a graph updates begin anew for each.
        reference: What is right: the name of an engine that runs `graph`, another graph, or a list
            or other iterable of recorded runs (each as for `nnefkit.compare`), one for each input.
        suspect: What is compared with it, of the same kinds.
        engine: The engine that runs a `reference` or `suspect` that is a graph.
        quantized: Whether a `suspect` that is a graph is run with its quantization info.
        tolerance: The allowed difference, as for `nnefkit.compare`.
        names: Name in the reference -> name in the suspect, for tensors whose names differ.
        axes: Orders of axes that differ, as for `nnefkit.compare`.
        by_values: Whether to pair tensors that are left by their values, as for `nnefkit.compare`,
            for each input anew.
        executor: A `concurrent.futures.Executor`, or a ``dask.distributed.Client``.
        labels: Names of the two for the displays.
        progress: Whether to show a progress bar; None shows it if it takes more than a second.
        rtol: The relative part of a tolerance, as for `nnefkit.compare`.
        atol: Its absolute part.

    Returns:
        For each tensor, the number of inputs out of tolerance, the worst input with its metrics,
        and mean and deviation over the inputs; and the comparison of the worst input.

    Raises:
        InputError: There are no inputs, one of them does not fit, there are more of them than
            recorded runs (or fewer), no tensor is common to both sides, or an option is wrong.
        ExecutionError: An engine cannot run a graph, or an operation or a worker failed.
        StorageError: A recorded run cannot be read.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = mul(x, 2.0); }")
        >>> other = nk.parse(str(graph).replace("2.0", "2.5"))
        >>> inputs = [np.array([1.0, 2.0]), np.array([0.0, 0.0])]
        >>> found = nk.compare_many(graph, inputs, suspect=other)
        >>> found.ok, found["y"].outside, found.worst_input
        (False, 1, 0)
    """
    sides = {"reference": reference, "suspect": suspect}
    sessions = [
        _session(graph, side, engine, quantized=quantized and word == "suspect")
        for word, side in sides.items()
    ]
    runs = [
        None if session is not None else expected_runs(word, side)
        for session, (word, side) in zip(sessions, sides.items(), strict=True)
    ]
    if inputs is None and sessions != [None, None]:
        raise InputError(
            "there are no inputs to run", hint="Only two recorded sides need no inputs."
        )
    examples = Examples((None if inputs is None else expected_examples(inputs), *runs))
    options: dict[str, Any] = {
        "tolerance": joined(tolerance, rtol, atol),
        "names": names,
        "axes": axes,
        "by_values": by_values,
        "labels": pair_of_strings(labels) if labels is not None else _labels(sides),
    }
    if graph is not None:
        options["graph"] = without_weights(expected_graph(graph))
    task = ComparingTask((sessions[0], sessions[1]), options)
    own = next((each.graph for each in sessions if each is not None), None)
    found = _Tally()
    results = spread(task, examples, executor)
    title = graph.name if graph is not None else "comparison"
    with ProgressBar(examples.size, title, "input", delay=bar_delay(progress)) as bar:
        try:
            for each in results:
                found = found.and_also(each if own is None else replace(each, graph=own))
                bar.update(1)
        except KeyboardInterrupt:
            if not found.done:
                raise
            return found.result(interrupted=True)
        finally:
            results.close()
    return found.result(interrupted=False)


def _session(
    graph: Graph | None, side: SideOfMany, engine: str, *, quantized: bool
) -> Session | None:
    """Return the session that runs a side; None if it is recorded."""
    if isinstance(side, Graph):
        return Session(expected_graph(side, data=True), engine, quantized=quantized)
    if not isinstance(side, str):
        return None
    if graph is None:
        raise InputError(
            f"the engine '{side}' needs a graph to run",
            hint="Pass it as the first argument. Recorded runs are given as a list of paths.",
        )
    return Session(expected_graph(graph, data=True), side)


def _labels(sides: Mapping[str, SideOfMany]) -> tuple[str, str]:
    first, second = (side if isinstance(side, str) else word for word, side in sides.items())
    return first, second


@dataclass(frozen=True)
class _Tally:
    """The comparisons so far, merged in the order of the inputs."""

    tensors: Mapping[str, TensorOverInputs] | None = None
    done: int = 0
    worst: Comparison | None = None
    worst_input: int = 0
    missing: tuple[Mapping[str, None], Mapping[str, None]] = ({}, {})

    def and_also(self, comparison: Comparison) -> _Tally:
        """Return the result with one more input; an interrupt leaves all of it, or nothing."""
        tensors = dict(self.tensors or {})
        for row in comparison.judged:
            one = TensorOverInputs.of(row, self.done)
            tensors[row.name] = tensors[row.name].merged(one) if row.name in tensors else one
        is_worse = self.worst is None or badness(comparison) > badness(self.worst)
        first, second = (
            {**known, **dict.fromkeys(names)}
            for known, names in zip(self.missing, comparison.missing, strict=True)
        )
        return _Tally(
            tensors,
            self.done + 1,
            comparison if is_worse else self.worst,
            self.done if is_worse else self.worst_input,
            (first, second),
        )

    def result(self, *, interrupted: bool) -> ComparedInputs:
        """Return the result for the user.

        Raises:
            InputError: There were no inputs.
        """
        if self.worst is None or self.tensors is None:
            raise InputError("there are no inputs", hint="Pass at least one.")
        tensors = list(self.tensors.values())
        if self.worst.graph is not None:
            tensors.sort(key=lambda each: (not each.worst.operation, each.worst.number))
        return ComparedInputs(
            tuple(tensors),
            self.done,
            self.worst,
            self.worst_input,
            Missing(tuple(self.missing[0]), tuple(self.missing[1])),
            self.worst.labels,
            self.worst.graph,
            interrupted,
        )
