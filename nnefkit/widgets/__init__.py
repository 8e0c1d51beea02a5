"""Interactive views for a live notebook; without a kernel each falls back to a static display."""

from nnefkit.widgets.tensor_browser import TensorBrowser, tensor_browser

__all__ = ["TensorBrowser", "tensor_browser"]
