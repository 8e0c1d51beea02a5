"""Operations that introduce tensors, and updates of variables (4.1, 4.8)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnefkit.arrays import Shape
from nnefkit.display.numbers import plural
from nnefkit.operations.axis_rules import check_positive
from nnefkit.operations.flop_rules import elements, no_flops
from nnefkit.operations.precision import quiet
from nnefkit.operations.registry import Problems, flops, kernel, reads, shape_rule

ITEM_TYPES = {"scalar": np.float32, "integer": np.int64, "logical": np.bool_}
"""The default NumPy type of each data type."""

_LABEL = re.compile(r"[A-Za-z0-9_\-./\\]+")
_NOT_IN_LABEL = re.compile(r"[^A-Za-z0-9_\-./\\]+")


def _extents_hint(shape: Sequence[int]) -> str:
    if any(extent in (0, -1) for extent in shape):
        return "Extents of tensors must be known and positive; write 1 for a variable batch extent."
    return ""


@shape_rule("external")
def external_shape(*, shape: Sequence[int]) -> Shape:
    """Return the shape of the result of `external` (4.1.1)."""
    problems = Problems("4.1.1")
    check_positive(problems, shape, "shape", _extents_hint(shape))
    problems.done()
    return tuple(shape)


@shape_rule("constant")
def constant_shape(*, shape: Sequence[int], value: Sequence[Any]) -> Shape:
    """Return the shape of the result of `constant` (4.1.2)."""
    problems = Problems("4.1.2")
    positive = check_positive(problems, shape, "shape", _extents_hint(shape))
    volume = math.prod(shape)
    if positive and len(value) not in (1, volume):
        allowed = "1 element" if volume == 1 else f"1 or {volume} elements"
        problems.add(
            "value",
            f"'value' has {plural(len(value), 'element')}, "
            f"but shape {[*shape]} has a volume of {volume}",
            f"Give {allowed}; a single one is repeated.",
        )
    problems.done()
    return tuple(shape)


@kernel("constant")
@quiet
def constant(
    *, shape: Sequence[int], value: Sequence[Any], dtype: str, scalar: np.dtype[Any] | None = None
) -> NDArray[Any]:
    """Return the values in row-major order; a single value is repeated (4.1.2).

    Scalars become as wide as `scalar`, or by default as in `ITEM_TYPES`.
    """
    items = np.array(value, scalar if scalar and dtype == "scalar" else ITEM_TYPES.get(dtype))
    # A repeating view needs no memory, however large a shape a document declares.
    return np.broadcast_to(items[0], shape) if items.size == 1 else items.reshape(shape)


def allowed_label(label: str) -> str:
    """Return a label with ``_`` in place of characters that labels cannot have (4.1.3)."""
    return _NOT_IN_LABEL.sub("_", label)


@shape_rule("variable")
def variable_shape(*, shape: Sequence[int], label: str) -> Shape:
    """Return the shape of the result of `variable` (4.1.3)."""
    problems = Problems("4.1.3")
    check_positive(problems, shape, "shape", _extents_hint(shape))
    if not label:
        problems.add(
            "label",
            "the label of a variable must not be empty",
            "It names the file with the data: 'block1/weights' means block1/weights.dat.",
        )
    elif not _LABEL.fullmatch(label):
        disallowed = "".join(dict.fromkeys(_LABEL.sub("", label)))
        problems.add(
            "label",
            f"the label '{label}' has characters that are not allowed: {disallowed!r}",
            "Labels consist of a-z, A-Z, 0-9, '_', '-', '.', '/' and '\\': "
            f"'{allowed_label(label)}', for example.",
        )
    problems.done()
    return tuple(shape)


@shape_rule("update")
def update_shape(variable: Shape, value: Shape) -> Shape:
    """Return the shape of the result of `update` (4.8)."""
    if variable != value:
        problems = Problems("4.8")
        problems.add(
            "value",
            f"the new value has shape {[*value]}, but the variable has {[*variable]}",
            "They must be equal: updates do not broadcast.",
            code="shape-mismatch",
        )
        problems.done()
    return variable


@kernel("update")
def update(variable: NDArray[Any], value: NDArray[Any]) -> NDArray[Any]:  # noqa: ARG001
    """Return the new value (4.8), which a session stores after the run."""
    return value


flops("external", "constant", "variable", "update")(no_flops)


@reads("update")
def update_reads(
    inputs: Sequence[Any], _outputs: Sequence[Any], _attribs: dict[str, Any]
) -> list[int]:
    """The new value; nothing of the variable, which is overwritten."""
    return [0, elements(inputs[1])]
