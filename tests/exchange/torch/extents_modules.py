"""Modules whose results depend on extents, each with an example and with other shapes.

Where PyTorch itself refuses a shape, a graph must refuse it, too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional


class Of(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Row(NamedTuple):
    name: str
    module: nn.Module
    shape: tuple[int, ...]
    general: str = ""
    """The axes for whose extents, wherever PyTorch accepts them, the graph is valid."""


ROWS_SHAPE = (2, 6, 4)
IMAGE = (2, 4, 8, 6)


def _attention(x):
    return functional.scaled_dot_product_attention(x, x, x, is_causal=True)


def _padded_to_multiple(x):
    return functional.pad(x, (0, -x.shape[-1] % 4))


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.arange(48.0).reshape(12, 4) / 10)

    def forward(self, x):
        return x + self.table[: x.shape[1]]


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = kind(4, 3, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0]


class Shuffled(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Heads(nn.Module):
    def forward(self, x):
        n, t, c = x.shape
        return x.view(n, t, 2, c // 2).transpose(1, 2).reshape(n * 2, t, c // 2)


class Windows(nn.Module):
    def forward(self, x):
        n, c, h, w = x.shape
        cells = x.reshape(n, c, h // 2, 2, w // 2, 2)
        return cells.permute(0, 2, 4, 1, 3, 5).reshape(-1, c, 2, 2)


def _rows() -> list[Row]:
    torch.manual_seed(0)
    flat, image = ROWS_SHAPE, IMAGE

    def row(name, function, shape=flat, general="all"):
        module = function if isinstance(function, nn.Module) else Of(function)
        return Row(name, module.eval(), shape, general)

    return [
        row("last", lambda x: x[:, -1]),
        row("all but the last", lambda x: x[:, :-1]),
        row("all but the first", lambda x: x[:, 1:]),
        row("last three", lambda x: x[:, -3:]),
        row("middle from the end", lambda x: x[:, -3:-1]),
        row("first three", lambda x: x[:, :3]),
        row("every second", lambda x: x[:, ::2]),
        row("every second from one", lambda x: x[:, 1::2]),
        row("half", lambda x: x[:, : x.shape[1] // 2], general="02"),
        row("select", lambda x: x.select(2, -2)),
        row("narrow", lambda x: x.narrow(1, -2, 2)),
        row("flip", lambda x: x.flip(1)),
        row("flip two", lambda x: x.flip(0, 2), general="12"),
        row("roll", lambda x: x.roll(2, 1)),
        row("roll back", lambda x: x.roll((-1, 1), (1, 2))),
        row("roll flat", lambda x: x.roll(1), general=""),
        row("circular padding", lambda x: functional.pad(x, (1, 2), mode="circular")),
        row("reflect padding", lambda x: functional.pad(x, (1, 2), mode="reflect")),
        row("replicate padding", lambda x: functional.pad(x, (1, 2), mode="replicate")),
        row("constant padding", lambda x: functional.pad(x, (1, 2, 0, 1), value=2.0)),
        row("negative padding", lambda x: functional.pad(x, (-1, -1))),
        row("padded to a multiple", _padded_to_multiple, general="01"),
        row("var", lambda x: x.var(1), general="02"),
        row("std", lambda x: x.std((1, 2)), general="0"),
        row("population var", lambda x: x.var(1, unbiased=False)),
        row("var of all", lambda x: x.var(), general=""),
        row("var_mean", lambda x: torch.var_mean(x, 1)[0], general="02"),
        row("mean", lambda x: x.mean(1)),
        row("mean of all", lambda x: x.mean()),
        row("sum", lambda x: x.sum((0, 2))),
        row("division by an extent", lambda x: x / x.shape[1], general="02"),
        row("scaling by an extent", lambda x: x * math.sqrt(x.shape[-1]), general="01"),
        row("sum by the number", lambda x: x.sum() / x.numel(), general=""),
        row("power by the rank", lambda x: x ** x.dim()),
        row("max", lambda x: x.max(1)[0]),
        row("argmax", lambda x: x.argmax(1).float()),
        row("argmax of all", lambda x: x.argmax().float()),
        row("cumsum", lambda x: x.cumsum(1), general="02"),
        row("logsumexp", lambda x: x.logsumexp(1)),
        row("softmax", lambda x: x.softmax(-1)),
        row("prod", lambda x: x.prod(1), general="02"),
        row("norm", lambda x: x.norm(dim=1)),
        row("topk", lambda x: x.topk(2, dim=1)[0], general="02"),
        row("sort by extent", lambda x: x.topk(x.shape[1], 1)[0], general="02"),
        row("flatten", lambda x: x.flatten(1)),
        row("view", lambda x: x.view(x.shape[0], -1)),
        row("view to one", lambda x: x.reshape(-1)),
        row("merge", lambda x: x.reshape(x.shape[0] * x.shape[1], x.shape[2])),
        row("split heads", Heads(), general="01"),
        row("reshape fixed", lambda x: x.reshape(2, 24), general=""),
        row("unflatten", lambda x: x.unflatten(1, (2, -1))),
        row("unsqueeze", lambda x: x.unsqueeze(1).squeeze(1)),
        row("permute", lambda x: x.permute(2, 0, 1)),
        row("expand", lambda x: x[:, :1].expand(-1, 5, -1)),
        row("expand to extent", lambda x: x.mean(1, keepdim=True).expand_as(x), general="02"),
        row("repeat", lambda x: x.repeat(1, 2, 1)),
        row("repeat_interleave", lambda x: x.repeat_interleave(2, 1)),
        row("split", lambda x: x.split(3, 1)[0], general="02"),
        row("chunk", lambda x: x.chunk(2, 1)[1], general="02"),
        row("chunk uneven", lambda x: x.chunk(4, 1)[1], general="02"),
        row("unbind", lambda x: torch.stack(x.unbind(1)[::-1], 1), general="02"),
        row("cat", lambda x: torch.cat([x, x[:, :1]], 1)),
        row("arange", lambda x: x + torch.arange(x.shape[2]), general="01"),
        row("positions", Positions(), general="0"),
        row("linspace", lambda x: x * torch.linspace(0, 1, x.shape[1])[:, None], general="02"),
        row("tril", lambda x: x.tril(), general="0"),
        row("diagonal", lambda x: x.diagonal(dim1=1, dim2=2), general="0"),
        row("outer", lambda x: x.unsqueeze(1) - x.unsqueeze(2)),
        row("unfold", lambda x: x.unfold(1, 2, 2), general="02"),
        row("min of an extent", lambda x: x[:, : min(x.shape[1], 6)], general="02"),
        row("branch on an extent", lambda x: x if x.shape[1] % 2 else -x, general="02"),
        row("ones", lambda x: x + torch.ones(x.shape), general=""),
        row("zeros_like", lambda x: torch.cat([torch.zeros_like(x[:, :1]), x], 1), general="1"),
        row("new_full", lambda x: x * x.new_full((x.shape[-1],), 2.0), general="01"),
        row("one hot", lambda x: x @ torch.eye(x.shape[2]), general="01"),
        row("causal attention", _attention, general="0"),
        row("attention", Attention(), general="1"),
        row("lstm", Recurrent(nn.LSTM), general=""),
        row("gru", Recurrent(nn.GRU), general=""),
        row("layer norm", nn.LayerNorm(4), general="01"),
        row("linear", nn.Linear(4, 3), general="01"),
        row("gelu", nn.GELU()),
        row("embedding of extents", lambda x: x + x.new_tensor(x.shape).sum(), general=""),
        row("conv", nn.Conv2d(4, 3, 3, padding=1), image, "023"),
        row("strided conv", nn.Conv2d(4, 3, 3, 2, 1), image, "023"),
        row("conv same", nn.Conv2d(4, 3, 3, padding="same"), image, "023"),
        row("conv circular", nn.Conv2d(4, 3, 3, padding=1, padding_mode="circular"), image, "023"),
        row("conv reflect", nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect"), image, "023"),
        row("deconv", nn.ConvTranspose2d(4, 3, 3, 2, 1, 1), image, "023"),
        row("max pool", nn.MaxPool2d(2), image),
        row("max pool ceil", nn.MaxPool2d(3, 2, ceil_mode=True), image, "01"),
        row("average pool", nn.AvgPool2d(3, 2, 1), image),
        row("average pool ceil", nn.AvgPool2d(3, 2, 1, ceil_mode=True), image, "01"),
        row("global average", nn.AdaptiveAvgPool2d(1), image),
        row("global max", nn.AdaptiveMaxPool2d(1), image),
        row("adaptive even", nn.AdaptiveAvgPool2d((2, 3)), image, "01"),
        row("adaptive uneven", nn.AdaptiveAvgPool2d((3, 4)), image, "01"),
        row("adaptive same", nn.AdaptiveAvgPool2d((8, 6)), image, "01"),
        row("adaptive max", nn.AdaptiveMaxPool2d((3, 2)), image, "01"),
        row("pool of the whole", lambda x: functional.avg_pool2d(x, x.shape[2:]), image, "01"),
        row("resize to a size", lambda x: functional.interpolate(x, size=(16, 12)), image, "01"),
        row("resize by a factor", lambda x: functional.interpolate(x, scale_factor=2.0), image),
        row(
            "bilinear by a factor",
            lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear"),
            image,
        ),
        row(
            "bilinear aligned",
            lambda x: functional.interpolate(x, size=(15, 11), mode="bilinear", align_corners=True),
            image,
            "01",
        ),
        row("resize down", lambda x: functional.interpolate(x, scale_factor=0.5), image, "01"),
        row("batch norm", nn.BatchNorm2d(4), image, "023"),
        row("group norm", nn.GroupNorm(2, 4), image, "023"),
        row("instance norm", nn.InstanceNorm2d(4), image),
        row("pixel shuffle", nn.PixelShuffle(2), image),
        row("pixel unshuffle", nn.PixelUnshuffle(2), image),
        row("channel shuffle", Shuffled(), image, "023"),
        row("windows", Windows(), image, "012"),
        row("global by mean", lambda x: x.mean((2, 3)), image),
        row("spatial sum by area", lambda x: x.sum((2, 3)) / x[0, 0].numel(), image, "01"),
        row("im2col", nn.Unfold(2, stride=2), image, "01"),
    ]


ROWS = _rows()


def others(shape):
    """Return other shapes: each axis one more and twice; all of them; a batch of one."""
    for axis, extent in enumerate(shape):
        for new in (extent + 1, 2 * extent):
            yield (axis,), (*shape[:axis], new, *shape[axis + 1 :])
    yield (*range(len(shape)),), tuple(extent + 2 for extent in shape)
    yield (0,), (1, *shape[1:])
    yield (1, 2), (shape[0], shape[2], shape[1], *shape[3:])
