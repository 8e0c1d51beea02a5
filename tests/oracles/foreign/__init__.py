"""The operations as implementations that are not ours compute them."""

from oracles.foreign import khronos, onnx_runtime, pytorch
from oracles.foreign.oracle import Oracle

FOREIGN: dict[str, dict[str, Oracle]] = {
    "PyTorch": pytorch.OPERATIONS,
    "ONNX Runtime": onnx_runtime.OPERATIONS,
    "Khronos": khronos.OPERATIONS,
}
"""Implementation -> operation -> how it is computed there."""
