"""Matplotlib figures of tensors and runs.

Every function draws into the given `Axes`, or makes a new figure, and returns the `Axes`. New
figures have no background and are legible on white and on black. Tensors are arrays, or objects
that hold one as ``data``. Matplotlib is imported when something is drawn.
"""

from nnefkit.plot.figure import STYLE
from nnefkit.plot.runs import comparison, timings
from nnefkit.plot.tensors import feature_maps, filters, heat_map, histogram

__all__ = ["STYLE", "comparison", "feature_maps", "filters", "heat_map", "histogram", "timings"]
