"""Demands: the forms in which an operation can read a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from nnefkit.arrays import Shape
from nnefkit.execution.layout.forms import Form, core, identity, through, turns

_TRANSPOSITION = 1 << 90
_ELEMENT = 1 << 20


class Demand(NamedTuple):
    """The forms of a tensor that an operation can read."""

    forms: tuple[Form, ...]
    """Any of them will do; the tensor is brought into the first one if it has none of them."""
    is_loose: bool = False
    """Whether axes of extent 1 may be anywhere."""
    first: Form | None = None
    """If given, the axes that must come first; the others may be in any order."""

    def of_root(self, view: Form) -> Demand:
        """Return the demand of a view as that of its root."""
        if view == identity(len(view)):
            return self
        forms = tuple(through(view, form) for form in self.forms)
        first = None if self.first is None else through(view, self.first)
        return Demand(forms, self.is_loose, first)

    def met_by(self, form: Form, shape: Shape) -> Form | None:
        """Return the form that a stored tensor is read in; None if it must be changed before."""
        if form in self.forms:
            return form
        if self.first is not None:
            start = core(self.first, shape)
            if core(form, shape)[: len(start)] == start:
                return form
        if self.is_loose and not turns(form, self.forms[0], shape):
            return form
        return None


def cost(form: Form, shape: Shape, elements: int, demands: Iterable[Demand]) -> int:
    """Return what it costs to read a tensor that is stored in some form.

    The number of transpositions counts first, then that of their elements, then that of operations
    that move axes of extent 1.
    """
    changed = {demand.forms[0] for demand in demands if demand.met_by(form, shape) is None}
    if not changed:
        return 0
    orders = {core(other, shape) for other in changed if turns(form, other, shape)}
    weight = _TRANSPOSITION + elements * _ELEMENT
    return len(orders) * weight + len(changed) - len(orders)


def transpositions(total: int) -> int:
    """Return the number of transpositions in a sum of costs."""
    return total // _TRANSPOSITION
