"""The lowerings to TFLite, by the sections of chapter 4 of the specification.

Importing this package registers all of them in `LOWERINGS`.
"""

from __future__ import annotations

from importlib import import_module

from nnefkit.execution.engines.litert.lowerings import LOWERINGS
from nnefkit.execution.engines.litert.operations.fragments import FRAGMENTS

__all__ = ["FRAGMENTS", "LOWERINGS"]

for _section in (
    "activation",
    "convolution",
    "deconvolution",
    "elementwise",
    "hyperbolic",
    "joining",
    "linear_algebra",
    "normalization",
    "pooling",
    "reduction",
    "resampling",
    "shaping",
    "slicing",
):
    import_module(f"{__name__}.{_section}")
