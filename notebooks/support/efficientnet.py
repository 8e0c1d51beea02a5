"""EfficientNet-Lite0 in plain PyTorch, with the parameter names of its published weights."""

import torch
from torch import nn
from torch.nn import functional

# Kernel, stride, factor by which a block widens its input, channels, repetitions.
STAGES = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]


class SamePadding(nn.Conv2d):
    """A convolution that pads as TensorFlow does: one more at the end, if it must be odd."""

    def forward(self, x):
        pads = []
        for extent, kernel, stride in zip(x.shape[2:], self.kernel_size, self.stride, strict=True):
            total = max((-(-extent // stride) - 1) * stride + kernel - extent, 0)
            pads = [total // 2, total - total // 2, *pads]
        return super().forward(functional.pad(x, pads))


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Widens, convolves each channel by itself, narrows; and adds its input if it can."""

    def __init__(self, before, kernel, stride, factor, after):
        super().__init__()
        wide = before * factor
        if factor > 1:
            self._expand_conv, self._bn0 = nn.Conv2d(before, wide, 1, bias=False), norm(wide)
        self._depthwise_conv = SamePadding(wide, wide, kernel, stride, groups=wide, bias=False)
        self._bn1 = norm(wide)
        self._project_conv, self._bn2 = nn.Conv2d(wide, after, 1, bias=False), norm(after)
        self._relu = nn.ReLU6(inplace=True)
        self.widens, self.adds = factor > 1, stride == 1 and before == after

    def forward(self, x):
        y = self._relu(self._bn0(self._expand_conv(x))) if self.widens else x
        y = self._relu(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if self.adds else y


class EfficientNetLite0(nn.Module):
    """Photo ``[N, 3, 224, 224]`` in (-1, 1) to the scores ``[N, 1000]`` of the ImageNet classes."""

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SamePadding(3, 32, 3, 2, bias=False), norm(32)
        self._blocks = nn.ModuleList()
        before = 32
        for kernel, stride, factor, after, times in STAGES:
            for number in range(times):
                block = Block(before, kernel, 1 if number else stride, factor, after)
                self._blocks.append(block)
                before = after
        self._conv_head, self._bn1 = nn.Conv2d(320, 1280, 1, bias=False), norm(1280)
        self._relu = nn.ReLU6(inplace=True)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        x = self._relu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = self._relu(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))


def pretrained(path):
    """The network with the weights of a file."""
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(path, weights_only=True))
    return network.eval()
