"""The mixin that adds representations to a class: plain text, and HTML for notebooks."""

from __future__ import annotations

from nnefkit.display import html, text
from nnefkit.display.elements import Card


class Displayed:
    """Representation of an object as text in a terminal and as HTML in a notebook, from its card.

    Subclasses define `_card`. Data classes also need ``repr=False``: otherwise they generate a
    ``__repr__`` themselves.
    """

    __slots__ = ()

    def _card(self, *, brief: bool) -> Card:
        """Return the card of the object; a `brief` one has fewer rows, for plain text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        card = self._card(brief=True)
        return card.line or text.write(card)

    def _repr_html_(self) -> str:
        return html.write(self._card(brief=False))
