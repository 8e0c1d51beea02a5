"""Array types as the annotations of the package name them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
"""A NumPy array of any shape and dtype."""
