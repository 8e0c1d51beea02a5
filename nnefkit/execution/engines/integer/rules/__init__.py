"""The rules: how a device computes the codes of a result from those of its operands."""

from __future__ import annotations

from nnefkit.execution.engines.integer.rules import (  # noqa: F401  (they register themselves)
    activation,
    choices,
    elementwise,
    layers,
    reductions,
    resampling,
    tables,
)
