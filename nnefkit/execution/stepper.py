"""`step`: a run that is computed one operation at a time, stops, goes back and goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from nnefkit.arrays import Array
from nnefkit.custom_operations import CustomOperations, using
from nnefkit.display import html
from nnefkit.display.cards.stepper import stepper_card
from nnefkit.display.elements import Card
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import ExecutionError, InputError, UnknownNameError, did_you_mean
from nnefkit.execution.breakpoints import Condition, Target, conditions
from nnefkit.execution.dtypes import with_precise_constants
from nnefkit.execution.preparation.inputs import check_feeds
from nnefkit.execution.preparation.quantized_graph import pseudo_quantized
from nnefkit.execution.preparation.runnable_graph import expanded, refuse_unsupported
from nnefkit.execution.selection import selected_engine
from nnefkit.execution.single_operations import SingleOperations
from nnefkit.execution.step import Results, Step, replacement
from nnefkit.execution.stepped_values import HISTORY, SteppedValues
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.shape_inference import infer_shapes


class Stepper(Iterator[Step]):
    """A run that is computed one operation at a time; `nnefkit.step` returns it.

    It is an iterator of `Step`. `until` and `go` run on to a tensor or a breakpoint, `back_to` goes
    back, `replace` changes a tensor for the operations that follow.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = log(x); z = neg(y); }")
        >>> steps = nk.step(graph, np.array([-1.0, 1.0]))
        >>> steps.until(nan=True).outputs
        {'y': array([nan,  0.], dtype=float32)}
        >>> steps.stopped
        "'y' has 1 NaN, which no input of it has"
        >>> steps.replace("x", [1.0, 1.0])
        >>> steps.back_to("y").outputs
        {'y': array([0., 0.], dtype=float32)}
    """

    def __init__(
        self,
        graph: Graph,
        operations: SingleOperations,
        engine: str,
        feeds: Mapping[str, Array],
        history: bool,
        given: Graph,
        sources: Mapping[str, str],
    ) -> None:
        self.graph = graph
        """The graph that is run: calls of fragments expanded, shapes known."""
        self.engine = engine
        """Name of the engine that computes the operations."""
        self.current: Step | None = None
        """The step that was computed last; None before the first one."""
        self.stopped: str = ""
        """Why the run stopped last, in words; empty if it did not stop."""
        self._given, self._sources = given, sources
        self._operations = operations
        self._values = SteppedValues(graph, operations.scalar, feeds, history)
        self._order = [i for i, op in enumerate(graph.operations) if not op.is_source]
        self._position = 0
        """Number of operations that have been computed."""
        self._places = {
            name: place
            for place, number in enumerate(self._order)
            for name in graph.operations[number].output_names
        }
        self._breakpoints: list[Condition] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Step:
        """Compute the next operation.

        Raises:
            ExecutionError: It failed; the run can go on after `replace` or `back_to`.
        """
        self._commit()
        if self._position == len(self._order):
            raise StopIteration
        number = self._order[self._position]
        op = self.graph.operations[number]
        results = self._operations.compute(number, self._value)
        inputs = {name: self._value(name) for name in op.input_names}
        self.current = Step(op, inputs, Results(results), number)
        self._position += 1
        self.stopped = ""
        return self.current

    def _commit(self) -> None:
        """Make the results of the last step, perhaps replaced, what later operations read."""
        if self.current is not None:
            self._values.take(self.current.number, self.current.outputs)

    def _value(self, name: str) -> Array:
        if self.current is not None and name in self.current.outputs:
            return self.current.outputs[name]
        return self._values[name]

    def until(
        self,
        target: Target = None,
        *,
        nan: bool = False,
        beyond: float | None = None,
        progress: bool | None = None,
    ) -> Step | None:
        """Run on to the first step at which one of some conditions, or a breakpoint, is met.

        Args:
            target: Name of a tensor that is still to be computed, or a function of a `Step` that
                returns whether to stop after it.
            nan: Whether to stop at the first result with NaN.
            beyond: Stop at the first result with an element of a larger magnitude.
            progress: Whether to show a progress bar; None shows it if it takes more than a second.

        Returns:
            The step; None if the run ended without one. `stopped` says why it stopped.

        Raises:
            UnknownNameError: There is no such tensor.
            InputError: The tensor was computed already, or no operation computes it; or an argument
                is wrong.
            ExecutionError: An operation failed.
        """
        wanted = conditions(target, nan, beyond)
        if isinstance(target, str):
            self._place(target)
            if self._places[target] < self._position:
                raise InputError(
                    f"'{target}' was computed already",
                    hint=f"steps.back_to('{target}') goes back to it.",
                )
        return self._run(wanted, progress)

    def go(self, *, progress: bool | None = None) -> Step | None:
        """Run on to the next breakpoint; return its step, or None at the end of the run.

        Args:
            progress: Whether to show a progress bar; None shows it if it takes more than a second.

        Raises:
            ExecutionError: An operation failed.
        """
        return self._run([], progress)

    def _run(self, wanted: list[Condition], progress: bool | None) -> Step | None:
        left = len(self._order) - self._position
        with ProgressBar(left, self.graph.name, "operation", delay=bar_delay(progress)) as bar:
            for step in self:
                bar.update(1)
                reasons = [each.reason(step) for each in wanted]
                breaks = filter(None, [each.reason(step) for each in self._breakpoints])
                reasons += [f"breakpoint: {reason}" for reason in breaks]
                self.stopped = next(filter(None, reasons), "")
                if self.stopped:
                    return step
        self.stopped = "end of the run"
        return None

    def break_at(
        self, target: Target = None, *, nan: bool = False, beyond: float | None = None
    ) -> None:
        """Add breakpoints, at which `go` and `until` stop.

        Args:
            target: Name of a tensor, or a function of a `Step` that returns whether to stop.
            nan: Whether to stop at results with NaN.
            beyond: Stop at results with an element of a larger magnitude.

        Raises:
            UnknownNameError: There is no such tensor.
            InputError: No operation computes the tensor, or an argument is wrong.
        """
        wanted = conditions(target, nan, beyond)
        if isinstance(target, str):
            self._place(target)
        self._breakpoints += wanted

    @property
    def breakpoints(self) -> tuple[str, ...]:
        """The breakpoints in words."""
        return tuple(each.words for each in self._breakpoints)

    def clear_breakpoints(self) -> None:
        """Remove all breakpoints."""
        self._breakpoints.clear()

    def back_to(self, tensor: str) -> Step:
        """Go back to the operation that computes a tensor, and compute it again.

        Tensors before it keep the values that they were replaced by; replaced results of this
        operation and of later ones are computed again. Variables that were updated since then go
        back, too.

        Args:
            tensor: Name of a tensor that was computed.

        Raises:
            UnknownNameError: There is no such tensor.
            InputError: The tensor was not computed yet, or no operation computes it.
            ExecutionError: The history is not held, or the operation failed.
        """
        place = self._place(tensor)
        self._check_computed(tensor)
        if not self._values.history:
            raise ExecutionError("the values to go back to are not held", hint=HISTORY)
        self._commit()
        self._values.discard(name for name, other in self._places.items() if other >= place)
        self._position = place
        self.current = None
        return next(self)

    def next_run(self, inputs: Any) -> None:
        """Begin the next run, with the variables as this run left them (4.8).

        Other variables and constants that were replaced remain replaced.

        Args:
            inputs: Input name -> array-like; or one array-like, if the graph has one input.

        Raises:
            InputError: This run has not ended, or the inputs do not fit.
        """
        if self._position < len(self._order):
            left = len(self._order) - self._position
            raise InputError(
                f"the run has not ended: {left:,} of {len(self._order):,} operations are left",
                hint="steps.go() runs on to the end, or to a breakpoint.",
            )
        feeds = _feeds(self._given, inputs, self._operations.scalar, self._sources)
        self._values.begin(feeds, self._updated())
        self._position, self.current, self.stopped = 0, None, ""

    def replace(self, tensor: str, values: Any) -> None:
        """Replace the values of an input, a weight or a computed tensor for later operations.

        Args:
            tensor: Its name.
            values: Array-like of the shape of the tensor; numbers that its dtype can represent.

        Raises:
            UnknownNameError: There is no such tensor.
            InputError: It was not computed yet, or the values do not fit.
        """
        self._check_computed(tensor)
        # A copy: the array of the caller may change.
        array = replacement(tensor, values, self._value(tensor)).copy()
        if self.current is not None and tensor in self.current.outputs:
            self.current.outputs[tensor] = array
        else:
            self._values[tensor] = array

    def __getitem__(self, tensor: str) -> Array:
        """Return the present values of a tensor.

        Raises:
            UnknownNameError: There is no such tensor.
            InputError: It was not computed yet.
        """
        self._check_computed(tensor)
        return self._value(tensor)

    @property
    def variables(self) -> dict[str, Array]:
        """The variables that the graph updates, by name, as they are after the last step."""
        names = {source: name for name, source in self._sources.items()}
        return {names.get(name, name): array for name, array in self._updated().items()}

    def _updated(self) -> dict[str, Array]:
        results = set(self._values.updates.values())
        computed = {r: self._value(r) for r in results if self._places[r] < self._position}
        return self._values.updated(computed)

    def _place(self, name: str) -> int:
        self._check_name(name)
        if name not in self._places:
            kind = "an input" if name in self.graph.inputs else "a variable or constant"
            raise InputError(
                f"'{name}' is {kind}, which no operation computes",
                hint=f"steps.replace('{name}', array) changes it for the operations that follow.",
            )
        return self._places[name]

    def _check_computed(self, name: str) -> None:
        self._check_name(name)
        if self._places.get(name, -1) >= self._position:
            raise InputError(
                f"'{name}' was not computed yet", hint=f"steps.until('{name}') goes on to it."
            )

    def _check_name(self, name: object) -> None:
        if not isinstance(name, str) or name not in self.graph.tensors:
            raise UnknownNameError(
                f"graph '{self.graph.name}' has no tensor {name!r}",
                hint=did_you_mean(str(name), self.graph.tensors),
            )

    def _card(self) -> Card:
        left = self._order[self._position :]
        return stepper_card(
            self.graph.name,
            self.engine,
            (self._position, len(self._order)),
            self.stopped,
            self.breakpoints,
            self.graph.operations[left[0]] if left else None,
        )

    def __repr__(self) -> str:
        return self._card().line

    def _repr_html_(self) -> str:
        return html.write(self._card())


def _feeds(
    graph: Graph, inputs: Any, scalar: np.dtype[Any], sources: Mapping[str, str]
) -> dict[str, Array]:
    feeds = check_feeds(graph, inputs, scalar)
    return {sources.get(name, name): array for name, array in feeds.items()}


def step(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    *,
    history: bool = True,
    fallback: str | None = None,
    quantized: bool = False,
    custom_operations: CustomOperations | None = None,
    **options: Any,
) -> Stepper:
    """Run a graph one operation at a time.

    Inputs are checked immediately; each operation is computed when the iterator reaches it.
    Variables, constants and externals are not steps. Every operation is run on its own: an engine
    that fuses several in `nnefkit.run` may round differently there.

    Args:
        graph: The graph to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; ``"numpy"`` calls the reference kernels.
        history: Whether to hold the values of all tensors, so that `Stepper.back_to` can go back;
            if not, a tensor is released after its last use.
        fallback: Name of the engine for operations that the other one does not support.
        quantized: Whether each tensor with quantization info (``graph.quant``) is quantized right
            after its value is computed (7.1).
        custom_operations: Custom operations in addition to those of `nnefkit.register_operation`.
        **options: Options of the engine, such as ``threads=2``.

    Returns:
        An iterator of `Step`; replacing one of ``step.outputs`` changes what later steps read.

    Raises:
        InputError: An input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: There is no such engine, or it has no such option.
        ExecutionError: The engine cannot run an operation, or it failed.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> for step in nk.step(graph, np.array([-1.0, 3.0])):
        ...     print(step.operation.name, step.outputs)
        relu {'y': array([0., 3.], dtype=float32)}
        neg {'z': array([-0., -3.], dtype=float32)}
    """
    with using(custom_operations):
        given = expected_graph(graph, data=True)
        graph = expanded(given)
        sources: Mapping[str, str] = {}
        if quantized:
            graph, sources = pseudo_quantized(graph)
        selected = selected_engine(graph, engine, fallback, options)
        refuse_unsupported(selected, graph)
        if any(tensor.shape is None for tensor in graph.tensors.values()):
            graph = infer_shapes(graph)
        graph = with_precise_constants(graph)
        operations = SingleOperations(graph, None if selected.name == "numpy" else selected)
        feeds = _feeds(given, inputs, operations.scalar, sources)
    return Stepper(graph, operations, selected.name, feeds, history, given, sources)
