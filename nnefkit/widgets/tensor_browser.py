"""A browser for the tensors of a run: a drop-down for tensors, sliders for their axes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ipywidgets import Dropdown, HBox, IntSlider, Layout, Text

from nnefkit.arguments import wrong_type
from nnefkit.arrays import Array
from nnefkit.display import html, numbers
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.elements import Card
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.execution import Trace
from nnefkit.execution.dtypes import data_type
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.widgets.static_twin import StaticTwin

_LONGEST = 60
"""Maximum length of a name in the drop-down."""
_AXES = ("item", "channel")
"""Names of the first two axes (chapter 4); the others are spatial."""


class TensorBrowser(StaticTwin):
    """A view of one tensor of a run at a time, selected by `name` and `index`.

    The upper part shows the whole tensor: its statistics and its first channels. The lower part
    shows the slice that the sliders select, with its own color scale. Without a kernel (on GitHub,
    in exported HTML) the last view remains as a static display.

    Example:
        >>> browser = nk.widgets.TensorBrowser({"x": np.zeros((2, 3)), "y": np.ones(4)}, "x")
        >>> browser.name
        'x'
    """

    def __init__(self, tensors: Mapping[str, Array], name: str) -> None:
        self._tensors = tensors
        self._choice = Dropdown(
            options=[(_entry(tensors, key), key) for key in tensors],
            value=name,
            description="tensor",
            layout=Layout(width="auto", min_width="320px"),
        )
        self._sliders = HBox(layout=Layout(flex_flow="row wrap"))
        self._search = Text(
            placeholder="search: name, operation, shape",
            description="search",
            layout=Layout(width="auto", min_width="360px"),
        )
        controls = [self._choice, self._sliders, self._search]
        super().__init__([HBox(controls, layout=Layout(flex_flow="row wrap"))])
        self._view.add_class("nnefkit-tensor")
        self._choice.observe(self._chosen, "value")
        self._search.observe(self._fill, "value")
        self._chosen()

    @property
    def name(self) -> str:
        """Name of the tensor in view; assign another name to show that tensor.

        Raises:
            UnknownNameError: The run has no such tensor.
        """
        return str(self._choice.value)

    @name.setter
    def name(self, name: str) -> None:
        name = _known(self._tensors, name)
        if name not in [value for _, value in self._choice.options]:
            self._search.value = ""
        self._choice.value = name

    def search(self, words: str) -> None:
        """Offer the tensors whose name, operation or shape has all of these words."""
        self._search.value = words

    def _fill(self, _change: object = None) -> None:
        words = self._search.value.lower().split()
        entries = [(_entry(self._tensors, name), name) for name in self._tensors]
        fitting = [
            (entry, name) for entry, name in entries if all(word in entry.lower() for word in words)
        ]
        names = [name for _, name in fitting]
        # The tensor in view stays, where nothing or it too fits.
        before = self.name
        self._choice.options = fitting if names else entries
        self._choice.value = before if before in names or not names else names[0]

    @property
    def index(self) -> tuple[int, ...]:
        """Positions along the axes that have a slider: all but the last two."""
        return tuple(slider.value for slider in self._sliders.children)

    @index.setter
    def index(self, index: tuple[int, ...]) -> None:
        sliders = self._sliders.children
        if len(index) != len(sliders):
            raise InputError(
                f"'{self.name}' has {numbers.plural(len(sliders), 'slider')}, but the index has "
                f"{numbers.plural(len(index), 'position')}"
            )
        for slider, position in zip(sliders, index, strict=True):
            slider.value = position

    def _chosen(self, _change: object = None) -> None:
        shape = self._tensors[self.name].shape
        # Switching to another tensor must not reset the selected channel to 0.
        before = dict(enumerate(self.index))
        sliders = [_slider(axis, shape[axis], before.get(axis, 0)) for axis in _sliding(shape)]
        for slider in sliders:
            slider.observe(self._draw, "value")
        self._sliders.children = sliders
        self._draw()

    def _draw(self, _change: object = None) -> None:
        array = self._tensors[self.name]
        cards = [_card(self._tensors, self.name, array, self.name)]
        if self.index and array.size:
            place = f"{self.name}[{', '.join(map(str, self.index))}]"
            cards.append(_card(self._tensors, self.name, array[self.index], place))
        self._view.value = html.write_all(cards)

    def __repr__(self) -> str:
        entry = _entry(self._tensors, self.name)
        return f"<TensorBrowser of {numbers.plural(len(self._tensors), 'tensor')}, at {entry}>"


def tensor_browser(trace: Trace | Mapping[str, Array], name: str | None = None) -> TensorBrowser:
    """Return a view for browsing the tensors of a run, with a drop-down and sliders.

    Args:
        trace: A trace, or any mapping from names to arrays.
        name: The tensor to show first; by default the first one.

    Returns:
        A widget, which the notebook shows as the result of a cell.

    Raises:
        InputError: There is no tensor to show.
        UnknownNameError: There is no tensor called `name`.

    Example:
        >>> browser = nk.widgets.tensor_browser({"x": np.zeros((1, 3, 8, 8))})
        >>> browser.name, browser.index
        ('x', (0, 0))
    """
    if not isinstance(trace, Mapping):
        raise wrong_type("trace", "a trace or a mapping from names to arrays", trace)
    if not isinstance(trace, Trace):
        trace = {str(key): np.asarray(values) for key, values in trace.items()}
    if not len(trace):
        raise InputError(
            "there is no tensor to browse",
            hint="nnefkit.trace(..., keep='all') stores the tensors of a run.",
        )
    return TensorBrowser(trace, next(iter(trace)) if name is None else _known(trace, name))


def _known(tensors: Mapping[str, Array], name: str) -> str:
    if name not in tensors:
        raise UnknownNameError(
            f"there is no tensor '{name}' to show", hint=did_you_mean(name, tensors)
        )
    return name


def _producer(tensors: Mapping[str, Array], name: str) -> str:
    if not isinstance(tensors, Trace) or tensors.graph is None:
        return ""
    operation = tensors.graph.producers.get(name)
    return operation.name if operation else ""


def _entry(tensors: Mapping[str, Array], name: str) -> str:
    facts = (name, _producer(tensors, name), numbers.shape(tensors[name].shape))
    return "  ".join(visible(fact, _LONGEST) for fact in facts if fact)


def _sliding(shape: tuple[int, ...]) -> range:
    return range(max(len(shape) - 2, 0))


def _slider(axis: int, extent: int, value: int) -> IntSlider:
    last = max(extent - 1, 0)
    return IntSlider(
        min(value, last),
        max=last,
        description=_AXES[axis] if axis < len(_AXES) else f"axis {axis}",
        disabled=last == 0,
        layout=Layout(width="360px", display="none" if last == 0 else None),
    )


def _card(tensors: Mapping[str, Array], name: str, values: Array, title: str) -> Card:
    """Return the static display of a tensor, or of the part named by `title`."""
    tensor = TracedTensor(title, data_type(values.dtype), values)
    access = f'trace["{name}"]{title[len(name) :]}'
    return tensor_card(tensor, producer=_producer(tensors, name), access=access)
