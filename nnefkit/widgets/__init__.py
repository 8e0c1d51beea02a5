"""Interactive views for a live notebook; without a kernel each falls back to a static display."""

from nnefkit.widgets.compare_browser import CompareBrowser, compare_browser
from nnefkit.widgets.stepper import StepperPanel, stepper
from nnefkit.widgets.tensor_browser import TensorBrowser, tensor_browser
from nnefkit.widgets.workbench import View, view

__all__ = [
    "CompareBrowser",
    "StepperPanel",
    "TensorBrowser",
    "View",
    "compare_browser",
    "stepper",
    "tensor_browser",
    "view",
]


def __dir__() -> list[str]:
    return sorted(__all__)
