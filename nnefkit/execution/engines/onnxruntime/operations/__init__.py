"""The lowerings to ONNX, one module for each section of chapter 4 of the specification.

Importing this package registers all of them in `LOWERINGS`.
"""

from __future__ import annotations

from nnefkit.execution.engines.onnxruntime.lowerings import LOWERINGS
from nnefkit.execution.lowering.sections import import_sections

__all__ = ["LOWERINGS"]

import_sections(__name__)
