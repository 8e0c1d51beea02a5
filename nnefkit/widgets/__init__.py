"""Interactive views for a live notebook. Each has the static display as its twin, never a blank."""

from nnefkit.widgets.tensor_browser import TensorBrowser, tensor_browser

__all__ = ["TensorBrowser", "tensor_browser"]
