"""Types of arrays and of their extents, as the annotations of the package name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
"""A NumPy array of any shape and dtype."""

Arrays = Mapping[str, Array]
"""Arrays by the names of their tensors."""

Shape = tuple[int, ...]
"""The extents of a tensor; ``()`` for rank 0."""

Ints = Sequence[int]
"""Integers, such as one for each dimension of a tensor."""

Padding = Sequence[tuple[int, int]]
"""Extents added before and after, for each dimension; negative ones crop."""
