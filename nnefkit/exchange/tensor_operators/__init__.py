"""Readers of operators that TFLite and TensorFlow have in common, one module per family.

Importing the package registers them for both formats.
"""

from nnefkit.exchange.tensor_operators import (
    blocks,
    elementwise,
    indexing,
    linear_algebra,
    reduction,
    resampling,
    shaping,
    spectral,
)

__all__ = [
    "blocks",
    "elementwise",
    "indexing",
    "linear_algebra",
    "reduction",
    "resampling",
    "shaping",
    "spectral",
]
