"""The workbench: a live view of a graph.

`view` is the widget, `workbench` its state and the answers to messages of the browser. From the
graph (`viewed_graph`) and what is known about it (`evidence`) it makes an `outline` of nested
blocks, a `scene` with their places, and `tiles` of what is in view.
"""

from nnefkit.widgets.workbench.view import View, view

__all__ = ["View", "view"]
