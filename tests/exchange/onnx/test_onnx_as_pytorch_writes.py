"""Networks that PyTorch exports to ONNX compute what their modules compute."""

import contextlib
import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import nnefkit as nk


class Classifier(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.Hardswish(),
            nn.Conv2d(8, 8, 3, 1, 1, groups=8),
            nn.ReLU6(),
            nn.MaxPool2d(3, 2, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
            nn.Softmax(1),
        )


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 4, 3, 2, 1, 1)
        self.normal = nn.GroupNorm(2, 4)

    def forward(self, x):
        return functional.interpolate(
            functional.silu(self.normal(self.up(x))), scale_factor=2, mode="bilinear"
        )


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, activation="gelu")
        self.head = nn.Linear(16, 50)

    def forward(self, tokens):
        return functional.log_softmax(self.head(self.layer(self.embedding(tokens))), -1)


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.projection = nn.Linear(16, 48)

    def forward(self, x):
        parts = [p.view(2, 7, 4, 4).transpose(1, 2) for p in self.projection(x).split(16, -1)]
        mixed = functional.scaled_dot_product_attention(*parts, is_causal=True)
        return mixed.transpose(1, 2).reshape(2, 7, 16) + x


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layers = kind(8, 12, 2, batch_first=True, bidirectional=True)

    def forward(self, x):
        return self.layers(x)[0]


class Waves(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(4, 8, 2, dilation=d) for d in (1, 2, 4)])

    def forward(self, x):
        for layer in self.layers:
            a, b = layer(functional.pad(x, (layer.dilation[0], 0))).chunk(2, 1)
            x = x + torch.tanh(a) * torch.sigmoid(b)
        return x


CASES = {
    "classifier": (Classifier, lambda: torch.randn(1, 3, 32, 32), 18),
    "decoder": (Decoder, lambda: torch.randn(1, 3, 8, 8), 23),
    "tagger": (Tagger, lambda: torch.randint(0, 50, (2, 7)), 18),
    "attention": (Causal, lambda: torch.randn(2, 7, 16), 23),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda: torch.randn(2, 5, 8), 18),
    "gru": (lambda: Recurrent(nn.GRU), lambda: torch.randn(2, 5, 8), 23),
    "waves": (Waves, lambda: torch.randn(1, 4, 20), 18),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_networks_exported_by_pytorch_compute_the_same(name):
    torch.manual_seed(0)
    make, example, opset = CASES[name]
    module, given = make().eval(), example()
    quiet = contextlib.redirect_stdout(io.StringIO())
    with warnings.catch_warnings(), quiet, contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        model = torch.onnx.export(module, (given,), dynamo=True, opset_version=opset).model_proto
    graph = nk.from_onnx(model)
    assert graph.provenance["verified"] is True
    report = nk.validate(str(graph))
    assert (report.errors, report.warnings) == ((), ())
    with torch.no_grad():
        expected = module(given).numpy()
    for engine in ("numpy", "onnxruntime"):
        (actual,) = nk.run(graph, given.numpy(), engine=engine).values()
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5)
