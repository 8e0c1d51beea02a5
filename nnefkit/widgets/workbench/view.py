"""`view`: the workbench as a widget, an anywidget on ipywidgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from nnefkit.arguments import expected_string, wrong_type
from nnefkit.display import html, numbers
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card
from nnefkit.errors import InputError, did_you_mean
from nnefkit.execution.preparation.runnable_graph import expanded
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.graph import Graph, Operation, Tensor, expected_graph
from nnefkit.pictures.evidence import ViewEvidence, evidence
from nnefkit.pictures.merged_graphs import merged
from nnefkit.pictures.overlays import Overlay
from nnefkit.pictures.viewed_graph import viewed
from nnefkit.widgets.workbench import messages
from nnefkit.widgets.workbench.workbench import Message, Workbench

_HERE = Path(__file__).parent
DETAILS = ("blocks", "operations")


class View(anywidget.AnyWidget):
    """A graph to walk through in a notebook, with its tensors, errors and costs.

    `nnefkit.view` makes one. ``selection`` and ``detail`` are traits: ``observe``, ``link`` and
    ``jslink`` work with them as with those of other widgets.

    Attributes:
        selection: Name of the selected tensor; empty if there is none.
        detail: ``"blocks"`` or ``"operations"``.
        height: Height in pixels.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> view = nk.view(graph)
        >>> view.select("y")
        >>> view.selection, view.operation.name
        ('y', 'relu')
    """

    _esm = _HERE / "workbench.js"
    _css = _HERE / "workbench.css"

    selection = traitlets.Unicode("").tag(sync=True)
    detail = traitlets.Unicode("blocks").tag(sync=True)
    height = traitlets.Int(560).tag(sync=True)
    _first = traitlets.Dict().tag(sync=True)
    _stored = traitlets.Unicode("").tag(sync=True)

    def __init__(self, known: ViewEvidence, detail: str = "blocks", height: int = 560) -> None:
        self._workbench = Workbench(known)
        self._quiet = False
        super().__init__(height=height)
        self.detail = detail
        self._first = self._workbench.first()
        self._stored = self.model_id or ""
        self.on_msg(self._received)

    # -- from Python --------------------------------------------------------------------------

    def select(self, tensor: str) -> None:
        """Select a tensor and its operation, and show it.

        Args:
            tensor: Its name; empty to select nothing.

        Raises:
            UnknownNameError: The graph has no such tensor; the hint suggests the nearest name.
        """
        self.selection = expected_string(tensor, "tensor")

    @property
    def graph(self) -> Graph:
        """The graph in view with calls of fragments expanded; of two graphs, the first one."""
        return self._workbench.viewed.graph

    @property
    def operation(self) -> Operation | None:
        """The operation that computes the selected tensor; None if nothing is selected."""
        number = self._workbench.viewed.numbers.get(self.selection)
        return None if number is None else self._workbench.viewed.originals[number].operation

    @property
    def tensor(self) -> TracedTensor | Tensor | None:
        """The selected tensor; None if nothing is selected.

        It has its values if it is a weight, or if a run is in view; of two runs, those of the
        first.
        """
        shown = self._workbench.viewed
        if self.selection not in shown.numbers:
            return None
        found = shown.tensor(self.selection)
        if found.data is not None:
            return found
        sides, _ = self._workbench.inspector.values(self.selection)
        if not sides:
            return found
        number = shown.numbers[self.selection]
        operation = shown.originals[number].operation
        return TracedTensor(
            self.selection, found.dtype, sides[0].values, operation, shown.line(number)
        )

    @property
    def overlay(self) -> Any:
        """What colors the boxes: the name of an overlay, or values by tensor.

        ``"error"`` (of a comparison or a blame), ``"own error"`` (of a blame), ``"time"``,
        ``"macs"``, ``"parameters"``, ``"bytes"``, ``"nan"``, ``"changes"`` (of two graphs), or
        None. Assign one of these, or a pandas Series of numbers, whose index has names of tensors
        or numbers of operations.

        Raises:
            InputError: There is no data for it, or it has no numbers.
            UnknownNameError: There is no such overlay, or no such tensor.
        """
        shown: Overlay | None = self._workbench.overlay
        if shown is None:
            return None
        return shown.key if shown.key != "series" else self._given

    @overlay.setter
    def overlay(self, given: Any) -> None:
        answers = self._workbench.set_overlay(given)
        self._given = given
        self._pass_on(answers)

    # -- to and from the browser ----------------------------------------------------------------

    def answer(self, content: Any) -> list[Message]:
        """Return the answers to a message of the browser, and follow what it selects."""
        answers = messages.answer(self._workbench, content)
        self._follow()
        return answers

    def _received(self, _widget: object, content: Any, _buffers: object) -> None:
        self._pass_on(self.answer(content))

    def _pass_on(self, answers: list[Message]) -> None:
        for each in answers:
            self.send(each)

    def _follow(self) -> None:
        """Set the traits to what the browser chose."""
        self._quiet = True
        try:
            self.selection = self._workbench.tensor
            self.detail = self._workbench.detail
        finally:
            self._quiet = False

    @traitlets.validate("selection")
    def _known_selection(self, proposal: Any) -> str:
        name = str(proposal["value"])
        return self._workbench.viewed.known(name) if name else ""

    @traitlets.validate("detail")
    def _known_detail(self, proposal: Any) -> str:
        detail = str(proposal["value"])
        if detail not in DETAILS:
            raise InputError(
                f"detail must be 'blocks' or 'operations', not '{detail}'",
                hint=did_you_mean(detail, DETAILS),
            )
        return detail

    @traitlets.observe("selection")
    def _selected(self, change: Any) -> None:
        if self._quiet or change["new"] == self._workbench.tensor:
            return
        name = change["new"]
        self._pass_on(self._workbench.select(name) if name else self._workbench.deselect())

    @traitlets.observe("detail")
    def _detailed(self, change: Any) -> None:
        if not self._quiet and change["new"] != self._workbench.detail:
            self._pass_on(self._workbench.set_detail(change["new"]))

    # -- without a kernel -----------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:  # a widget that was closed
            return {"text/html": self.static(), "text/plain": repr(self)}, {}
        data, metadata = bundle
        return {**data, "text/html": self.static(), "text/plain": repr(self)}, metadata

    def _ipython_display_(self, **kwargs: Any) -> None:
        """Display the widget, and after it the static cards, which a live widget hides.

        One output with both would show an error instead of the cards in a notebook that is opened
        again: JupyterLab prefers the widget, also where it is gone with its kernel.
        """
        from IPython.display import publish_display_data

        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        card = {"text/html": stored_card(self.model_id or "", self.static())}
        for each in ({**data, "text/plain": repr(self)}, card):
            publish_display_data(  # type: ignore[no-untyped-call]
                each, metadata if each is not card else {}
            )

    def static(self) -> str:
        """Return the static display, for pages without a kernel: the cards of what is in view."""
        return html.write_all(_cards(self._workbench.evidence))

    def __repr__(self) -> str:
        count = sum(1 for _ in self._workbench.viewed.computations())
        at = f", at {self.selection}" if self.selection else ""
        return f"<View of graph '{self.graph.name}', {numbers.plural(count, 'operation')}{at}>"


STORED = """<style>
.jp-OutputArea:has(.nk-workbench) > .jp-OutputArea-child:has(.nk-stored-{0}) {{ display: none; }}
.jp-OutputArea-child:has(+ .jp-OutputArea-child .nk-stored-{0}) .jupyter-widgets:not(:has(*)) {{
  display: none;
}}
</style><div class="nk-stored nk-stored-{0}">{1}</div>"""
"""The static cards of a widget: hidden while it is live, shown instead of an error without it."""


def stored_card(model: str, cards: str) -> str:
    """Return the HTML of static cards that belong to a widget, by its model."""
    return STORED.format(model, cards)


def _cards(known: ViewEvidence) -> list[Card]:
    """Return the cards of the graph and of what is known about it."""
    shown: tuple[Displayed | None, ...]
    seen = known.viewed
    shown = (seen.graph, seen.difference, known.blame, known.comparison, known.trace)
    return [each._card(brief=False) for each in shown if each is not None]


def view(
    graph: Graph,
    trace: Any = None,
    comparison: Any = None,
    cost: Any = None,
    blame: Any = None,
    *,
    other: Graph | None = None,
    detail: str = "blocks",
    height: int = 560,
) -> View:
    """Show a graph to walk through: blocks open and fold, each tensor shows its values.

    Calls of fragments are expanded, and are blocks of the picture. The keys work while it has the
    focus; ``?`` lists them. Without a kernel (a saved notebook, an exported page) the static
    displays of the arguments remain.

    Args:
        graph: The graph.
        trace: A run of it, whose tensors are shown.
        comparison: A comparison of two runs of it, whose errors color the boxes.
        cost: What `nnefkit.cost` or `nnefkit.profile` returned, for its times.
        blame: What `nnefkit.blame` found.
        other: A second graph, which is aligned with the first as in `nnefkit.diff`. The picture has
            the operations of both, and shows what was added, removed and changed.
        detail: ``"blocks"``, or ``"operations"`` for a box for each operation.
        height: Height in pixels.

    Returns:
        A widget, which the notebook shows as the result of a cell. Its ``selection``, ``tensor``,
        ``operation`` and ``overlay`` connect it with Python.

    Raises:
        InputError: An argument is of another type, or of another graph.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
        ...     "x = external(shape = [2]); y = relu(x); }")
        >>> view = nk.view(graph, trace=nk.trace(graph, np.array([-1.0, 2.0])))
        >>> view.select("y")
        >>> view.tensor.data
        array([0., 2.], dtype=float32)
    """
    shown = viewed(expanded(expected_graph(graph)))
    second: object = other
    if second is not None:
        if not isinstance(second, Graph):
            hint = "nnefkit.load(path) opens a model."
            raise wrong_type("other", "a Graph to compare with", second, hint)
        shown = merged(graph, second)
    known = evidence(shown, trace, comparison, cost, blame)
    pixels: object = height
    if not isinstance(pixels, int) or not 200 <= pixels <= 4000:
        raise InputError(
            f"height must be from 200 to 4000 pixels, not {height!r}",
            hint="The default is 560.",
        )
    return View(known, detail, height)
