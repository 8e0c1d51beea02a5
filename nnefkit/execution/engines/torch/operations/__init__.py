"""The lowerings to PyTorch, one module for each section of chapter 4 of the specification.

Importing this package registers all of them in `LOWERINGS`.
"""

from __future__ import annotations

from nnefkit.execution.engines.torch.lowerings import LOWERINGS
from nnefkit.execution.engines.torch.operations import (  # noqa: F401  (registers lowerings)
    activation,
    box,
    convolution,
    elementwise,
    joining,
    linear_algebra,
    normalization,
    pooling,
    quantization,
    reduction,
    region_of_interest,
    resampling,
    shaping,
    slicing,
)

__all__ = ["LOWERINGS"]
