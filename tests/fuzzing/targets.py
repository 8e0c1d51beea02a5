"""All targets by name."""

from __future__ import annotations

from . import files, graphs, onnx_models, texts, traces
from .target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (texts, files, traces, onnx_models, graphs)
    for target in module.TARGETS
}
