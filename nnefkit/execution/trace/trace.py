"""What flowed through a graph in one run."""

from __future__ import annotations

import math
import shutil
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nnefkit.arguments import expected_path
from nnefkit.arrays import Array
from nnefkit.display.cards.trace import TraceRow, TraceSummary, trace_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.statistics import Statistics, all_finite, statistics
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


class Entry(NamedTuple):
    """One tensor of a run, whether its values were kept or not."""

    number: int
    """Of its operation in the graph, from 0."""
    operation: str
    tensor: str
    shape: tuple[int, ...] | None
    line: int | None = None
    """Where the operation stands in the text of the graph."""


def entries(graph: Graph) -> tuple[Entry, ...]:
    """All that flows through `graph`, in its order; variables and constants do not."""
    return tuple(
        Entry(number, op.name, name, graph.tensors[name].shape, graph.line(op))
        for number, op in enumerate(graph.operations)
        if not op.is_weight
        for name in op.output_names
    )


def measured(found: tuple[Entry, ...], shapes: Mapping[str, tuple[int, ...]]) -> tuple[Entry, ...]:
    """The same, with the shapes that were not known before the run."""
    if all(entry.shape is not None for entry in found):
        return found
    return tuple(
        entry._replace(shape=shapes[entry.tensor])
        if entry.shape is None and entry.tensor in shapes
        else entry
        for entry in found
    )


@dataclass(frozen=True)
class Run:
    """The circumstances of a run."""

    engine: str
    graph_name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    entries: tuple[Entry, ...]
    """All the tensors that flowed, in the order of the graph, whether kept or not."""
    seconds: Mapping[str, float]
    """Name of the first result of each operation that was timed -> seconds."""
    total: float
    """Seconds of the whole run, what it took to keep the values included."""


class Trace(Displayed, Mapping[str, Array]):
    """The tensors of one run by name, in the order of the graph: inputs and results of operations.

    Iteration leaves out variables and constants, since they are the same in every run; their values
    can be asked for by name all the same. All the arrays are read-only.
    """

    def __init__(
        self,
        run: Run,
        tensors: Mapping[str, Array],
        given: Mapping[str, Statistics] | None = None,
        graph: Graph | None = None,
        folder: Path | None = None,
    ) -> None:
        self.run = run
        self.graph = graph
        """The graph that was run; None if the trace was loaded without it."""
        self._tensors = {e.tensor: tensors[e.tensor] for e in run.entries if e.tensor in tensors}
        self._finite: dict[str, bool] = {}
        self.statistics: Mapping[str, Statistics] = _LazyStatistics(self, dict(given or {}))
        """Statistics of every tensor that was kept or looked at, computed when asked for."""
        if folder is not None:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    # -- the mapping --------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Array:
        try:
            return self._tensors[name]
        except KeyError:
            pass
        data = self._weights(name)
        if data is not None:
            return data
        raise self._unknown(name)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors or (isinstance(name, str) and self._weights(name) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def _weights(self, name: str) -> Array | None:
        tensor = self.graph.tensors.get(name) if self.graph is not None else None
        return tensor.data if tensor is not None else None

    def _unknown(self, name: str) -> UnknownNameError:
        if any(entry.tensor == name for entry in self.run.entries):
            return UnknownNameError(
                f"the values of '{name}' were not kept",
                hint=f"keep='all' keeps everything, keep=['{name}'] this tensor; "
                + (
                    f"trace.statistics['{name}'] is there."
                    if name in self.statistics
                    else "its statistics were not taken either."
                ),
            )
        return UnknownNameError(
            f"the trace of '{self.run.graph_name}' has no tensor '{name}'",
            hint=did_you_mean(str(name), (entry.tensor for entry in self.run.entries)),
        )

    def tensor(self, name: str) -> TracedTensor:
        """The tensor called `name` with its values in this run: it shows itself as a picture.

        Raises:
            UnknownNameError: there is no such tensor, or its values were not kept.
        """
        values = self[name]
        graph = self.graph
        operation = graph.producers.get(name) if graph is not None else None
        kinds = {"b": "logical", "i": "integer", "u": "integer"}
        return TracedTensor(
            name,
            kinds.get(values.dtype.kind, "scalar") if graph is None else graph.tensors[name].dtype,
            values,
            operation,
            graph.line(operation) if graph is not None and operation is not None else None,
            self.statistics.get(name),
        )

    # -- what else is known ---------------------------------------------------------------------

    @property
    def engine(self) -> str:
        """Name of the engine that ran the graph."""
        return self.run.engine

    @property
    def seconds(self) -> Mapping[str, float]:
        """Name of the first result of each operation -> seconds that the operation took.

        NaN stands for operations that the engine did not time by themselves, 0 for those that did
        not run at all, since they depend on weights only.
        """
        return self.run.seconds

    @property
    def inputs(self) -> dict[str, Array]:
        """What was fed, by name, as far as it was kept."""
        return {name: self._tensors[name] for name in self.run.inputs if name in self._tensors}

    @property
    def outputs(self) -> dict[str, Array]:
        """The outputs of the graph by name, as far as they were kept."""
        return {name: self._tensors[name] for name in self.run.outputs if name in self._tensors}

    def to_frame(self) -> pd.DataFrame:
        """A table with one row for each tensor: operation, shape, statistics, seconds."""
        import pandas as pd

        rows = [self._row(entry) for entry in self.run.entries]
        return pd.DataFrame(rows, columns=list(_COLUMNS)).set_index("tensor")

    def _row(self, entry: Entry) -> dict[str, Any]:
        numbers = self.statistics.get(entry.tensor)
        row: dict[str, Any] = {
            "tensor": entry.tensor,
            "operation": entry.operation,
            "shape": entry.shape,
            "seconds": self.seconds.get(entry.tensor, math.nan),
        }
        if numbers is not None:
            row |= {name: getattr(numbers, name) for name in _STATISTICS}
        return row

    # -- files ----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Writes the trace to one file, which `numpy.load` can read as well.

        Raises:
            StorageError: it cannot be written.
        """
        from nnefkit.execution.trace import file as trace_file

        trace_file.write(self, expected_path(path))

    @classmethod
    def load(cls, path: str | Path, graph: Graph | None = None) -> Trace:
        """Reads a trace that `save` wrote.

        Args:
            path: Of the file.
            graph: The graph that was run, if it is at hand: the file does not hold it.

        Raises:
            StorageError: it cannot be read, or is no trace.
            InputError: the trace is of another graph.
        """
        from nnefkit.execution.trace import file as trace_file

        run, tensors, given = trace_file.read(expected_path(path))
        if graph is not None:
            missing = [e.tensor for e in run.entries if e.tensor not in graph.tensors]
            if missing:
                raise InputError(
                    f"the trace is not of graph '{graph.name}', which has no tensor '{missing[0]}'",
                    file=str(path),
                )
        return cls(run, tensors, given, graph)

    # -- display --------------------------------------------------------------------------------

    def summary(self) -> TraceSummary:
        """What the displays show."""
        return TraceSummary(
            graph=self.run.graph_name,
            engine=self.engine,
            rows=tuple(self._display_row(entry) for entry in self.run.entries),
            seconds=self.run.total,
            statistics=self.statistics,
        )

    def _is_finite(self, name: str) -> bool | None:
        """None where neither values nor statistics are at hand."""
        if name not in self._finite:
            array = self._tensors.get(name)
            if array is None:
                known = self.statistics.get(name)
                return None if known is None else known.finite
            self._finite[name] = all_finite(array)
        return self._finite[name]

    def _display_row(self, entry: Entry) -> TraceRow:
        array = self._tensors.get(entry.tensor)
        return TraceRow(
            number=entry.number,
            operation=entry.operation,
            tensor=entry.tensor,
            shape=entry.shape,
            finite=self._is_finite(entry.tensor),
            seconds=self.seconds.get(entry.tensor),
            bytes=None if array is None else array.nbytes,
            line=entry.line,
            kept=array is not None,
        )

    def _card(self, *, brief: bool) -> Card:
        return trace_card(self.summary(), brief=brief)


_STATISTICS = ("minimum", "maximum", "mean", "deviation", "zero_share", "nan", "infinite")
_COLUMNS = ("tensor", "operation", "shape", "seconds", *_STATISTICS)


class _LazyStatistics(Mapping[str, Statistics]):
    """Statistics by tensor name, each computed when it is first asked for."""

    def __init__(self, trace: Trace, given: dict[str, Statistics]) -> None:
        self._tensors = trace._tensors
        self._done = given
        names = [entry.tensor for entry in trace.run.entries]
        self._names = [name for name in names if name in given or name in self._tensors]
        self._known = frozenset(self._names)

    def __getitem__(self, name: str) -> Statistics:
        if name not in self._known:
            raise UnknownNameError(
                f"there are no statistics of '{name}'", hint=did_you_mean(str(name), self._names)
            )
        if name not in self._done:
            self._done[name] = statistics(self._tensors[name])
        return self._done[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<statistics of {len(self)} tensors>"
