"""Boxes of object detectors (SSD)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.source_value import Value


@layer("PriorBox")
def prior_box(c: Call) -> Value:
    """Read the boxes of each position and their variances, which are constants."""
    p = c.parameter("prior_box_param")
    if len(c.inputs) != 2 or c[0].rank != 4 or c[1].rank != 4:
        c.invalid("its bottoms are not two images")
    rows, columns = c[0].shape[2:]
    sizes = _sizes(c, p)
    variances = [*p.variance] or [0.1]
    if len(variances) not in (1, 4) or min(variances) <= 0:
        c.invalid(f"its variances are {variances}")
    c.allowance.take((2, rows, columns, len(sizes), 4), 8)
    height, width = _image(c, p)
    step_y, step_x = _steps(p, height / rows, width / columns)
    x = (np.arange(columns) + p.offset) * step_x
    y = (np.arange(rows) + p.offset) * step_y
    half = np.array(sizes, np.float64).reshape(-1, 2) / 2
    boxes = np.empty((rows, columns, len(sizes), 4))
    boxes[..., 0::2] = x[None, :, None, None] + half[:, :1] * (-1, 1)
    boxes[..., 1::2] = y[:, None, None, None] + half[:, 1:] * (-1, 1)
    boxes /= (width, height, width, height)
    if p.clip:
        boxes = boxes.clip(0, 1)
    spread = np.broadcast_to(np.array(variances), boxes.shape)
    data: Array = np.stack([boxes.reshape(-1), spread.reshape(-1)])[None].astype(np.float32)
    return c.graph.constant(data, name=f"{c.name}/boxes")


def _sizes(c: Call, p: Any) -> list[tuple[float, float]]:
    """Return the width and height of each box at a position, in the order of SSD."""
    smallest, largest = [*p.min_size], [*p.max_size]
    numbers = [*smallest, *largest, *p.aspect_ratio]
    if not smallest or not all(n > 0 and math.isfinite(n) for n in numbers):
        c.invalid(f"its sizes are {smallest} and {largest}, its ratios {[*p.aspect_ratio]}")
    if largest and len(largest) != len(smallest):
        c.invalid(f"it has {len(smallest)} smallest and {len(largest)} largest sizes")
    if any(n != int(n) for n in (*smallest, *largest)):
        c.refuse(
            "its sizes are not whole numbers, which implementations of SSD cut differently",
            "Round min_size and max_size in the network.",
        )
    ratios = [1.0]
    for ratio in p.aspect_ratio:
        if all(abs(ratio - known) >= 1e-6 for known in ratios):
            ratios += [ratio, 1 / ratio] if p.flip else [ratio]
    sizes = []
    for number, side in enumerate(smallest):
        sizes.append((side, side))
        if largest:
            if largest[number] <= side:
                c.invalid(f"its largest size {largest[number]:g} is not above {side:g}")
            middle = math.sqrt(side * largest[number])
            sizes.append((middle, middle))
        sizes += [(side * math.sqrt(ratio), side / math.sqrt(ratio)) for ratio in ratios[1:]]
    return sizes


def _image(c: Call, p: Any) -> tuple[int, int]:
    """Return the height and width of the image."""
    height, width = p.img_h or p.img_size, p.img_w or p.img_size
    return (height, width) if height and width else (c[1].shape[2], c[1].shape[3])


def _steps(p: Any, height: float, width: float) -> tuple[float, float]:
    """Return the distance of positions, in elements of the image."""
    y, x = (p.step_h, p.step_w) if p.step_h or p.step_w else (p.step, p.step)
    return (y, x) if y and x else (height, width)
