"""Tolerances: how much two tensors may differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.display.numbers import number
from nnefkit.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Tolerance:
    """An element is within tolerance if ``|a - b| <= max(absolute, relative * max |a|)``.

    The relative part is scaled by the largest magnitude in the *tensor*: an element near zero among
    large ones may be off by a rounding error of the large ones, even if that is many times its own
    value.

    Example:
        >>> a, b = {"x": np.array([100.0, 0.0])}, {"x": np.array([100.0, 0.001])}
        >>> nk.compare(a, b, tolerance=nk.Tolerance(relative=1e-4)).ok
        True
    """

    relative: float = 0.0
    """Share of the largest finite magnitude of the reference tensor."""
    absolute: float = 0.0
    """In the unit of the tensor; smaller differences are noise whatever the tensor's scale."""

    def __post_init__(self) -> None:
        for name, value in (("relative", self.relative), ("absolute", self.absolute)):
            number_given = isinstance(value, (int, float, np.integer, np.floating))
            if not number_given or not value >= 0:
                raise InputError(
                    f"the {name} tolerance must be a number of at least 0, not {value!r}",
                    hint="For example: Tolerance(relative=1e-4, absolute=1e-7).",
                )

    def __str__(self) -> str:
        parts = []
        if self.relative:
            parts.append(f"{number(self.relative)} relative")
        if self.absolute:
            parts.append(f"{number(self.absolute)} absolute")
        return " or ".join(parts) or "none"

    def allowed(self, scale: float) -> float:
        """Return the largest difference allowed in a tensor whose largest magnitude is `scale`."""
        return max(self.absolute, self.relative * scale)


EXACT = Tolerance()
"""No difference is allowed."""

DEFAULTS: Mapping[str, Tolerance] = {
    "float16": Tolerance(1e-2, 1e-4),
    "float32": Tolerance(1e-4, 1e-7),
    "float64": Tolerance(1e-10, 1e-16),
    "integer": EXACT,
    "logical": EXACT,
}
"""The default tolerance of each dtype.

For floating-point numbers it is the rounding error that a hundred layers accumulate when two
engines add in different orders (about 10 steps of float16, 1,000 of float32, 500,000 of float64);
wrong attributes or rounded weights cause far larger differences. The absolute part is about the
rounding error of 1.0, since the difference of nearly equal numbers may consist of nothing else.
Integers and logicals have to be equal.
"""

Accepted = float | Tolerance | Mapping[Any, "float | Tolerance"] | None


def joined(tolerance: Accepted, rtol: float | None, atol: float | None) -> Accepted:
    """Return the tolerance of a call that has it as one argument, or in two parts.

    Raises:
        InputError: Both are given, or a part is not a number of at least 0.
    """
    if rtol is None and atol is None:
        return tolerance
    whole = Tolerance(0.0 if rtol is None else rtol, 0.0 if atol is None else atol)
    if tolerance is not None:
        raise InputError(
            "there is a tolerance, and rtol or atol",
            hint=f"Pass one of them: tolerance=nnefkit.{whole!r}.",
        )
    return whole


def tolerance_for(accepted: Accepted, *dtypes: np.dtype[Any]) -> Tolerance:
    """Return the tolerance for the comparison of tensors of `dtypes`: the widest of theirs.

    Args:
        accepted: A number (relative, for every dtype but logical), a `Tolerance` (likewise), a
            mapping from a dtype (``"float32"``, ``numpy.float32``, or one of NNEF's ``"scalar"``,
            ``"integer"``, ``"logical"``) to one of these, or None for `DEFAULTS`.
        dtypes: NumPy's, at least one.

    Raises:
        InputError: `accepted` is none of these, or names a dtype that does not exist.
    """
    table = accepted if isinstance(accepted, Mapping) else {}
    given = {_key(dtype): _tolerance(value) for dtype, value in table.items()}
    if accepted is not None and not isinstance(accepted, Mapping):
        given = dict.fromkeys(("scalar", "integer"), _tolerance(accepted))
    each = [_of_dtype(given, dtype) for dtype in dtypes]
    return Tolerance(max(t.relative for t in each), max(t.absolute for t in each))


def _of_dtype(given: Mapping[str, Tolerance], dtype: np.dtype[Any]) -> Tolerance:
    data_type = {"f": "scalar", "b": "logical"}.get(dtype.kind, "integer")
    for key in (dtype.name, data_type):
        if key in given:
            return given[key]
    if data_type == "scalar":
        # A wider dtype than float64 (on some machines) is computed in float64 as well.
        return DEFAULTS.get(dtype.name, DEFAULTS["float64"])
    return DEFAULTS[data_type]


def _tolerance(value: Any) -> Tolerance:
    if isinstance(value, Tolerance):
        return value
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return Tolerance(relative=float(value))
    raise InputError(
        "a tolerance must be a number, a Tolerance or a mapping from dtypes to these, "
        f"not {value!r}"
    )


def _key(dtype: Any) -> str:
    if isinstance(dtype, str) and dtype in ("scalar", "integer", "logical"):
        return dtype
    try:
        return str(np.dtype(dtype).name)
    except TypeError:
        known = ("scalar", "integer", "logical", "float16", "float32", "float64", "int64", "bool")
        raise InputError(
            f"there is no dtype {dtype!r} to set a tolerance for",
            hint=did_you_mean(str(dtype), known) or f"For example: {', '.join(known)}.",
        ) from None
