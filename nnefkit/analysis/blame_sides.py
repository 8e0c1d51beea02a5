"""The two sides of a blame: what is right, and what is suspected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

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
from nnefkit.graph import Graph, expected_graph

Subject = str | Graph | Source
"""An engine, a graph, or a recorded run."""


@dataclass(frozen=True)
class Suspect:
    """A graph that can be run in parts, and the engine that runs it."""

    graph: Graph
    engine: str
    label: str
    session: Session
    bits: Mapping[str, int]
    """Name of each tensor that is rounded by its quantization info -> number of bits."""

    @classmethod
    def of(cls, suspect: Subject, graph: Graph, engine: str, quantized: bool) -> Suspect:
        """Return the suspect that `blame` was given.

        Raises:
            InputError: It is a recorded run, whose operations cannot be run.
        """
        if isinstance(suspect, Graph):
            session = Session(expected_graph(suspect, data=True), engine, quantized=quantized)
            rounded = _bits(suspect) if quantized else {}
            return cls(session.graph, engine, "suspect", session, rounded)
        if isinstance(suspect, str) and not _is_path(suspect):
            session = Session(graph, suspect, quantized=quantized)
            rounded = _bits(graph) if quantized else {}
            return cls(session.graph, suspect, suspect, session, rounded)
        raise InputError(
            "the suspect must be an engine or a graph, since its operations are run one by one",
            hint="Of two recorded runs, nnefkit.compare(a, b, graph=graph) finds the first "
            "difference. To examine a recorded run, pass it as reference=, and the engine or "
            "graph that should compute the same as suspect=. nnefkit.compare_many compares two "
            "series of recorded runs.",
        )

    def run(
        self, graph: Graph, inputs: Mapping[str, Array], outputs: Collection[str]
    ) -> Mapping[str, Array]:
        """Run a part of the graph."""
        with Session(graph, self.engine) as session:
            return session.run(inputs, outputs, progress=False)


def _bits(graph: Graph) -> dict[str, int]:
    lines = {name: tensor.quantization for name, tensor in graph.tensors.items()}
    return {name: int(line.get("bits", 0)) for name, line in lines.items() if line}


def _is_path(name: str) -> bool:
    return any(mark in name for mark in "/\\.")


@dataclass(frozen=True)
class Alignment:
    """How tensors of the reference are paired with those of the suspect."""

    names: Mapping[str, str] | None
    """Name in the reference -> name in the suspect."""
    by_values: bool
    axes: Axes
    found: dict[str, Pairing] = field(default_factory=dict)
    """The pairs by values so far: name in the reference -> its counterpart."""

    def aligned(
        self, reference: Mapping[str, Any], run: Trace, *, ordered: bool
    ) -> dict[str, Array]:
        """Return the values of the reference by the names, and in the layout, of the suspect.

        Args:
            reference: The values of the reference.
            run: All tensors of the suspect.
            ordered: Whether the reference is in the order of its computation.

        Raises:
            InputError: An option is wrong, or no tensor has a counterpart.
            UnknownNameError: `names` or `axes` names a tensor that does not exist.
        """
        if self.names is None and not self.by_values and self.axes is None:
            return {name: numeric(reference[name], name) for name in reference if name in run}
        sides = Side(reference, None, "", ordered=ordered), Side(run, run.graph, "")
        pairs = pair(*sides, self.names, self.by_values)
        check_axes(self.axes, pairs.both)
        self.found.update((n, each) for n, each in pairs.both.items() if each.by == "values")
        return {
            paired.other: self._arranged(
                numeric(reference[name], name), run[paired.other], name, paired
            )
            for name, paired in pairs.both.items()
        }

    def _arranged(self, values: Array, expected: Array, name: str, paired: Pairing) -> Array:
        axes = given_axes(self.axes, name, values.ndim)
        if axes is not None:
            # They are given as for `compare`, where the second run is the one that is permuted.
            return values.transpose(np.argsort(axes))
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


class Reference:
    """Provides the values of the reference for each input."""

    def __init__(self, reference: Subject | Iterable[Source], graph: Graph, engine: str) -> None:
        self.graph: Graph | None = None
        self.digests: Mapping[str, str] = {}
        """Name of a variable -> digest of its values, of recorded runs."""
        self.recorded: Iterable[Any] | None = None
        """The recorded runs, one for each input."""
        self.ordered = True
        """Whether its tensors are in the order of their computation, as far as one can know."""
        self._session: Session | None = None
        self._first: Side | None = None
        if isinstance(reference, Graph):
            self.graph = expected_graph(reference, data=True)
            self._session = Session(self.graph, engine)
            self.label = "reference"
        elif isinstance(reference, str) and not _is_path(reference):
            self.graph = graph
            self._session = Session(graph, reference)
            self.label = reference
        elif isinstance(reference, (str, PathLike, Mapping)):
            self.recorded = [side(reference)]
            self.label = self.recorded[0].label or "recorded run"
        else:
            self.recorded = expected_runs("reference", reference)
            self.label = "recorded runs"

    def run(self, example: Any, recorded: Any) -> Mapping[str, Any]:
        """Return the values of the reference for one input, by name, as they were recorded.

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


def check_same_input(name: str, reference: Array, given: Array) -> None:
    """Check that a reference has an input as it is given: else their runs cannot be compared.

    Raises:
        InputError: It has other values, or another shape.
    """
    hint = "Pass the input that was recorded; of several ones, in the order of the runs."
    if reference.shape != given.shape:
        what = f"shape {list(reference.shape)}, not {list(given.shape)}"
        hint += ' axes="auto" finds orders of axes that differ.'
    else:
        measured = metrics(reference, given, tolerance_for(None, reference.dtype, given.dtype))
        if measured.ok:
            return
        what = "other values"
        if measured.mismatched:
            what += f" (NaN or Inf that do not match: {measured.mismatched:,})"
        else:
            what += f" (largest difference {number(measured.max_abs)})"
    raise InputError(
        f"the reference was recorded with another input: '{name}' has {what}", hint=hint
    )


def check_same_segments(first: list[IsolatedSegment], later: list[IsolatedSegment]) -> None:
    """Check that operations are examined as for the first input, so that errors can be merged.

    Raises:
        InputError: Other tensors of the reference are known.
    """
    known, found = ({each.tensor for each in some} for some in (first, later))
    other = sorted(known ^ found)
    if not other:
        return
    raise InputError(
        f"the reference {'lacks' if other[0] in known else 'has'} '{other[0]}', "
        f"{'which it has' if other[0] in known else 'which it lacks'} for the inputs before",
        hint="Record the same tensors for each input, or call nnefkit.blame for each one.",
    )
