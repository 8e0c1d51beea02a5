"""Running graphs: a session for many runs, `run` and `trace` for one."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Self

from nnefkit.arguments import expected_names
from nnefkit.arrays import Array, mapped_files
from nnefkit.custom_operations import CustomOperations, using
from nnefkit.display import numbers, visible_text
from nnefkit.errors import ExecutionError, InputError, UnknownNameError, did_you_mean
from nnefkit.execution.dtypes import scalar_dtype, with_precise_constants
from nnefkit.execution.engine import Prepared, ProcessLock, Watch
from nnefkit.execution.preparation.inputs import check_feeds
from nnefkit.execution.preparation.integer_arithmetic import with_integer_arithmetic
from nnefkit.execution.preparation.quantized_graph import pseudo_quantized
from nnefkit.execution.preparation.runnable_graph import (
    expanded,
    is_runnable,
    refuse_unsupported,
    restricted,
)
from nnefkit.execution.preparation.updated_variables import UpdatedVariables, updates
from nnefkit.execution.progress import Progress
from nnefkit.execution.selection import reads_annotations, selected_engine
from nnefkit.execution.trace.hidden_nan import HiddenNan
from nnefkit.execution.trace.recorder import Keep, Recorder, recorded_names
from nnefkit.execution.trace.run_record import entries
from nnefkit.execution.trace.trace import Trace
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.custom import definitions, in_effect
from nnefkit.operations.shape_inference import infer_shapes

REMEMBERED = 4
"""Number of prepared graphs that a session retains, for the most recent sets of tensors."""


class Outputs(dict[str, Array]):
    """The tensors that a run computed, by name."""

    def __init__(self, arrays: Mapping[str, Array], engine: str) -> None:
        super().__init__(arrays)
        self.engine = engine
        """Name of the engine that ran, such as ``"torch"`` if ``"auto"`` was requested."""


class Session:
    """A graph prepared for many runs; variables that it updates persist between runs (4.8).

    Several threads may use a session; runs that update variables are executed one at a time.
    The resources of the engine, such as memory or a process, are released when the session is
    closed, at the end of a ``with`` block, or when the session is garbage-collected.

    Args:
        graph: The graph to run.
        engine: Name of the engine; `nnefkit.engines` lists them. ``"auto"`` is the fastest one that
            is installed and can run the graph.
        fallback: Name of the engine that runs the operations that the other one cannot.
        quantized: Whether each tensor with quantization info (``graph.quant``) is quantized right
            after its value is computed (7.1). `graph` is then the graph with the quantization
            operations in it.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
            The session uses the operations that are registered when it is created.
        **options: Options of the engine, such as ``threads=2`` or ``device="cuda"``.

    Raises:
        UnknownNameError: There is no such engine, or it has no such option.
        ExecutionError: The engine cannot run all the operations, or a variable has no values.
        DocumentError: The shapes of the graph do not agree.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }")
        >>> session = nk.Session(graph)
        >>> session.run(np.array([-1.0, 3.0]))["y"]
        array([0., 3.], dtype=float32)
        >>> session.trace(np.array([-1.0, 3.0])).statistics["y"].maximum
        3.0
    """

    def __init__(
        self,
        graph: Graph,
        engine: str = "numpy",
        *,
        fallback: str | None = None,
        quantized: bool = False,
        custom_operations: CustomOperations | None = None,
        **options: Any,
    ) -> None:
        self._given = expected_graph(graph, data=True)
        self._scalar = scalar_dtype(graph)
        self._sources: Mapping[str, str] = {}
        """Name of each input and variable of the original graph -> its name in the run graph."""
        with using(custom_operations):
            self._definitions = definitions()
            graph = expanded(graph)
            if quantized and not reads_annotations(engine):
                graph, self._sources = pseudo_quantized(graph)
            self._engine = selected_engine(graph, engine, fallback, options)
            self._whole = is_runnable(self._engine, graph)
            if not self._whole:
                needed = restricted(graph, [*graph.outputs, *updates(graph).values()])
                refuse_unsupported(self._engine, needed)
            if any(tensor.shape is None for tensor in graph.tensors.values()):
                graph = infer_shapes(graph)
        self.graph = graph = with_precise_constants(graph)
        """The graph that is run: calls of fragments expanded, shapes known."""
        self._state = UpdatedVariables(graph)
        self._entries = entries(graph)
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._hidden_nan = None if self._state.results else HiddenNan(self.graph)
        self._files = mapped_files(tensor.data for tensor in self.graph.tensors.values())
        self._prepared: dict[tuple[frozenset[str], frozenset[str]], Prepared] = {}
        self._preparing = ProcessLock()
        self._updating = ProcessLock()

    def __getstate__(self) -> dict[str, Any]:
        # What an engine prepared stays in its process; the variables as they are now do not.
        with self._updating.here():
            state = {**self.__dict__, "_state": copy.deepcopy(self._state)}
        for name in ("_files", "_prepared", "_preparing", "_updating"):
            del state[name]
        if self._definitions:
            _check_picklable(self._definitions)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def engine(self) -> str:
        """Name of the engine, or of both if two share the work: ``"onnxruntime+numpy"``."""
        return self._engine.name

    # -- running ------------------------------------------------------------------------------

    def run(
        self,
        inputs: Any,
        outputs: str | Iterable[str] | None = None,
        *,
        progress: bool | None = None,
    ) -> Outputs:
        """Compute the outputs of the graph.

        Args:
            inputs: Input name -> array-like; or one array-like, if the graph has one input.
            outputs: Names of the tensors to compute instead of the graph's own outputs.
            progress: Whether to show a progress bar; None shows it in runs of more than a second.

        Returns:
            Output name -> new array; ``outputs.engine`` is the engine that ran.

        Raises:
            InputError: An input is missing, unknown, or of a wrong shape or dtype.
            UnknownNameError: `outputs` names a tensor that does not exist.
            ExecutionError: An operation failed, or the session is closed.
        """
        fetch = self._fetch(outputs)
        feeds = self._feeds(inputs)
        with Progress(self.graph, progress) as watch:
            results = self._compute(feeds, fetch, frozenset(), watch)
        if self._hidden_nan is not None:
            run_again = partial(self.trace, inputs, "statistics", progress=False)
            self._hidden_nan.warn(feeds, results, run_again)
        return Outputs({name: results[name] for name in fetch}, self.engine)

    def trace(
        self,
        inputs: Any,
        keep: Keep = "all",
        *,
        spill: str | Path | None = None,
        progress: bool | None = None,
    ) -> Trace:
        """Run the graph and record the tensors between its operations.

        Args:
            inputs: Input name -> array-like; or one array-like, if the graph has one input.
            keep: The recorded tensors: ``"all"`` tensors, their ``"statistics"`` only, those
                of some names, or those for whose names a function returns true.
            spill: A folder; the values are written to files in it and mapped, instead of held in
                memory. The files are deleted with the trace.
            progress: Whether to show a progress bar; None shows it in runs of more than a second.

        Raises:
            InputError: An input is missing, unknown, or of a wrong shape or dtype.
            UnknownNameError: `keep` names a tensor that does not exist.
            ExecutionError: An operation failed, or the session is closed. Its ``trace`` has what
                was computed before, like that of a ``KeyboardInterrupt``.
        """
        names = recorded_names(self.graph, keep, [entry.tensor for entry in self._entries])
        feeds = self._feeds(inputs)
        recorder = Recorder(names, keep != "statistics", spill)
        try:
            return self._traced(feeds, names, recorder, progress)
        except BaseException:
            # An interrupt as well: nothing else would delete the files.
            if recorder.folder is not None:
                recorder.folder.discard()
            raise

    def _traced(
        self,
        feeds: Mapping[str, Array],
        names: frozenset[str],
        recorder: Recorder,
        progress: bool | None,
    ) -> Trace:
        started = perf_counter()
        recorder.take_inputs(feeds)
        try:
            with Progress(self.graph, progress, recorder.watch) as watch:
                watched = names.difference(self.graph.inputs)
                self._compute(feeds, self.graph.outputs, watched, watch)
        except (ExecutionError, KeyboardInterrupt) as error:
            if recorder.folder is None:
                error.trace = self._recorded(recorder, started, error)  # type: ignore[union-attr]
            raise
        return self._recorded(recorder, started)

    def _recorded(self, taken: Recorder, started: float, error: Any = None) -> Trace:
        seconds = perf_counter() - started
        run = taken.run(self.graph, self.engine, self._entries, seconds, error)
        return Trace(run, taken.tensors, taken.statistics, self.graph, taken.folder)

    def _feeds(self, inputs: Any) -> dict[str, Array]:
        feeds = check_feeds(self._given, inputs, self._scalar)
        named = {self._sources.get(name, name): array for name, array in feeds.items()}
        return self._engine.received(self.graph, named)

    def _fetch(self, outputs: str | Iterable[str] | None) -> tuple[str, ...]:
        if outputs is None:
            return self.graph.outputs
        return tuple(self.graph.tensor(name).name for name in expected_names(outputs, "outputs"))

    def _compute(
        self,
        feeds: Mapping[str, Array],
        fetch: Collection[str],
        watched: frozenset[str],
        watch: Watch | None,
    ) -> dict[str, Array]:
        for file in self._files:
            file.check_unchanged()
        prepared = self._ready(frozenset(fetch) | self._state.results, watched)
        if not self._state.results:
            return prepared(feeds, watch)
        with self._updating.here():
            results = prepared({**feeds, **self._state.current}, watch)
            self._state.take(results)
        return results

    def _ready(self, wanted: frozenset[str], watched: frozenset[str]) -> Prepared:
        """Return the graph prepared to compute some tensors, now or in an earlier run."""
        with self._preparing.here():
            if self._closed:
                raise ExecutionError(
                    f"the session of '{self.graph.name}' is closed",
                    hint="nk.Session(graph) makes a new one.",
                )
            key = (wanted, watched)
            prepared = self._prepared.pop(key, None) or self._prepare(*key)
            self._prepared[key] = prepared
            if len(self._prepared) > REMEMBERED:
                del self._prepared[next(iter(self._prepared))]
            return prepared

    def close(self) -> None:
        """Release the resources of the engine; the session cannot run afterward."""
        with self._preparing.here():
            self._closed = True
            self._prepared.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _prepare(self, wanted: frozenset[str], watched: frozenset[str]) -> Prepared:
        graph = self.graph
        with in_effect(self._definitions):
            if not self._whole:
                # Operations that cannot run are refused only if a run needs them.
                graph = restricted(graph, wanted | watched)
                refuse_unsupported(self._engine, graph)
            if self._engine.computes_integers:
                graph = with_integer_arithmetic(graph)
            return self._engine.prepare(graph, wanted, watched)

    # -- state ----------------------------------------------------------------------------------

    @property
    def variables(self) -> dict[str, Array]:
        """The variables by name, as the last run left them; a copy of those that runs change."""
        with self._updating.here():
            current = dict(self._state.current)
        sources = {v.name: self._sources.get(v.name, v.name) for v in self._given.variables}
        values = {
            name: current[source].copy() if source in current else self.graph.tensors[source].data
            for name, source in sources.items()
        }
        return {name: array for name, array in values.items() if array is not None}

    def reset(self, *names: str) -> None:
        """Reset the variables called `names`, or all, to their values in the graph.

        Raises:
            UnknownNameError: There is no such variable.
        """
        known = [variable.name for variable in self._given.variables]
        for name in names:
            if name not in known:
                raise UnknownNameError(
                    f"graph '{self.graph.name}' has no variable '{name}'",
                    hint=did_you_mean(name, known),
                )
        with self._updating.here():
            self._state.reset(self._sources.get(name, name) for name in names or known)

    def __repr__(self) -> str:
        count = numbers.plural(len(self.graph.computations), "operation")
        of = f"{'closed ' * self._closed}Session of '{visible_text.visible(self.graph.name, 40)}'"
        return f"<{of} ({count}) on the engine '{self.engine}'>"


def _check_picklable(definitions: object) -> None:
    try:
        pickle.dumps(definitions)
    except Exception as error:
        raise InputError(
            f"the session cannot be pickled, since its custom operations cannot: {error}",
            hint="Define their functions at the top of a module, not inside of a function.",
        ) from error


# -- one run --------------------------------------------------------------------------------------


def run(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    outputs: str | Iterable[str] | None = None,
    *,
    progress: bool | None = None,
    quantized: bool = False,
    custom_operations: CustomOperations | None = None,
    **options: Any,
) -> Outputs:
    """Run a graph once; `Session` prepares it for many runs.

    Args:
        graph: The graph to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines` lists them. ``"auto"`` is the fastest one that
            is installed and can run the graph.
        outputs: Names of the tensors to compute instead of the graph's own outputs.
        progress: Whether to show a progress bar; None shows it in runs of more than a second.
        quantized: Whether each tensor with quantization info (``graph.quant``) is quantized right
            after its value is computed (7.1).
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
        **options: Options of the engine, such as ``threads=2``; ``fallback="numpy"`` runs
            operations that the engine does not support in numpy.

    Returns:
        Output name -> array; ``outputs.engine`` is the engine that ran.

    Raises:
        InputError: An input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: There is no such engine, tensor or option.
        ExecutionError: The engine cannot run the graph, or an operation failed.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }")
        >>> nk.run(graph, {"x": np.array([-1.0, 3.0])})
        {'y': array([0., 3.], dtype=float32)}
    """
    if outputs is not None:
        # Operations that only other outputs need are not prepared.
        names = expected_names(outputs, "outputs")
        graph = replace(
            expected_graph(graph), outputs=tuple(graph.tensor(name).name for name in names)
        )
    session = Session(
        graph, engine, quantized=quantized, custom_operations=custom_operations, **options
    )
    return session.run(inputs, progress=progress)


def trace(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    keep: Keep = "all",
    *,
    spill: str | Path | None = None,
    progress: bool | None = None,
    quantized: bool = False,
    custom_operations: CustomOperations | None = None,
    **options: Any,
) -> Trace:
    """Run a graph once and record the tensors between its operations.

    Args:
        graph: The graph to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines` lists them. ``"auto"`` is the fastest one that
            is installed and can run the graph.
        keep: The recorded tensors: ``"all"`` tensors, their ``"statistics"`` only, the tensors of
            some names, or those for whose names a function returns true.
        spill: A folder; the values are written to files in it and mapped, instead of held in
            memory. The files are deleted with the trace.
        progress: Whether to show a progress bar; None shows it in runs of more than a second.
        quantized: Whether each tensor with quantization info (``graph.quant``) is quantized right
            after its value is computed (7.1). The value before that is in the trace, too: as
            ``x_unquantized``, if the tensor is called ``x``.
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
        **options: Options of the engine, such as ``threads=2``; ``fallback="numpy"`` runs
            operations that the engine does not support in numpy.

    Raises:
        InputError: An input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: There is no such engine, tensor or option.
        ExecutionError: The engine cannot run the graph, or an operation failed.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> nk.trace(graph, np.array([-1.0, 3.0]))["y"]
        array([0., 3.], dtype=float32)
    """
    session = Session(
        graph, engine, quantized=quantized, custom_operations=custom_operations, **options
    )
    return session.trace(inputs, keep, spill=spill, progress=progress)
