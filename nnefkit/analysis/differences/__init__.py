"""Differences of two graphs: operations, wiring, shapes, weights and quantization."""

from nnefkit.analysis.differences.diff import diff
from nnefkit.analysis.differences.diff_result import Diff

__all__ = ["Diff", "diff"]
