"""Matplotlib figures of tensors and runs.

Every function draws into the given `Axes`, or makes a new figure, and returns the `Axes`. Tensors
are arrays, objects that hold one as ``data``, or a trace or a graph and the name of a tensor.
Matplotlib is imported when something is drawn.

New figures have no background and are legible on white and on black. A notebook shows them below
the cell that drew them. Pyplot does not know them, so its own figures stay as they are; in a
script, ``ax.figure.savefig(path)`` saves one, and ``ax=plt.gca()`` draws into a figure of pyplot.
"""

from nnefkit.plot.figure import STYLE
from nnefkit.plot.runs import comparison, timings
from nnefkit.plot.tensors import feature_maps, filters, heat_map, histogram

__all__ = ["STYLE", "comparison", "feature_maps", "filters", "heat_map", "histogram", "timings"]


def __dir__() -> list[str]:
    return sorted(__all__)
