"""Variables that stand for an infinity or NaN, which have no literal in NNEF."""

from __future__ import annotations

from math import isnan

import numpy as np

from nnefkit.graph.tensor import Tensor


def constant_name(number: float, bits: int) -> str:
    """Return the name of the variable that stands for an infinity or NaN of a width in bits."""
    # Some readers take names that begin with inf for numbers.
    name = (
        "not_a_number" if isnan(number) else f"{'positive' if number > 0 else 'negative'}_infinity"
    )
    return name if bits == 32 else f"{name}_{bits}"


def stands_for_its_value(variable: Tensor) -> bool:
    """Return whether a variable has one element, and a label that marks it as not finite."""
    values = variable.data
    if values is None or values.size != 1 or np.isfinite(values).all():
        return False
    return variable.label == constant_name(float(values.reshape(())), 8 * values.dtype.itemsize)
