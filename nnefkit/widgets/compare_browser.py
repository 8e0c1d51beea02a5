"""A browser for a comparison: the worst tensors first, with both sides and their difference."""

from __future__ import annotations

import numpy as np
from ipywidgets import HBox, Layout, Select, Text

from nnefkit.analysis import Comparison
from nnefkit.analysis.compared_tensor import ComparedTensor
from nnefkit.arguments import wrong_type
from nnefkit.arrays import Array
from nnefkit.display import html
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.elements import Card
from nnefkit.display.numbers import number, plural
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.execution.dtypes import data_type
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.widgets.static_twin import StaticTwin

_LONGEST = 60
_ROWS = 8


class CompareBrowser(StaticTwin):
    """A list of the compared tensors, the worst first, and the one that is selected.

    Example:
        >>> comparison = nk.compare({"x": np.ones(3), "y": np.ones(3)}, {"x": np.ones(3), "y": [2]})
        >>> nk.widgets.compare_browser(comparison).name
        'y'
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison
        self._rows = comparison.worst(len(comparison))
        self._search = Text(
            placeholder="search: name, operation, verdict",
            description="search",
            layout=Layout(width="auto"),
        )
        self._list = Select(
            rows=_ROWS,
            description="tensors",
            layout=Layout(width="auto", min_width="500px"),
        )
        super().__init__([self._search, HBox([self._list], layout=Layout(flex_flow="row wrap"))])
        self._view.add_class("nnefkit-comparison")
        self._fill()
        self._search.observe(self._fill, "value")
        self._list.observe(self._draw, "value")
        self._draw()

    @property
    def name(self) -> str | None:
        """Name of the tensor in view, None if nothing fits the search; assign another one.

        Raises:
            UnknownNameError: No such tensor was compared.
        """
        return None if self._list.value is None else str(self._list.value)

    @name.setter
    def name(self, name: str) -> None:
        known = [row.name for row in self._rows]
        if name not in known:
            raise UnknownNameError(
                f"no tensor '{name}' was compared", hint=did_you_mean(name, known)
            )
        if name not in [value for _, value in self._list.options]:
            self._search.value = ""
        self._list.value = name

    def search(self, words: str) -> None:
        """List the tensors whose name, operation or verdict has all of these words."""
        self._search.value = words

    def _fill(self, _change: object = None) -> None:
        words = self._search.value.lower().split()
        rows = [row for row in self._rows if all(word in _searched(row) for word in words)]
        before = self._list.value
        names = [row.name for row in rows]
        self._list.options = [(_entry(row), row.name) for row in rows]
        self._list.value = before if before in names else next(iter(names), None)
        self._draw()

    def _draw(self, _change: object = None) -> None:
        if self.name is None:
            self._view.value = "<div>Nothing fits the search.</div>"
            return
        row = self.comparison[self.name]
        page = html.write(row._card(brief=False))
        self._view.value = page + html.write_all(_sides(self.comparison, row))

    def __repr__(self) -> str:
        return f"<CompareBrowser of {plural(len(self._rows), 'tensor')}, at {self.name}>"


def compare_browser(comparison: Comparison) -> CompareBrowser:
    """Return a browser for a comparison, the worst tensors first.

    It shows both sides of a tensor, and their difference, as pictures.

    Args:
        comparison: What `nnefkit.compare` returned.

    Returns:
        A widget, which the notebook shows as the result of a cell.

    Raises:
        InputError: There is nothing to browse.

    Example:
        >>> comparison = nk.compare({"x": np.ones(3)}, {"x": np.zeros(3)})
        >>> nk.widgets.compare_browser(comparison)
        <CompareBrowser of 1 tensor, at x>
    """
    given: object = comparison
    if not isinstance(given, Comparison):
        raise wrong_type("comparison", "a comparison (nnefkit.compare(...))", given)
    if not len(comparison.judged):
        raise InputError("there are no compared tensors to browse")
    return CompareBrowser(comparison)


def _searched(row: ComparedTensor) -> str:
    return f"{row.name} {row.other} {row.operation} {row.verdict}".lower()


def _entry(row: ComparedTensor) -> str:
    size = "" if row.metrics is None else f"SNR {number(row.metrics.snr)} dB"
    facts = (row.name, row.operation, row.verdict, size)
    return "  ".join(visible(fact, _LONGEST) for fact in facts if fact)


def _sides(comparison: Comparison, row: ComparedTensor) -> list[Card]:
    """Return the cards of both sides, and of their difference, if the runs are still there."""
    values = comparison.values(row.name)
    if values is None:
        return []
    a, b = values
    first, second = comparison.labels
    cards = [_card(f"{row.name} in {first}", a), _card(f"{row.other} in {second}", b)]
    if a.shape == b.shape and a.dtype.kind in "fiub":
        with np.errstate(all="ignore"):
            apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
        cards.append(_card(f"|{first} − {second}|", apart))
    return cards


def _card(title: str, values: Array) -> Card:
    tensor = TracedTensor(title, data_type(values.dtype), values)
    return tensor_card(tensor, access="comparison.values(name)")
