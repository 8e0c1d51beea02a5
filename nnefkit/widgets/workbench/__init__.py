"""The workbench: a live view of a graph.

`view` is the widget, `workbench` its state and the answers to messages of the browser. From what
`nnefkit.pictures` knows about the graph it makes a `scene` of places, and `tiles` of what is in
view.
"""

from nnefkit.widgets.workbench.view import View, view

__all__ = ["View", "view"]
