"""A run that is computed one operation at a time, with buttons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipywidgets import HTML, Button, Checkbox, Combobox, HBox, Layout

from nnefkit.display import html
from nnefkit.display.numbers import plural
from nnefkit.errors import NnefError
from nnefkit.execution import Step, Stepper, step
from nnefkit.graph import Graph
from nnefkit.widgets.static_twin import StaticTwin


class StepperPanel(StaticTwin):
    """Buttons that step through a run: forward, back, to a tensor, to a breakpoint or NaN.

    Below them are the operation that was computed last, its results, and what comes next. Without a
    kernel the last view remains as a static display.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> panel = nk.widgets.stepper(graph, np.array([-1.0, 3.0]))
        >>> panel.forward()
        >>> panel.steps.current.outputs
        {'y': array([0., 3.], dtype=float32)}
    """

    def __init__(self, steps: Stepper) -> None:
        self.steps = steps
        """The run: ``panel.steps.replace(tensor, values)`` changes what follows."""
        self._names = [name for op in steps.graph.computations for name in op.output_names]
        self._first = [op.output_names[0] for op in steps.graph.computations]
        self._back = _button("Back", "go back by one operation", self.back)
        self._next = _button("Step", "compute the next operation", self.forward)
        self._run = _button("Run", "run on to the next breakpoint, or to the end", self.go)
        self._nan = Checkbox(description="stop at NaN", indent=False, layout=Layout(width="auto"))
        self._tensor = Combobox(
            placeholder="name of a tensor",
            description="tensor",
            options=self._names,
            layout=Layout(width="330px"),
        )
        self._until = _button("Run to it", "run on to this tensor", self._run_to)
        self._break = _button("Break at it", "stop there whenever it is computed", self._add)
        self._clear = _button("Clear breakpoints", "remove all", self.clear_breakpoints)
        self._message = HTML()
        buttons = [self._back, self._next, self._run, self._nan]
        targets = [self._tensor, self._until, self._break, self._clear]
        in_line = {"flex_flow": "row wrap", "align_items": "center"}
        rows = [HBox(each, layout=Layout(**in_line)) for each in (buttons, targets)]
        super().__init__([*rows, self._message])
        self._view.add_class("nnefkit-stepper")
        self.refresh()

    def forward(self) -> None:
        """Compute the next operation; nothing happens at the end of the run."""
        self._do(lambda: next(self.steps, None))

    def back(self) -> None:
        """Go back to the operation before the last one; nothing happens at the beginning."""
        place = self._place()
        if place > 0:
            self._do(lambda: self.steps.back_to(self._first[place - 1]))

    def go(self) -> None:
        """Run on to the next breakpoint, to NaN if that is checked, or to the end."""
        if self._nan.value:
            self._do(lambda: self.steps.until(nan=True, progress=False))
        else:
            self._do(lambda: self.steps.go(progress=False))

    def until(self, tensor: str) -> None:
        """Run on to a tensor, or go back to it if it was computed already."""
        computed = tensor in self._names and self._index(tensor) <= self._place()
        if computed:
            self._do(lambda: self.steps.back_to(tensor))
        else:
            self._do(lambda: self.steps.until(tensor, progress=False))

    def break_at(self, tensor: str) -> None:
        """Add a breakpoint at a tensor."""
        self._do(lambda: self.steps.break_at(tensor))

    def clear_breakpoints(self) -> None:
        """Remove all breakpoints."""
        self._do(self.steps.clear_breakpoints)

    def refresh(self) -> None:
        """Show the state of the run, after it was changed in another cell."""
        # The buttons first: who sees the new state can go on from it.
        place = self._place()
        self._back.disabled = place < 1
        self._next.disabled = self._run.disabled = place + 1 >= len(self._first)
        self._clear.disabled = not self.steps.breakpoints
        current: Step | None = self.steps.current
        pages = [self.steps._repr_html_()]
        if current is not None:
            pages.append(current._repr_html_())
        self._view.value = "".join(pages)

    def _run_to(self) -> None:
        self.until(self._tensor.value)

    def _add(self) -> None:
        self.break_at(self._tensor.value)

    def _do(self, action: Callable[[], object]) -> None:
        """Carry out an action; an error is shown above the view, and the run stays as it is."""
        self._message.value = ""
        try:
            action()
        except NnefError as error:
            words = html.escape(error.diagnostics[0].message)
            hint = html.escape(error.diagnostics[0].hint)
            self._message.value = f'<div role="alert"><b>{words}</b> {hint}</div>'
        self.refresh()

    def _place(self) -> int:
        """Return the index of the operation that was computed last; -1 before the first one."""
        current = self.steps.current
        if current is None:
            return -1
        return self._first.index(current.operation.output_names[0])

    def _index(self, tensor: str) -> int:
        operation = self.steps.graph.producers[tensor]
        return self._first.index(operation.output_names[0])

    def __repr__(self) -> str:
        done = plural(len(self._first), "operation")
        return f"<StepperPanel at operation {self._place() + 1:,} of {done}>"


def _button(name: str, tooltip: str, action: Callable[[], None]) -> Button:
    button = Button(description=name, tooltip=tooltip, layout=Layout(width="auto"))
    button.on_click(lambda _: action())
    return button


def stepper(graph: Graph, inputs: Any, engine: str = "numpy", **options: Any) -> StepperPanel:
    """Return buttons that step through a run of a graph.

    Args:
        graph: The graph.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: The engine that computes the operations.
        **options: Further arguments of `nnefkit.step`.

    Returns:
        A widget, which the notebook shows as the result of a cell.

    Raises:
        InputError: The inputs do not fit.
        UnknownNameError: There is no such engine or input.
        ExecutionError: The engine cannot run an operation.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }")
        >>> nk.widgets.stepper(graph, np.array([-1.0, 3.0]))
        <StepperPanel at operation 0 of 1 operation>
    """
    return StepperPanel(step(graph, inputs, engine, **options))
