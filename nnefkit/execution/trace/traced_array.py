"""Arrays of a run, which a notebook shows as the cards of their tensors."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.display.displayed import Displayed


class TracedArray(np.ndarray[Any, Any]):
    """An array as any other, but with the card of its tensor in a notebook.

    What is computed from it is a plain array, and so are its copies in other processes and files.
    """

    _shown: Callable[[], Displayed] | None = None

    def __array_wrap__(self, array: Array, context: Any = None, return_scalar: bool = False) -> Any:
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __reduce_ex__(self, protocol: Any) -> Any:
        return np.asarray(self).__reduce_ex__(protocol)

    def __repr__(self) -> str:
        return repr(np.asarray(self))

    def _repr_html_(self) -> str | None:
        """Return the card of the tensor; None, for the text, if it is only a part of one."""
        return None if self._shown is None else self._shown()._repr_html_()


def traced_array(array: Array, owner: Any, show: Callable[[Any, Array], Displayed]) -> TracedArray:
    """Return a view of an array with a card.

    Args:
        array: The values.
        owner: The trace, which the array does not keep alive.
        show: Returns what to display, from the trace or None if it is gone, and from the values.
    """
    traced: TracedArray = array.view(TracedArray)
    reference = weakref.ref(owner)
    traced._shown = lambda: show(reference(), array)
    return traced
