"""One operation that was computed on its own: its inputs and its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Self

import numpy as np

from nnefkit.arguments import refuse_masked
from nnefkit.arrays import Array, as_array, converted
from nnefkit.display import html
from nnefkit.display.cards.operation import LINE, operation_card
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.elements import Card
from nnefkit.display.statistics import all_finite
from nnefkit.display.visible_text import visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.execution.dtypes import data_type
from nnefkit.execution.trace.traced_tensor import TracedTensor
from nnefkit.graph import Operation


def replacement(name: str, value: Any, present: Array) -> Array:
    """Return `value` as an array that can replace the tensor `name`, whose values are `present`.

    Raises:
        InputError: It has another shape, is not an array of numbers, or has numbers that the dtype
            of the tensor cannot represent.
    """
    refuse_masked(value, f"'{name}'")
    try:
        array = as_array(value)
    except ValueError as error:  # of ragged lists
        raise InputError(f"'{name}' cannot be converted to an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"'{name}' cannot be replaced by values of dtype {array.dtype}",
            hint="Pass numbers or bools.",
        )
    if array.shape != present.shape:
        raise InputError(
            f"'{name}' has shape {list(present.shape)}, not {list(array.shape)}",
            hint="The operations after it are checked for that shape.",
        )
    if present.dtype.kind == "f":
        return converted(array, present.dtype)
    with np.errstate(invalid="ignore"):
        whole = array.astype(present.dtype, copy=False)
    if not np.array_equal(whole, array):
        raise InputError(
            f"'{name}' is {present.dtype}, which cannot represent all of the values",
            hint=f"Convert them before: array.astype(np.{present.dtype}).",
        )
    return whole


class Results(dict[str, Array]):
    """The results of an operation by tensor name; they may be replaced by other values."""

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self:
            raise UnknownNameError(
                f"the operation has no result '{name}'",
                hint=did_you_mean(str(name), self) or f"Its results are {', '.join(self)}.",
            )
        super().__setitem__(name, replacement(name, value, self[name]))

    def update(self, *others: Any, **arrays: Any) -> None:
        """Replace several results, each like ``outputs[name] = array``."""
        for name, value in dict(*others, **arrays).items():
            self[name] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self


@dataclass(frozen=True, repr=False)
class Step:
    """One operation that has just been computed; `nnefkit.step` yields them.

    Example:
        >>> graph = nk.parse("version 1.0; graph g( x ) -> ( z ) {"
        ...     "x = external(shape = [2]); y = relu(x); z = neg(y); }")
        >>> for step in nk.step(graph, np.array([-1.0, 3.0])):
        ...     if step.operation.name == "relu":
        ...         step.outputs["y"] = [7, 8]
        >>> step.inputs, step.outputs
        ({'y': array([7., 8.], dtype=float32)}, {'z': array([-7., -8.], dtype=float32)})
    """

    operation: Operation
    inputs: Mapping[str, Array]
    """The tensors that it read, by name."""
    outputs: Results
    """The results by name. ``step.outputs[name] = array`` replaces one for later operations."""
    number: int
    """Index of the operation in the graph, from 0."""

    @property
    def has_nan(self) -> bool:
        """Whether a result has NaN."""
        return any(not all_finite(a) and bool(np.isnan(a).any()) for a in self.outputs.values())

    @property
    def largest(self) -> float:
        """Largest magnitude of a finite element of the results; 0.0 if there is none."""
        return max((_largest(array) for array in self.outputs.values()), default=0.0)

    def _cards(self, *, brief: bool) -> list[Card]:
        return [
            tensor_card(
                TracedTensor(name, data_type(values.dtype), values),
                brief=brief,
                producer=self.operation.name,
                access=f'step.outputs["{name}"]',
            )
            for name, values in islice(self.outputs.items(), _SHOWN)
        ]

    def __repr__(self) -> str:
        lines = [f"<Step {self.number}: {visible(str(self.operation), LINE)}>"]
        lines += [card.line for card in self._cards(brief=True)]
        if len(self.outputs) > _SHOWN:
            lines.append(f"{_SHOWN} of {len(self.outputs):,} results · all: step.outputs")
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        # Pictures of noise are large; all cards together have the budget of one.
        cards = [operation_card(self.operation), *self._cards(brief=False)]
        return html.write_all(cards)


_SHOWN = 4
"""Maximum number of results of one operation that are drawn."""


def _largest(array: Array) -> float:
    if array.dtype.kind == "f" and not all_finite(array):
        array = array[np.isfinite(array)]
    # Not np.abs(array).max(): the magnitude of the smallest integer overflows.
    return max(float(array.max()), -float(array.min())) if array.size else 0.0
