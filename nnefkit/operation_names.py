"""Names of the operations that introduce tensors instead of computing them (4.1)."""

from __future__ import annotations

WEIGHTS = frozenset({"variable", "constant"})
"""The operations whose results are stored with the model."""

SOURCES = WEIGHTS | {"external"}
"""The operations that read no tensors: they introduce an input, a variable or a constant."""
