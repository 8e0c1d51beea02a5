"""`trace_many`: statistics of all tensors over many inputs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nnefkit.arrays import Array
from nnefkit.custom_operations import CustomOperations
from nnefkit.display.cards.traced_inputs import RangeRow, TracedInputsSummary, traced_inputs_card
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card, code
from nnefkit.display.numbers import plural
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.display.summary_text import Summary, in_words
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.execution.engine import ProcessLock
from nnefkit.execution.many.distribution import expected_examples, size_of, spread
from nnefkit.execution.many.tensor_range import TensorRange
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.execution.session import Session
from nnefkit.execution.trace.recorder import Keep
from nnefkit.graph import Graph

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class TracedInputs(Displayed, Mapping[str, TensorRange]):
    """Statistics of the tensors of a graph over many inputs, as `nnefkit.trace_many` returns them.

    A mapping from names of tensors to `TensorRange`.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }")
        >>> traced = nk.trace_many(graph, [np.array([-1.0, 3.0]), np.array([5.0, 0.0])])
        >>> traced["y"].maximum, traced.inputs
        (5.0, 2)
    """

    ranges: Mapping[str, TensorRange] = field(repr=False)
    """Name -> statistics, in the order of the graph."""
    inputs: int
    """Number of inputs that are in the statistics."""
    graph: Graph = field(repr=False)
    engine: str = "numpy"
    interrupted: bool = False
    """Whether the work was interrupted: the statistics are of the inputs until then."""

    def __getitem__(self, name: str) -> TensorRange:
        try:
            return self.ranges[name]
        except KeyError:
            raise UnknownNameError(
                f"there are no statistics of '{name}'", hint=did_you_mean(str(name), self.ranges)
            ) from None

    def get(self, name: str, default: Any = None) -> Any:
        """Return the statistics of a tensor, or `default` if there are none."""
        return self.ranges.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    @property
    def summary(self) -> Summary:
        """The result in words: where the first NaN or Inf is, and the largest magnitude."""
        return in_words(self._sentence())

    def _sentence(self) -> str:
        sentences = []
        if self.interrupted:
            sentences.append(f"Interrupted after {plural(self.inputs, 'input')}.")
        bad = [name for name, each in self.items() if each.first_nan is not None]
        if bad:
            first = self[bad[0]]
            what = f"{first.nan:,} NaN and {first.infinite:,} Inf"
            sentences.append(
                f"{plural(len(bad), 'tensor')} with NaN or Inf; the first one in the order of the "
                f"graph is {code(bad[0])} ({what}), first in input {first.first_nan:,}."
            )
        else:
            sentences.append("All values are finite.")
        worst = max(
            (item for item in self.items() if item[1].worst is not None),
            key=lambda item: abs(item[1].worst.value) if item[1].worst else 0.0,
            default=None,
        )
        if worst is not None and worst[1].worst is not None:
            value, number, at = worst[1].worst
            where = f"{code(worst[0])}{list(at) if at else ''}"
            sentences.append(f"The largest magnitude is {value:.6g}, of {where}, input {number:,}.")
        return " ".join(sentences)

    def to_frame(self) -> pd.DataFrame:
        """Return a table with one row for each tensor.

        ``worst_input`` and ``worst_at`` are number of input and index of the largest magnitude.
        """
        import pandas as pd

        rows = []
        for name, each in self.items():
            worst = each.worst
            rows.append(
                {
                    "tensor": name,
                    "operation": self.graph.producers[name].name,
                    **{column: getattr(each, column) for column in _COLUMNS},
                    "worst": math.nan if worst is None else worst.value,
                    "worst_input": None if worst is None else worst.input,
                    "worst_at": None if worst is None else worst.at,
                    "first_nan": each.first_nan,
                }
            )
        last = ("worst", "worst_input", "worst_at", "first_nan")
        frame = pd.DataFrame(rows, columns=["tensor", "operation", *_COLUMNS, *last])
        whole = {"worst_input": "Int64", "first_nan": "Int64"}
        return frame.set_index("tensor").astype(whole)

    def _card(self, *, brief: bool) -> Card:
        rows = tuple(
            RangeRow(
                self.graph.producers[name].name,
                name,
                each.minimum,
                each.maximum,
                each.mean,
                each.deviation,
                each.nan + each.infinite,
                None if each.worst is None else each.worst.input,
            )
            for name, each in self.items()
        )
        is_finite = all(each.first_nan is None for each in self.values())
        return traced_inputs_card(
            TracedInputsSummary(
                self.graph.name, self.engine, self.inputs, self._sentence(), is_finite, rows
            ),
            brief=brief,
        )


_COLUMNS = (
    "inputs",
    "count",
    "minimum",
    "maximum",
    "mean",
    "deviation",
    "zeros",
    "nan",
    "infinite",
)


@dataclass(frozen=True)
class TracingTask:
    """Traces one input after the other on one session."""

    session: Session
    keep: Keep

    def __call__(self, number: int, example: Any) -> dict[str, TensorRange]:
        """Return the statistics of each tensor."""
        trace = traced(self.session, example, self.keep)
        return {name: TensorRange.of(array, number) for name, array in trace.items()}


_STATE = ProcessLock()


def traced(session: Session, example: Any, keep: Keep = "all") -> Mapping[str, Array]:
    """Trace an input; variables that the graph updates begin as in the graph."""
    if not updates(session.graph):
        return session.trace(example, keep, progress=False)
    # Threads share the session, and with it the variables.
    with _STATE.here():
        session.reset()
        return session.trace(example, keep, progress=False)


def trace_many(
    graph: Graph,
    inputs: Iterable[Any],
    engine: str = "numpy",
    *,
    keep: Keep = "all",
    executor: Executor | Any = None,
    progress: bool | None = None,
    fallback: str | None = None,
    quantized: bool = False,
    custom_operations: CustomOperations | None = None,
    **options: Any,
) -> TracedInputs:
    """Run a graph on many inputs, and collect statistics of every tensor.

    One run is held in memory at a time, whatever the number of inputs. The work can be spread over
    threads, processes or machines; the result is the same, bit for bit. An interrupt
    (``KeyboardInterrupt``) ends the work; what was done until then is returned.

    Args:
        graph: The graph to run.
        inputs: An iterable of inputs, each as for `nnefkit.run`: a list, or a generator that reads
            them one by one. Variables that the graph updates begin anew for each.
        engine: Name of the engine, as for `nnefkit.trace`.
        keep: The tensors to collect statistics of: ``"all"``, names, or a function of a name.
        executor: A `concurrent.futures.Executor`, or a ``dask.distributed.Client``.
        progress: Whether to show a progress bar; None shows it if it takes more than a second.
        fallback: Name of the engine for operations that the other one does not support.
        quantized: Whether the graph is run with its quantization info (7.1).
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
        **options: Options of the engine, such as ``threads=1``.

    Returns:
        The statistics by tensor name: range, mean, deviation, NaN, and the input and index of the
        largest magnitude.

    Raises:
        InputError: There are no inputs, or one of them does not fit; the message has its number.
        UnknownNameError: There is no such engine, tensor or option.
        ExecutionError: The engine cannot run the graph, or an operation or a worker failed.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }")
        >>> found = nk.trace_many(graph, [np.array([1.0, -2.0]), np.array([5.0, 0.0])])
        >>> found["y"].maximum, found["y"].worst
        (5.0, Extreme(value=5.0, input=1, at=(0,)))
    """
    examples = expected_examples(inputs)
    session = Session(
        graph,
        engine,
        fallback=fallback,
        quantized=quantized,
        custom_operations=custom_operations,
        **options,
    )
    task = TracingTask(session, "all" if keep == "statistics" else keep)
    ranges: dict[str, TensorRange] = {}
    done, interrupted = 0, False
    results = spread(task, examples, executor)
    with ProgressBar(
        size_of(examples), session.graph.name, "input", delay=bar_delay(progress)
    ) as bar:
        try:
            for found in results:
                merged = {n: ranges[n].merged(each) if done else each for n, each in found.items()}
                # One assignment: an interrupt leaves all of an input, or nothing.
                ranges, done = merged, done + 1
                bar.update(1)
        except KeyboardInterrupt:
            if not done:
                raise
            interrupted = True
        finally:
            results.close()
    if not done:
        raise InputError("there are no inputs", hint="Pass at least one.")
    return TracedInputs(ranges, done, session.graph, session.engine, interrupted)
