"""The tensors of one run of a graph."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nnefkit import language, plot
from nnefkit.arguments import expected_path, unknown_attribute
from nnefkit.arrays import Array
from nnefkit.display.cards.trace import TraceRow, TraceSummary, trace_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.display.numbers import plural
from nnefkit.display.statistics import COUNTED, Statistics, all_finite, statistics
from nnefkit.errors import InputError, NnefError, UnknownNameError, did_you_mean
from nnefkit.execution.dtypes import data_type
from nnefkit.execution.trace import file as trace_file
from nnefkit.execution.trace.codes import code_grid, codes_of
from nnefkit.execution.trace.hidden_nan import hidden_in, nan_in_weights
from nnefkit.execution.trace.other_calls import OTHER_CALLS
from nnefkit.execution.trace.run_record import Entry, Run
from nnefkit.execution.trace.traced_array import traced_array
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.execution.trace.weight_digests import weight_digests
from nnefkit.graph import FrozenDict, Graph
from nnefkit.operations.shape_inference import infer_shapes
from nnefkit.plot.tensors import picture_of
from nnefkit.storage import TemporaryFolder

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class Trace(Displayed, Mapping[str, Array]):
    """The tensors of one run by name, in the order of the graph: inputs and results of operations.

    Iteration leaves out variables and constants, which are the same in every run; their values can
    still be looked up by name. All arrays are read-only. `nnefkit.trace` returns a trace.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> trace = nk.trace(graph, np.array([-1.0, 3.0]))
        >>> list(trace), trace["y"]
        (['x', 'y', 'z'], array([0., 3.], dtype=float32))
        >>> trace.statistics["z"].minimum
        -3.0
    """

    def __init__(
        self,
        run: Run,
        tensors: Mapping[str, Array],
        statistics: Mapping[str, Statistics] | None = None,
        graph: Graph | None = None,
        folder: TemporaryFolder | None = None,
        digests: Mapping[str, str] | None = None,
    ) -> None:
        self.run = run
        self.graph = graph
        """The graph that was run; None if it is not known. A saved trace has it without weights."""
        self._digests = digests
        self._tensors = {e.tensor: tensors[e.tensor] for e in run.entries if e.tensor in tensors}
        self._finite: dict[str, bool] = {}
        self.statistics: Mapping[str, Statistics] = LazyStatistics(
            run, self._tensors, statistics or {}
        )
        """Statistics of every tensor that was recorded, computed on first use."""
        if folder is not None:
            weakref.finalize(self, folder.discard)

    # -- the mapping --------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Array:
        """Return the values of a tensor, read-only; a notebook shows them as a card.

        Raises:
            UnknownNameError: There is no such tensor, or its values were not recorded.
        """
        return traced_array(self._values(name), self, partial(_shown, name))

    def _values(self, name: str) -> Array:
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

    def get(self, name: str, default: Any = None) -> Any:
        """Return the values of a tensor, or `default` if they were not recorded."""
        if name not in self:
            return default
        return self[name]

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
                f"the values of '{name}' were not recorded",
                hint=f"keep='all' records all tensors, keep=['{name}'] this one; "
                + (
                    f"its statistics are trace.statistics['{name}']."
                    if name in self.statistics
                    else "its statistics were not recorded either."
                ),
            )
        known = [entry.tensor for entry in self.run.entries]
        if self.graph is not None:
            known += (tensor.name for tensor in self.graph.variables)
        return UnknownNameError(
            f"the trace of '{self.run.graph_name}' has no tensor '{name}'",
            hint=did_you_mean(str(name), known) or "list(trace) has the names of all.",
        )

    def tensor(self, name: str) -> TracedTensor:
        """Return a tensor with its values in this run, which a notebook displays.

        Raises:
            UnknownNameError: There is no such tensor, or its values were not recorded.
        """
        values = self._values(name)
        graph = self.graph
        operation = graph.producers.get(name) if graph is not None else None
        return TracedTensor(
            name,
            data_type(values.dtype) if graph is None else graph.tensors[name].dtype,
            values,
            operation,
            graph.line(operation) if graph is not None and operation is not None else None,
            self.statistics.get(name),
        )

    # -- the run --------------------------------------------------------------------------------

    @property
    def engine(self) -> str:
        """Name of the engine that ran the graph."""
        return self.run.engine

    @property
    def seconds(self) -> Mapping[str, float]:
        """Name of the first result of each operation -> seconds that the operation took.

        NaN for operations that the engine did not time separately, 0 for those that did not run
        at all, since they depend on weights only.
        """
        return self.run.seconds

    @property
    def inputs(self) -> dict[str, Array]:
        """The inputs by name, as far as they were recorded."""
        return {name: self[name] for name in self.run.inputs if name in self._tensors}

    @property
    def outputs(self) -> dict[str, Array]:
        """The outputs of the graph by name, as far as they were recorded."""
        return {name: self[name] for name in self.run.outputs if name in self._tensors}

    @property
    def hidden_nan(self) -> tuple[str, ...]:
        """Names of the tensors with fewer NaN than an argument of the operation: it hid them.

        By their formulas, `relu`, `max`, `min` and `clamp` ignore NaN (4.2.4). Empty if the trace
        was loaded without its graph.
        """
        if self.graph is None:
            return ()
        weights = nan_in_weights(self.graph)
        entries = self.run.entries
        if not weights and all(self._is_finite(e.tensor) is not False for e in entries):
            return ()
        found = hidden_in(self.graph, lambda name: weights.get(name) or self._nan_count(name))
        return tuple(op.output_names[0] for op in found)

    def _nan_count(self, name: str) -> int:
        if self._is_finite(name) is not False:
            return 0
        return self.statistics[name].nan

    def codes(self, *names: str, graph: Graph | None = None) -> dict[str, Array]:
        """Return the codes of quantized tensors: the whole numbers that stand for their values.

        They are what a device stores: ``nk.compare(trace.codes(), codes_of_the_device)``.

        Args:
            *names: Names of tensors; without them, all recorded ones that have codes.
            graph: Where the quantization info is, if the trace does not have the graph.

        Returns:
            Name -> codes, in the smallest integer dtype, such as int8; of tensors with
            quantization info (5.3), or rounded by it in this run. Values between two codes have
            the nearest one.

        Raises:
            UnknownNameError: There is no such tensor, or its values were not recorded.
            InputError: A tensor has no codes, or none has.

        Example:
            >>> graph = nk.parse(
            ...     "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); y = relu(x); }",
            ...     "'x': zero_point_linear_quantize(zero_point = 1, scale = 0.5, bits = 8,"
            ...     " signed = true, symmetric = false);")
            >>> nk.trace(graph, np.array([-1.0, 3.0]), quantized=True).codes("x")
            {'x': array([-1,  7], dtype=int8)}
        """
        known = graph or self.graph
        grids = {name: code_grid(known, name) if known else None for name in names or self}
        lacking = [name for name in names if self._values(name) is not None and not grids[name]]
        if lacking or not any(grids.values()):
            raise InputError(
                f"'{lacking[0]}' has no codes" if lacking else "no recorded tensor has codes",
                hint="Codes need quantization info by zero_point_linear_quantize. A trace "
                "without it takes it from a graph: trace.codes(graph=graph).",
            )
        return {n: codes_of(grid, self._values(n)) for n, grid in grids.items() if grid is not None}

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each tensor: operation, shape, statistics, seconds."""
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

    @property
    def weight_digests(self) -> Mapping[str, str]:
        """Name of each variable -> a digest of its values, of those that a saved trace had."""
        return self._digests or {}

    # -- files ----------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the trace to one file, which `numpy.load` can read as well.

        The file also has the text of the graph, and digests of its weights instead of their values.

        Raises:
            StorageError: The file cannot be written.
        """
        # Statistics of recorded tensors can be computed again.
        others = {name: s for name, s in self.statistics.items() if name not in self}
        text = str(self.graph) if self.graph is not None else None
        digests = {**(weight_digests(self.graph) if self.graph else {}), **self.weight_digests}
        content = trace_file.Content(self.run, self._tensors, others, text, digests)
        trace_file.write(expected_path(path), content)

    @classmethod
    def load(cls, path: str | Path, graph: Graph | None = None) -> Trace:
        """Read a trace that `save` wrote.

        Args:
            path: Path of the file.
            graph: The graph that was run, if available: the file has its text, but not its weights.

        Raises:
            StorageError: The file cannot be read, or is not a trace.
            InputError: The trace is of another graph.
        """
        run, tensors, statistics, text, digests = trace_file.read(expected_path(path))
        if graph is None:
            graph = _graph_of(text, run)
        else:
            missing = [e.tensor for e in run.entries if e.tensor not in graph.tensors]
            if missing:
                raise InputError(
                    f"the trace is not of graph '{graph.name}', which has no tensor '{missing[0]}'",
                    file=str(path),
                )
        return cls(run, tensors, statistics, graph, digests=digests)

    # -- display --------------------------------------------------------------------------------

    def plot(self, name: str | None = None, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw one tensor in the way that suits its shape, or the times of the operations.

        Args:
            name: The name of a tensor: its channels are drawn as maps, a matrix as a heat map, and
                what has no such form as a histogram. None draws the times.
            ax: The axes to draw into; by default those of a new figure.
            **options: Those of `nnefkit.plot.feature_maps`, `heat_map`, `histogram` or `timings`.

        Raises:
            UnknownNameError: There is no such tensor, or its values were not recorded.
            InputError: There is nothing to draw.

        Example:
            >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
            ...     "x = external(shape = [4, 3]); y = relu(x); }")
            >>> nk.trace(graph, np.eye(4, 3)).plot("y").get_title(loc="left")
            'y'
        """
        if name is None:
            return plot.timings(self, ax, **options)
        tensor = self.tensor(name)
        return picture_of(tensor.shape)(tensor, ax=ax, **options)

    def _ipython_key_completions_(self) -> list[str]:
        """Return what Tab completes after ``trace["``."""
        return list(self)

    def __getattr__(self, name: str) -> NoReturn:
        raise unknown_attribute(self, name, OTHER_CALLS, self.__dict__.get("_tensors", ()))

    def summary(self) -> TraceSummary:
        """Return the content for the displays."""
        return TraceSummary(
            graph=self.run.graph_name,
            engine=self.engine,
            rows=tuple(self._display_row(entry) for entry in self.run.entries),
            seconds=self.run.total,
            statistics=self.statistics,
            hidden_nan=self.hidden_nan,
            stopped=self.run.stopped,
        )

    def _is_finite(self, name: str) -> bool | None:
        """Whether all elements are finite; None if neither values nor statistics were recorded."""
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
            stored=array is not None,
            computed=self.run.computed is None or entry.tensor in self.run.computed,
        )

    def _card(self, *, brief: bool) -> Card:
        return trace_card(self.summary(), brief=brief)


def _shown(name: str, trace: Trace | None, values: Array) -> TracedTensor:
    """Return what a notebook shows of the values of a tensor, also when the trace is gone."""
    if trace is None:
        return TracedTensor(name, data_type(values.dtype), values)
    return trace.tensor(name)


def _graph_of(text: str | None, run: Run) -> Graph | None:
    """Return the graph of a saved trace, without weights; None if the text is not its graph."""
    if text is None:
        return None
    graph, diagnostics = language.parse(text, strict=False)
    is_wrong = any(each.severity == "error" for each in diagnostics)
    if graph is None or is_wrong or any(entry.tensor not in graph.tensors for entry in run.entries):
        return None
    try:
        graph = infer_shapes(graph)
    except NnefError:
        return None
    shapes = {entry.tensor: entry.shape for entry in run.entries}
    tensors = {
        name: replace(tensor, shape=shapes.get(name)) if tensor.shape is None else tensor
        for name, tensor in graph.tensors.items()
    }
    # Lines are those of the text that was run, which is another one.
    return replace(graph, tensors=FrozenDict(tensors), source=None)


_STATISTICS = ("minimum", "maximum", "mean", "deviation", "zero_share", "nan", "infinite")
_COLUMNS = ("tensor", "operation", "shape", "seconds", *_STATISTICS)


class LazyStatistics(Mapping[str, Statistics]):
    """Statistics by tensor name, each computed on first use."""

    def __init__(
        self, run: Run, tensors: Mapping[str, Array], computed: Mapping[str, Statistics]
    ) -> None:
        self._tensors = tensors
        self._computed = dict(computed)
        names = [entry.tensor for entry in run.entries]
        self._names = [name for name in names if name in computed or name in tensors]
        self._known = frozenset(self._names)

    def __getitem__(self, name: str) -> Statistics:
        if name not in self._known:
            raise UnknownNameError(
                f"there are no statistics of '{name}'", hint=did_you_mean(str(name), self._names)
            )
        if name not in self._computed:
            self._computed[name] = statistics(self._tensors[name], bars=COUNTED)
        return self._computed[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known

    def get(self, name: str, default: Any = None) -> Any:
        """Return statistics, or `default`: without the search for similar names of an error."""
        return self[name] if name in self._known else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"<statistics of {plural(len(self), 'tensor')}>"
