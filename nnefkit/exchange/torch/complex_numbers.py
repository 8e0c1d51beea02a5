"""Complex tensors, which NNEF does not have (3.3.1), as their real and imaginary parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nnefkit.exchange.complex_tensor import Complex
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import DType

READ = frozenset(("stft", "view_as_real", "view_as_complex", "real", "imag", "abs"))
"""Operators that are read with complex arguments or results."""


def refuse_complex(operator: str, arguments: Mapping[str, Any]) -> None:
    """Refuse other operators with complex arguments."""
    values = [item for value in arguments.values() for item in _items(value)]
    if operator not in READ and any(isinstance(item, Complex) for item in values):
        refuse(
            "it computes with complex numbers, which NNEF does not have (3.3.1)",
            "Compute with the real and imaginary parts: torch.view_as_real(x), x.abs().",
        )


def part_dtype(example: torch.Tensor) -> DType:
    """Return the dtype of the parts of a complex tensor."""
    return np.dtype(np.float64 if example.dtype == torch.complex128 else np.float32)


def _items(value: Any) -> list[Any]:
    return [*value] if isinstance(value, (list, tuple)) else [value]
