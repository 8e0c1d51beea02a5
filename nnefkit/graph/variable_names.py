"""Names of variables in the text and in the source of a graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import as_array
from nnefkit.errors import Diagnostic, InputError, UnknownNameError, did_you_mean
from nnefkit.graph.tensor import Tensor

_COUNTER = "num_batches_tracked"
"""A buffer of PyTorch's batch normalization that only training reads."""


def variables_of(
    graph: str,
    tensors: Mapping[str, Tensor],
    variables: Sequence[Tensor],
    data: Mapping[str, Any],
    *,
    is_converted: bool = False,
) -> dict[tuple[str, ...], Any]:
    """Return the values for the variables of each label, by the names of the variables.

    Args:
        graph: The name of the graph.
        tensors: All of its tensors.
        variables: Its variables.
        data: Values by the names or labels of variables, or by their names in the source.
        is_converted: Whether the graph was converted, so that names may be those of its source.

    Raises:
        UnknownNameError: There are no such variables; one diagnostic for each.
        InputError: A name fits several variables, or a variable gets several values.
    """
    labels: dict[str, list[str]] = {}
    alike: dict[str, set[str]] = {}
    for variable in variables:
        label = _label(variable)
        labels.setdefault(label, []).append(variable.name)
        for name in (variable.name, label):
            alike.setdefault(plain(name), set()).add(label)
    names = {variable.name: variable for variable in variables}
    result: dict[tuple[str, ...], Any] = {}
    given: dict[str, str] = {}
    unknown = []
    for key, values in data.items():
        matches = _matching(key, names, labels, alike)
        if not matches:
            if not str(key).endswith(_COUNTER):
                unknown.append(_unknown(graph, key, tensors, variables, is_converted))
            continue
        if len(matches) > 1:
            raise InputError(
                f"'{key}' matches several variables: {', '.join(sorted(matches))}",
                hint="Use the exact names or labels of variables.",
            )
        (label,) = matches
        variables_with = (*labels[label],)
        if label in given and not _is_same(result[variables_with], values):
            raise InputError(
                f"'{given[label]}' and '{key}' are the same variable, but their values differ",
                hint="Pass each variable once; variables with the same label share their data.",
                section="4.1.3",
            )
        given[label] = str(key)
        result[variables_with] = values
    if unknown:
        raise UnknownNameError(unknown)
    return result


def _matching(
    key: str,
    names: Mapping[str, Tensor],
    labels: Mapping[str, Sequence[str]],
    alike: Mapping[str, set[str]],
) -> set[str]:
    """Return the labels of the variables that a key can mean; exact names come first."""
    if key in names:
        return {_label(names[key])}
    label = str(key).lower()
    return {label} if label in labels else alike.get(plain(str(key)), set())


def plain(name: str) -> str:
    """Return a name in lower case, its parts joined by underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _label(variable: Tensor) -> str:
    # A variable without a label (built, not read) shares its data with no other.
    return (variable.label or f"variable {variable.name}").lower()


def _is_same(first: Any, second: Any) -> bool:
    try:
        return first is second or np.array_equal(as_array(first), as_array(second), equal_nan=True)
    except (TypeError, ValueError):
        return False


def _unknown(
    graph: str,
    key: str,
    tensors: Mapping[str, Tensor],
    variables: Sequence[Tensor],
    is_converted: bool,
) -> Diagnostic:
    known = [name for v in variables for name in (v.name, v.label) if name]
    if key in tensors:
        hint = f"'{key}' is not a variable: it is computed, or an input."
    elif is_converted:
        hint = _hint_for_weight(str(key), known)
    else:
        hint = did_you_mean(key, known)
    return Diagnostic(
        UnknownNameError.code,
        f"graph '{graph}' has no variable '{key}'",
        hint=hint or "graph.variables lists them.",
    )


def _hint_for_weight(key: str, known: Sequence[str]) -> str:
    """Return the remedy for what may be a weight of the source that the graph holds changed."""
    forms = [name for name in known if plain(name).startswith(f"{plain(key)}_")]
    if forms:
        return (
            f"The conversion computed '{forms[-1]}' from it, or other parts of the graph: convert "
            "the source again, with its new weights."
        )
    return (
        f"{did_you_mean(key, known)} A weight that the conversion combined with others, or wrote "
        "as a number into the text, or that no result depends on, has no variable: convert the "
        "source again, with its new weights."
    ).lstrip()
