"""The networks as plain PyTorch modules with random weights of realistic scales."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn


def _convolution(
    channels: int, results: int, size: int, stride: int = 1, groups: int = 1, clip: str = "relu"
) -> list[nn.Module]:
    """A convolution that preserves the extents (except for the stride), normalized and clipped."""
    conv = nn.Conv2d(channels, results, size, stride, size // 2, groups=groups, bias=False)
    last: dict[str, list[nn.Module]] = {"relu": [nn.ReLU()], "relu6": [nn.ReLU6()], "": []}
    return [conv, nn.BatchNorm2d(results), *last[clip]]


# -- AlexNet ----------------------------------------------------------------------------------


def alexnet() -> nn.Module:
    """Five convolutions and three large linear layers."""
    sizes = [(3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1)]
    layers: list[nn.Module] = []
    for number, (channels, results, size, stride, padding) in enumerate(sizes):
        layers += [nn.Conv2d(channels, results, size, stride, padding), nn.ReLU()]
        if number < 2:
            layers.append(nn.MaxPool2d(3, 2))
    layers += [nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()]
    layers += [nn.Linear(256 * 6 * 6, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(4096, 1000))


# -- ResNet -----------------------------------------------------------------------------------


class _Residual(nn.Module):
    """A branch that is added to a (projected) shortcut, and rectified."""

    def __init__(self, body: Iterable[nn.Module], shortcut: Iterable[nn.Module]) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*shortcut)
        self.clip = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (N,C,H,W)."""
        return self.clip(self.body(x) + self.shortcut(x))


def _basic(channels: int, width: int, stride: int) -> list[nn.Module]:
    return [*_convolution(channels, width, 3, stride), *_convolution(width, width, 3, clip="")]


def _bottleneck(channels: int, width: int, stride: int) -> list[nn.Module]:
    narrow = _convolution(channels, width, 1)
    across = _convolution(width, width, 3, stride)
    return [*narrow, *across, *_convolution(width, 4 * width, 1, clip="")]


def _resnet(block: Callable[..., list[nn.Module]], growth: int, depths: list[int]) -> nn.Module:
    layers = [*_convolution(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, depth in enumerate(depths):
        width = 64 << stage
        for number in range(depth):
            stride = 2 if stage and number == 0 else 1
            changed = stride > 1 or channels != growth * width
            shortcut = _convolution(channels, growth * width, 1, stride, clip="") if changed else []
            layers.append(_Residual(block(channels, width, stride), shortcut))
            channels = growth * width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 1000)]
    return nn.Sequential(*layers)


def resnet18() -> nn.Module:
    """Residual blocks of two 3x3 convolutions."""
    return _resnet(_basic, 1, [2, 2, 2, 2])


def resnet50() -> nn.Module:
    """Residual blocks of a 3x3 convolution between two pointwise ones."""
    return _resnet(_bottleneck, 4, [3, 4, 6, 3])


# -- MobileNetV2 ------------------------------------------------------------------------------


class _Added(nn.Module):
    def __init__(self, body: Iterable[nn.Module]) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (N,C,H,W)."""
        return x + self.body(x)


def _inverted(channels: int, results: int, stride: int, expansion: int) -> Iterator[nn.Module]:
    wide = channels * expansion
    body = _convolution(channels, wide, 1, clip="relu6") if expansion > 1 else []
    body += _convolution(wide, wide, 3, stride, wide, clip="relu6")
    body += _convolution(wide, results, 1, clip="")
    if stride == 1 and channels == results:
        yield _Added(body)
    else:
        yield from body


def mobilenet_v2() -> nn.Module:
    """Depthwise convolutions between pointwise ones."""
    layers = _convolution(3, 32, 3, 2, clip="relu6")
    channels = 32
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)]
    stages += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for expansion, results, depth, stride in stages:
        for number in range(depth):
            layers += _inverted(channels, results, stride if number == 0 else 1, expansion)
            channels = results
    layers += _convolution(channels, 1280, 1, clip="relu6")
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


# -- a transformer ----------------------------------------------------------------------------


class Matrices(nn.Module):
    """The product of batches of matrices."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Of shapes (..., n, k) and (..., k, m)."""
        return torch.matmul(a, b)


class Heads(nn.Module):
    """(N, T, heads * width) to (N, heads, T, width)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.heads = heads

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (N,T,C)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Joined(nn.Module):
    """(N, heads, T, width) to (N, T, heads * width)."""

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (N,heads,T,width)."""
        return x.transpose(1, 2).flatten(2)


class Transposed(nn.Module):
    """Scaled transposes of matrices."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (N,heads,T,width)."""
        return x.transpose(2, 3) * self.scale


class _Encoder(nn.Module):
    """One layer: attention and a multilayer perceptron, each after a normalization, and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention, self.before_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.split, self.join = Heads(heads), Joined()
        self.turn = Transposed((width // heads) ** -0.5)
        self.product, self.softmax = Matrices(), nn.Softmax(-1)
        self.perceptron = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Of shape (N,T,C)."""
        y = self.before_attention(x)
        query, value = self.split(self.query(y)), self.split(self.value(y))
        key = self.turn(self.split(self.key(y)))
        weights = self.softmax(self.product(query, key))
        x = x + self.out(self.join(self.product(weights, value)))
        return x + self.perceptron(self.before_perceptron(x))


def transformer() -> nn.Module:
    """Six layers of an encoder of width 512 with eight heads."""
    return nn.Sequential(*(_Encoder(512, 8) for _ in range(6)), nn.LayerNorm(512))


# -- all of them ------------------------------------------------------------------------------

IMAGE = (1, 3, 224, 224)

MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "AlexNet": (alexnet, IMAGE),
    "ResNet-18": (resnet18, IMAGE),
    "ResNet-50": (resnet50, IMAGE),
    "MobileNetV2": (mobilenet_v2, IMAGE),
    "transformer": (transformer, (1, 128, 512)),
}
"""Name -> what makes the module, and the shape of its input."""


def module(name: str) -> nn.Module:
    """A network in evaluation mode; its weights are always the same."""
    torch.manual_seed(0)
    result = MODULES[name][0]().eval()
    for part in result.modules():
        if isinstance(part, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
        if isinstance(part, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(part.weight, 0.5, 1.0)
            nn.init.normal_(part.bias, std=0.1)
    return result
