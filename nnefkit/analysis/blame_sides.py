"""The two sides of a blame: the one whose operations are run, and the one whose values they get."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, TypeGuard

import numpy as np

from nnefkit.analysis.causes import Weights
from nnefkit.analysis.metrics import metrics
from nnefkit.analysis.pairing import Axes, Pairing, check_axes, given_axes, nearest_layout, pair
from nnefkit.analysis.recorded_series import expected_runs
from nnefkit.analysis.recordings import Side, Source, numeric, side
from nnefkit.analysis.segments import IsolatedSegment
from nnefkit.analysis.tolerance import tolerance_for
from nnefkit.arrays import Array
from nnefkit.display.numbers import number
from nnefkit.errors import InputError
from nnefkit.execution import Session, Trace
from nnefkit.execution.selection import reads_annotations
from nnefkit.execution.trace.codes import code_grid, codes_of
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.quantization_grid import QuantizationGrid

Subject = str | Graph | Source
"""An engine, a graph, or a recorded run."""


@dataclass(frozen=True)
class Runnable:
    """A graph that can be run in parts, and the engine that runs it."""

    graph: Graph
    engine: str
    label: str
    session: Session
    bits: Mapping[str, int]
    """Name of each tensor that is rounded by its quantization info -> number of bits."""
    is_coded: bool = False
    """Whether the engine computes with codes: several operations in one step."""

    @classmethod
    def of(
        cls, subject: str | Graph, graph: Graph, engine: str, quantized: bool, label: str
    ) -> Runnable:
        """Return an engine or a graph that `blame` was given.

        Args:
            subject: The engine, or the graph.
            graph: What an engine runs.
            engine: The engine that runs a graph.
            quantized: Whether it is run with its quantization info.
            label: The name of a graph for the displays.
        """
        if isinstance(subject, Graph):
            graph = expected_graph(subject, data=True)
        else:
            engine = label = subject
        session = Session(graph, engine, quantized=quantized)
        if reads_annotations(engine):
            return cls(session.graph, engine, label, session, {}, is_coded=True)
        return cls(session.graph, engine, label, session, _bits(graph) if quantized else {})

    def taken(self, given: Mapping[str, Array], run: Trace) -> dict[str, Array]:
        """Return given values as the engine takes them.

        An engine that computes with codes rounds inputs to them, and has no values of its own for
        tensors without codes inside of its steps.

        Args:
            given: Values by name.
            run: A run of the whole graph.
        """
        if not self.is_coded:
            return dict(given)
        ends = {*self.graph.inputs, *self.graph.outputs}
        grids = {name: code_grid(self.graph, name) for name in given}
        return {
            name: run[name]
            if name in self.graph.inputs and _is_near(values, run[name], grid)
            else values
            for (name, values), grid in zip(given.items(), grids.values(), strict=True)
            if grid is not None or name in ends
        }

    def run(
        self, graph: Graph, inputs: Mapping[str, Array], outputs: Collection[str]
    ) -> Mapping[str, Array]:
        """Run a part of the graph."""
        with Session(graph, self.engine) as session:
            return session.run(inputs, outputs, progress=False)


def _is_near(values: Array, rounded: Array, grid: QuantizationGrid | None) -> bool:
    """Return whether the codes of values are those of rounded ones, or the next ones."""
    if grid is None or values.shape != rounded.shape or not np.isfinite(values).all():
        return False
    codes, expected = (codes_of(grid, each).astype(np.int64) for each in (values, rounded))
    return bool((np.abs(codes - expected) <= 1).all())


def _bits(graph: Graph) -> dict[str, int]:
    lines = {name: tensor.quantization for name, tensor in graph.tensors.items()}
    return {name: int(line.get("bits", 0)) for name, line in lines.items() if line}


def is_runnable(subject: Subject | Iterable[Source]) -> TypeGuard[str | Graph]:
    """Return whether a side of a blame is a graph or the name of an engine, not a recorded run."""
    if isinstance(subject, str):
        return not any(mark in subject for mark in "/\\.")
    return isinstance(subject, Graph)


@dataclass(frozen=True)
class Alignment:
    """How tensors whose values are given are paired with those of the graph that is run."""

    names: Mapping[str, str] | None
    """Name in the reference -> name in the suspect."""
    by_values: bool
    axes: Axes
    is_reversed: bool = False
    """Whether the operations of the reference are run, on the values of the suspect."""
    found: dict[str, Pairing] = field(default_factory=dict)
    """The pairs by values so far: name in the reference -> its counterpart."""

    def aligned(self, given: Mapping[str, Any], run: Trace, *, ordered: bool) -> dict[str, Array]:
        """Return given values by the names, and in the layout, of a run.

        Args:
            given: The values.
            run: All tensors of the graph that is run.
            ordered: Whether the values are in the order of their computation.

        Raises:
            InputError: An option is wrong, or no tensor has a counterpart.
            UnknownNameError: `names` or `axes` names a tensor that does not exist.
        """
        if self.names is None and not self.by_values and self.axes is None:
            return {name: numeric(given[name], name) for name in given if name in run}
        sides = Side(given, None, "", ordered=ordered), Side(run, run.graph, "")
        names = self.names
        if self.is_reversed and names is not None:
            names = {other: name for name, other in names.items()}
        pairs = pair(*sides, names, self.by_values)
        known = {each.other: each for each in pairs.both.values()}
        check_axes(self.axes, known if self.is_reversed else pairs.both)
        self.found.update((n, each) for n, each in pairs.both.items() if each.by == "values")
        return {
            paired.other: self._arranged(
                numeric(given[name], name), run[paired.other], name, paired
            )
            for name, paired in pairs.both.items()
        }

    def _arranged(self, values: Array, expected: Array, name: str, paired: Pairing) -> Array:
        axes = given_axes(self.axes, paired.other if self.is_reversed else name, values.ndim)
        if axes is not None:
            # They are given as for `compare`, where the second run is the one that is permuted.
            return values.transpose(axes if self.is_reversed else np.argsort(axes))
        if self.axes != "auto" and paired.by != "values":
            return values
        tolerance = tolerance_for(None, expected.dtype, values.dtype)
        nearest = nearest_layout(expected, values, tolerance)
        if nearest is None:
            return values
        measured, layout = nearest
        if values.shape == expected.shape and not measured.ok:
            as_it_is = metrics(expected, values, tolerance)
            if paired.by != "values" or not measured.rmse < as_it_is.rmse:
                return values
        return layout.arranged(values, expected.shape)


class Feed:
    """Provides the values that operations are run on, for each input.

    Args:
        subject: A graph, the name of an engine, or one or several recorded runs.
        graph: What an engine runs.
        engine: The engine that runs a graph.
        word: ``"reference"`` or ``"suspect"``: which side of the blame it is.
    """

    def __init__(
        self, subject: Subject | Iterable[Source], graph: Graph, engine: str, word: str
    ) -> None:
        self.graph: Graph | None = None
        self.digests: Mapping[str, str] = {}
        """Name of a variable -> digest of its values, of recorded runs."""
        self.recorded: Iterable[Any] | None = None
        """The recorded runs, one for each input."""
        self.ordered = True
        """Whether its tensors are in the order of their computation, as far as one can know."""
        self.word = word
        self._session: Session | None = None
        self._first: Side | None = None
        if is_runnable(subject):
            run = Runnable.of(subject, graph, engine, False, word)
            self.graph, self.label = run.graph, run.label
            self._session = run.session
        elif isinstance(subject, (str, PathLike, Mapping)):
            self.recorded = [side(subject)]
            self.label = self.recorded[0].label or "recorded run"
        else:
            self.recorded = expected_runs(word, subject)
            self.label = "recorded runs"

    def run(self, example: Any, recorded: Any) -> Mapping[str, Any]:
        """Return the values for one input, by name, as they were recorded.

        Args:
            example: The input.
            recorded: The recorded run that belongs to it.
        """
        if self._session is not None:
            self._session.reset()
            return dict(self._session.trace(example, progress=False))
        found = recorded if isinstance(recorded, Side) else side(recorded)
        self.ordered = found.ordered
        if self._first is None:
            self._first = found
            self.graph, self.digests = found.graph, found.digests
        elif not _of_one_graph(found, self._first):
            # What differs from one of them need not differ from the others.
            self.graph, self.digests = None, {}
        return found.tensors


def _of_one_graph(first: Side, second: Side) -> bool:
    """Return whether the text and the weights of the graphs of two runs are the same."""
    if first.graph is None or second.graph is None or first.graph is second.graph:
        return first.graph is second.graph
    weights = Weights(first.graph, second.graph, {}, (first.digests, second.digests))
    is_same_text = str(first.graph) == str(second.graph)
    return is_same_text and not any(map(weights.differing, first.graph.computations))


def check_same_input(name: str, recorded: Array, given: Array, word: str) -> None:
    """Check that a run has an input as it is given: else their runs cannot be compared.

    Raises:
        InputError: It has other values, or another shape.
    """
    hint = "Pass the input that was recorded; of several ones, in the order of the runs."
    if recorded.shape != given.shape:
        what = f"shape {list(recorded.shape)}, not {list(given.shape)}"
        hint += ' axes="auto" finds orders of axes that differ.'
    else:
        measured = metrics(recorded, given, tolerance_for(None, recorded.dtype, given.dtype))
        if measured.ok:
            return
        what = "other values"
        if measured.mismatched:
            what += f" (NaN or Inf that do not match: {measured.mismatched:,})"
        else:
            what += f" (largest difference {number(measured.max_abs)})"
    raise InputError(f"the {word} was recorded with another input: '{name}' has {what}", hint=hint)


def check_same_segments(
    first: list[IsolatedSegment], later: list[IsolatedSegment], word: str
) -> None:
    """Check that operations are examined as for the first input, so that errors can be merged.

    Raises:
        InputError: Other tensors have given values.
    """
    known, found = ({each.tensor for each in some} for some in (first, later))
    other = sorted(known ^ found)
    if not other:
        return
    raise InputError(
        f"the {word} {'lacks' if other[0] in known else 'has'} '{other[0]}', "
        f"{'which it has' if other[0] in known else 'which it lacks'} for the inputs before",
        hint="Record the same tensors for each input, or call nnefkit.blame for each one.",
    )
