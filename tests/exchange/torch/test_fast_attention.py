"""Encoders with padded positions, for which PyTorch has a fast path outside of exports."""

import numpy as np
import pytest
import torch
from torch import nn

import nnefkit as nk
from nnefkit.exchange.torch.exported_program import READERS

SEQUENCE = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 5, 8), np.float32))
PADDED = torch.tensor([[False, False, False, True, True], [False, False, False, False, True]])


def encoder(**options):
    """Return an encoder of two layers in evaluation mode."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.1, batch_first=True, **options)
    return nn.TransformerEncoder(layer, 2).eval()


def graph_of(module):
    return nk.from_torch(module, SEQUENCE, kwargs={"src_key_padding_mask": PADDED})


@pytest.mark.parametrize("options", [{}, {"activation": "gelu"}])
@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch"])
def test_padded_positions_are_those_of_pytorch_without_its_fast_path(options, engine):
    module = encoder(**options)
    graph = graph_of(module)
    feeds = dict(zip(graph.inputs, (SEQUENCE.numpy(), PADDED.numpy()), strict=True))
    result = nk.run(graph, feeds, engine)[graph.outputs[0]]
    # Parameters that require a gradient disable the fast path.
    expected = module(SEQUENCE, src_key_padding_mask=PADDED).detach().numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        fast = module(SEQUENCE, src_key_padding_mask=PADDED).numpy()
    read = ~PADDED.numpy()
    np.testing.assert_allclose(result[read], fast[read], rtol=1e-4, atol=1e-5)


def test_the_provenance_says_that_the_fast_path_was_disabled():
    assert "fast path" in graph_of(encoder()).provenance["compared"]
    without_mask = nk.from_torch(encoder(), SEQUENCE)
    assert "compared" not in without_mask.provenance
    assert torch.backends.mha.get_fastpath_enabled()


def test_an_encoder_that_is_read_wrongly_is_refused(monkeypatch):
    monkeypatch.setitem(READERS, "relu", lambda c, x: c.op("abs", x))
    with pytest.raises(nk.ExecutionError, match="computed by 'abs', is the first tensor that dif"):
        graph_of(encoder())
