"""Calls of pooling operators: common forms, and edge cases."""

import torch
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import x

aten = torch.ops.aten


def _pool(name, *args, **kwargs):
    return lambda a: getattr(F, name)(a, *args, **kwargs)


CASES = {
    "max_pool1d": (_pool("max_pool1d", 3), (x(2, 3, 10),)),
    "max_pool2d": (_pool("max_pool2d", 3, 2, 1), (x(2, 3, 9, 8) - 5,)),
    "max_pool2d_dilated": (_pool("max_pool2d", (2, 3), 1, (1, 1), (2, 1)), (x(1, 1, 9, 8) - 5,)),
    "max_pool2d_ceil": (_pool("max_pool2d", 3, 2, 1, ceil_mode=True), (x(2, 3, 8, 10) - 5,)),
    "max_pool2d_unbatched": (_pool("max_pool2d", 2), (x(3, 9, 8),)),
    "max_pool3d": (_pool("max_pool3d", 2), (x(1, 2, 4, 5, 6),)),
    "avg_pool1d": (_pool("avg_pool1d", 3, 2, 1), (x(2, 3, 10),)),
    "avg_pool2d": (_pool("avg_pool2d", 3, 2, 1), (x(2, 3, 9, 8),)),
    "avg_pool2d_true": (_pool("avg_pool2d", 3, 2, 1, count_include_pad=False), (x(2, 3, 9, 8),)),
    "avg_pool2d_ceil": (_pool("avg_pool2d", 3, 2, 0, ceil_mode=True), (x(2, 3, 8, 10),)),
    "avg_pool2d_ceil_padded": (_pool("avg_pool2d", 3, 2, 1, ceil_mode=True), (x(2, 3, 8, 10),)),
    "avg_pool2d_ceil_true": (
        _pool("avg_pool2d", 3, 2, 1, ceil_mode=True, count_include_pad=False), (x(2, 3, 8, 10),)),
    "avg_pool2d_divisor": (_pool("avg_pool2d", 3, 2, 1, divisor_override=5), (x(2, 3, 9, 8),)),
    "avg_pool3d": (_pool("avg_pool3d", 2), (x(1, 2, 4, 5, 6),)),
    "max_pool2d_with_indices": (
        lambda a: aten.max_pool2d_with_indices(a, [2, 2])[0], (x(1, 2, 5, 4),)),
    "_adaptive_avg_pool": (
        lambda a: aten._adaptive_avg_pool3d(aten._adaptive_avg_pool2d(a, [2, 2])[None], [1, 2, 1]),
        (x(1, 2, 4, 4),)),
    "lp_pool2d": (_pool("lp_pool2d", 2, 3, 2), (x(1, 2, 7, 7),)),
    "adaptive_avg_1": (_pool("adaptive_avg_pool2d", 1), (x(2, 3, 5, 6),)),
    "adaptive_avg_even": (_pool("adaptive_avg_pool2d", (3, 2)), (x(2, 3, 6, 6),)),
    "adaptive_avg_uneven": (_pool("adaptive_avg_pool2d", (3, 4)), (x(2, 3, 7, 9),)),
    "adaptive_avg_larger": (_pool("adaptive_avg_pool2d", 7), (x(2, 3, 4, 4),)),
    "adaptive_avg_half": (_pool("adaptive_avg_pool2d", (None, 1)), (x(2, 3, 4, 5),)),
    "adaptive_avg_pool1d": (_pool("adaptive_avg_pool1d", 3), (x(2, 3, 10),)),
    "adaptive_avg_pool3d": (_pool("adaptive_avg_pool3d", (2, 1, 3)), (x(1, 2, 4, 5, 7),)),
    "adaptive_max_pool2d": (_pool("adaptive_max_pool2d", (3, 2)), (x(2, 3, 6, 6),)),
    "adaptive_max_uneven": (_pool("adaptive_max_pool2d", (3, 4)), (x(2, 3, 7, 9),)),
    "adaptive_max_pool1d": (_pool("adaptive_max_pool1d", 5), (x(2, 3, 10),)),
    "adaptive_max_pool3d": (_pool("adaptive_max_pool3d", 1), (x(1, 2, 3, 4, 2),)),
}  # fmt: skip


REFUSED = {
    "indices": (lambda a: F.max_pool2d(a, 2, return_indices=True), (x(1, 1, 4, 4),), "indices"),
    "adaptive_indices": (
        lambda a: F.adaptive_max_pool2d(a, 2, True), (x(1, 1, 4, 4),), "indices"),
}  # fmt: skip
