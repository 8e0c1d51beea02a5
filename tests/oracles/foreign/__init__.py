"""The operations as implementations that are not ours compute them."""

from oracles.foreign import khronos, onnx_runtime, pytorch
from oracles.foreign.said import Said

FOREIGN: dict[str, dict[str, Said]] = {
    "PyTorch": pytorch.SAID,
    "ONNX Runtime": onnx_runtime.SAID,
    "Khronos": khronos.SAID,
}
"""Implementation -> operation -> how it is said there."""
