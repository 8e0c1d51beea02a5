"""Matplotlib figures of tensors and runs.

Every function draws into the `Axes` that it is given, or makes a figure of its own, and gives the
`Axes` back. Figures of its own have no background and read on white and on black. Tensors are
arrays or whatever holds one as ``data``. Matplotlib is imported when something is drawn.
"""

from nnefkit.plot.figure import STYLE
from nnefkit.plot.runs import comparison, timings
from nnefkit.plot.tensors import feature_maps, filters, heat_map, histogram

__all__ = ["STYLE", "comparison", "feature_maps", "filters", "heat_map", "histogram", "timings"]
