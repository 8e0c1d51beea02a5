"""Resizing (4.3.4): in channels-first order inside."""

from __future__ import annotations

from nnefkit.exchange.channels_last import resized
from nnefkit.exchange.refusal import refuse_empty_tensor
from nnefkit.exchange.reshaping import to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite


@tflite("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
@tensorflow("ResizeBilinear", "ResizeNearestNeighbor")
def resize(c: TensorCall) -> Value:
    """Read a resize of the two inner axes to a size."""
    x, sizes = c.ranked(0, 4), c.ints(1, "size")
    if c.operator == "ResizeBilinear":
        x = to_scalar(c, x)  # TensorFlow interpolates integers, too.
    if len(sizes) != 2 or min(sizes) < 0:
        c.invalid(f"its size is {sizes}")
    if 0 in sizes:
        refuse_empty_tensor()
    return resized(
        c,
        x,
        sizes,
        nearest="NEAREST" in c.operator.upper(),
        align_corners=bool(c.option("align_corners")),
        half_pixel_centers=bool(c.option("half_pixel_centers")),
        name=c.name,
        take=lambda shape: c.allowance.take(shape, 4),
    )
