"""Conditions that stop a run which is computed one operation at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import InputError
from nnefkit.execution.step import Step

Target = str | Callable[[Step], Any] | None
"""Name of a tensor, or a function of a step."""


class Condition(NamedTuple):
    """A condition on the step that has just been computed."""

    words: str
    """What it stops at, in words."""
    reason: Callable[[Step], str]
    """Returns why it stops at a step, in words; empty if it does not."""


def conditions(target: Target, nan: object, beyond: object) -> list[Condition]:
    """Return the conditions for the arguments of `Stepper.until`; names exist.

    Raises:
        InputError: There is none, or an argument has a wrong type or value.
    """
    found = []
    if isinstance(target, str):
        found.append(_at(target))
    elif callable(target):
        found.append(_where(target))
    elif target is not None:
        raise InputError(
            f"the target must be the name of a tensor or a function of a step, not {target!r}",
            hint='For example: until("conv1"), until(lambda step: step.operation.name == "conv").',
        )
    if nan:
        found.append(Condition("the first NaN", _nan))
    if beyond is not None:
        found.append(_beyond(beyond))
    if not found:
        raise InputError(
            "there is nothing to stop at",
            hint="Pass the name of a tensor, a function of a step, nan=True, or beyond=1e4.",
        )
    return found


def _at(name: str) -> Condition:
    return Condition(f"'{name}'", lambda step: f"'{name}'" if name in step.outputs else "")


def _where(predicate: Callable[[Step], Any]) -> Condition:
    name = getattr(predicate, "__name__", type(predicate).__name__)
    words = "a function" if name == "<lambda>" else f"the function '{name}'"

    def reason(step: Step) -> str:
        answer = predicate(step)
        try:
            stops = bool(answer)
        except Exception as error:
            raise InputError(
                f"{words} returned a {type(answer).__name__}, which is neither true nor false",
                hint="Return a bool: (array > 3).any(), for example.",
            ) from error
        return f"{words}, true for {_listed(step)}" if stops else ""

    return Condition(words, reason)


def _listed(step: Step) -> str:
    names = [f"'{name}'" for name in list(step.outputs)[:3]]
    return ", ".join(names) + (" ..." if len(step.outputs) > len(names) else "")


def _nan_count(array: Array) -> int:
    return int(np.isnan(array).sum()) if array.dtype.kind == "f" else 0


def _nan(step: Step) -> str:
    if not step.has_nan:
        return ""
    name, count = next((n, _nan_count(a)) for n, a in step.outputs.items() if _nan_count(a))
    before = [f"'{name}'" for name, array in step.inputs.items() if _nan_count(array)]
    origin = f"as {before[0]} has, which it reads" if before else "which no input of it has"
    return f"'{name}' has {count:,} NaN, {origin}"


def _beyond(bound: Any) -> Condition:
    wrong = isinstance(bound, (bool, np.bool_)) or not isinstance(
        bound, (int, float, np.integer, np.floating)
    )
    if wrong or not 0 <= bound <= sys.float_info.max:  # NaN is not, either
        raise InputError(f"beyond must be a finite number of at least 0, not {bound!r}")
    limit = float(bound)

    def reason(step: Step) -> str:
        for name, array in step.outputs.items():
            if array.dtype.kind not in "fiu" or not array.size:
                continue
            with np.errstate(all="ignore"):
                # NaN is not beyond; float64, since the magnitude of the smallest integer overflows.
                magnitude = np.abs(array.astype(np.float64))
                outside = magnitude > limit
            count = int(np.count_nonzero(outside))
            if count:
                at = tuple(int(i) for i in np.unravel_index(int(outside.argmax()), array.shape))
                return f"'{name}'{list(at) if at else ''} is {array[at]!s}, beyond ±{limit:g}"
        return ""

    return Condition(f"the first value beyond ±{limit:g}", reason)
