"""The arguments of `quantize`, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from nnefkit.analysis.quantization.ranges import METHODS, Method
from nnefkit.analysis.quantization.report import Role
from nnefkit.arguments import expected_names, wrong_type
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Graph

Symmetric = bool | Literal["weights"]
MIN_BITS, MAX_BITS = 2, 16


@dataclass(frozen=True)
class QuantizationSettings:
    """The checked arguments of `quantize`."""

    bits: int
    per_channel: bool
    symmetric: Symmetric
    method: Method
    percentile: float
    keep: tuple[str, ...]

    def is_symmetric(self, role: Role) -> bool:
        """Return whether the ranges of tensors of a role are symmetric."""
        return role == "weight" if self.symmetric == "weights" else bool(self.symmetric)


def checked_settings(
    graph: Graph,
    bits: Any,
    per_channel: Any,
    symmetric: Any,
    method: Any,
    percentile: Any,
    keep: Any,
) -> QuantizationSettings:
    """Return the arguments for a graph, checked.

    Raises:
        InputError: An argument is out of range, or of the wrong type.
        UnknownNameError: `keep` names a tensor that does not exist.
    """
    check_bits(bits)
    if not isinstance(per_channel, bool):
        raise wrong_type("per_channel", "True or False", per_channel)
    if not isinstance(symmetric, bool) and symmetric != "weights":
        raise InputError(f"'symmetric' must be True, False or 'weights', not {symmetric!r}")
    if method not in METHODS:
        raise InputError(
            f"there is no method {method!r}",
            hint=did_you_mean(str(method), METHODS) or f"The methods are {', '.join(METHODS)}.",
        )
    if not isinstance(percentile, (int, float)) or not 50 <= percentile <= 100:
        raise InputError(
            f"'percentile' must be from 50 to 100, not {percentile!r}",
            hint="99.99 clips one of 10,000 values.",
        )
    names = expected_names(keep, "keep")
    for name in names:
        if name not in graph.tensors:
            raise UnknownNameError(
                f"graph '{graph.name}' has no tensor '{name}'",
                hint=did_you_mean(name, graph.tensors) or "graph.tensors has all of them by name.",
            )
    return QuantizationSettings(int(bits), per_channel, symmetric, method, float(percentile), names)


def check_bits(bits: Any) -> None:
    """Check a number of bits.

    Raises:
        InputError: It is not an integer from 2 to 16.
    """
    if isinstance(bits, bool) or not isinstance(bits, (int, np.integer)):
        raise wrong_type("bits", "an integer", bits)
    if not MIN_BITS <= bits <= MAX_BITS:
        raise InputError(
            f"'bits' must be from {MIN_BITS} to {MAX_BITS}, not {bits}",
            hint="Usual are 8 and 4; biases always have 32.",
            section="4.9.5",
        )
