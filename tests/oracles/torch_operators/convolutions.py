"""Calls of convolution operators: common forms, and edge cases."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from oracles.torch_operators.drawn import whole, x

aten = torch.ops.aten

CASES = {
    "conv1d": (nn.Conv1d(3, 4, 3), (x(2, 3, 9),)),
    "conv1d_same": (nn.Conv1d(3, 4, 4, padding="same", dilation=2), (x(2, 3, 9),)),
    "conv1d_valid": (nn.Conv1d(3, 4, 4, padding="valid", bias=False), (x(2, 3, 9),)),
    "conv2d": (nn.Conv2d(3, 4, (3, 2), (2, 1), (1, 0), (1, 2)), (x(2, 3, 9, 8),)),
    "conv2d_unbatched": (nn.Conv2d(3, 4, 3), (x(3, 9, 8),)),
    "conv2d_groups": (nn.Conv2d(6, 4, 3, groups=2), (x(1, 6, 5, 5),)),
    "conv2d_depthwise": (nn.Conv2d(4, 8, 3, groups=4, bias=False), (x(1, 4, 5, 5),)),
    "conv2d_circular": (nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), (x(1, 2, 5, 6),)),
    "conv2d_reflect": (nn.Conv2d(2, 3, 3, padding=2, padding_mode="reflect"), (x(1, 2, 5, 6),)),
    "conv3d": (nn.Conv3d(2, 3, 2, padding=1), (x(1, 2, 3, 4, 5),)),
    "conv_with_computed_weights": (
        lambda a, w: F.conv2d(a, w, padding=1), (x(1, 2, 4, 4), x(3, 2, 3, 3))),
    "conv_transpose1d": (nn.ConvTranspose1d(3, 4, 3, 2, 1, 1), (x(2, 3, 5),)),
    "conv_transpose2d": (nn.ConvTranspose2d(3, 4, 3, 2, 1), (x(2, 3, 5, 4),)),
    "conv_transpose2d_plain": (nn.ConvTranspose2d(3, 4, 2, bias=False), (x(3, 5, 4),)),
    "conv_transpose2d_groups": (
        nn.ConvTranspose2d(4, 6, (3, 4), (1, 3), (0, 1), (0, 2), groups=2, dilation=(2, 1)),
        (x(1, 4, 5, 4),),
    ),
    "conv_transpose3d": (nn.ConvTranspose3d(2, 3, 2, 2), (x(1, 2, 2, 3, 2),)),
    "convolution": (
        lambda a, w: aten.convolution(a, w, None, [1], [1], [1], False, [0], 1),
        (x(1, 2, 6), x(3, 2, 3)),
    ),
    "convolution_transposed": (
        lambda a, w: aten.convolution(a, w, None, [2], [1], [1], True, [1], 1),
        (x(1, 2, 6), x(2, 3, 3)),
    ),
    "pad": (lambda a: F.pad(a, (1, 2)), (x(2, 3, 4),)),
    "pad_value": (lambda a: F.pad(a, (0, 1, 2, 0), value=1.5), (x(2, 3, 4),)),
    "pad_negative": (lambda a: F.pad(a, (-1, 2)), (x(2, 3, 4),)),
    "pad_integers": (lambda a: F.pad(a, (1, 1), value=3), (whole(2, 3),)),
    "pad_reflect": (lambda a: F.pad(a, (2, 1), mode="reflect"), (x(2, 3, 4),)),
    "pad_replicate": (lambda a: F.pad(a, (2, 1, 1, 0), mode="replicate"), (x(1, 2, 3, 4),)),
    "pad_infinity": (lambda a: F.pad(a, (2, -1), value=-torch.inf).amax(-1), (x(2, 3, 4),)),
    "pad_circular": (lambda a: F.pad(a, (2, 1), mode="circular"), (x(2, 3, 4),)),
    "pad_circular_cropped": (lambda a: F.pad(a, (2, -1), mode="circular"), (x(2, 3, 4),)),
    "reflection_pad": (nn.ReflectionPad2d((1, 2, 0, 1)), (x(1, 2, 4, 4),)),
    "replication_pad": (nn.ReplicationPad2d((1, 2, 0, 1)), (x(1, 2, 4, 4),)),
    "pads_1d": (
        lambda a: aten.reflection_pad1d(a, [1, 2]) + aten.replication_pad1d(a, [2, 1]),
        (x(1, 2, 4),)),
    "pads_2d": (
        lambda a: aten.reflection_pad2d(a, [1, 0, 1, 1]) + aten.replication_pad2d(a, [0, 1, 1, 1])
        + aten.constant_pad_nd(a, [1, 0, 0, 2], 0.5),
        (x(1, 2, 4, 3),)),
    "pads_3d": (
        lambda a: aten.reflection_pad3d(a, [1] * 6) + aten.replication_pad3d(a, [1] * 6),
        (x(1, 2, 3, 3, 2),)),
    "constant_pad": (nn.ConstantPad1d(2, 0.5), (x(1, 2, 4),)),
}  # fmt: skip
