"""Complex tensors, which NNEF does not have (3.3.1), as their parts."""

from __future__ import annotations

from dataclasses import dataclass

from nnefkit.exchange.source_value import Value


@dataclass(frozen=True, eq=False)
class Complex:
    """A complex tensor."""

    real: Value
    imaginary: Value
