"""Costs of converted modules against PyTorch's own FLOP counter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import nnefkit as nk


class Call(nn.Module):
    """A module that calls a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


class Net(nn.Module):
    """Convolutions of all kinds, one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, (3, 1), groups=8, padding=(1, 0)),
            nn.Conv2d(8, 12, 1),
            nn.ConvTranspose2d(12, 6, 4, stride=2, padding=1, groups=3),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, 5),
        )

    def forward(self, x: Any) -> Any:
        return self.layers(x)


def attention(q: Any, k: Any, v: Any) -> Any:
    return functional.scaled_dot_product_attention(q, k, v)


CASES = {
    "conv1d": (nn.Conv1d(3, 5, 4, stride=3, dilation=2, padding=1), [(2, 3, 23)]),
    "conv": (nn.Conv2d(3, 7, (3, 5), stride=(2, 3), dilation=(2, 1), padding=2), [(2, 3, 17, 23)]),
    "grouped": (nn.Conv2d(6, 9, 3, groups=3, bias=False), [(1, 6, 11, 13)]),
    "depthwise": (nn.Conv2d(6, 12, 3, groups=6, padding="same"), [(3, 6, 9, 7)]),
    "conv3d": (nn.Conv3d(2, 3, (1, 2, 3), stride=(1, 2, 1)), [(1, 2, 5, 7, 6)]),
    "transposed": (
        nn.ConvTranspose2d(4, 6, (3, 4), stride=(2, 3), padding=1, output_padding=(1, 2)),
        [(2, 4, 5, 7)],
    ),
    "transposed-grouped": (
        nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2, dilation=2),
        [(1, 4, 5, 7)],
    ),
    "transposed-1d": (nn.ConvTranspose1d(3, 2, 5, stride=4, bias=False), [(2, 3, 11)]),
    "linear": (nn.Linear(13, 7), [(5, 13)]),
    "linear-3d": (nn.Linear(13, 7, bias=False), [(2, 5, 13)]),
    "matmul": (Call(torch.matmul), [(3, 5, 7), (3, 7, 11)]),
    "matmul-broadcast": (Call(torch.matmul), [(2, 3, 5, 7), (7, 4)]),
    "bmm": (Call(torch.bmm), [(2, 3, 4), (2, 4, 5)]),
    "addmm": (Call(torch.addmm), [(3, 5), (3, 4), (4, 5)]),
    "attention": (Call(attention), [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)]),
    "transformer": (
        nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True),
        [(2, 7, 12)],
    ),
    "network": (Net(), [(1, 3, 19, 21)]),
}


@pytest.mark.parametrize("name", CASES)
def test_products_cost_what_pytorch_counts(name: str) -> None:
    module, shapes = CASES[name]
    module = module.eval()
    inputs = tuple(torch.randn(shape) for shape in shapes)
    # The counter does not see the products inside of fused layers and fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*[tensor.clone().requires_grad_() for tensor in inputs])
    costs = nk.cost(nk.from_torch(module, inputs))
    assert not costs.unknown
    assert 2 * costs.macs == counter.get_total_flops()
    assert costs.flops >= 2 * costs.macs
