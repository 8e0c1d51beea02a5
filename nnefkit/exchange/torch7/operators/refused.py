"""Modules that are refused, each with its reason and a way out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CUT = "Cut the network before it, outputs=[name of a module], and compute the rest outside of it."
_RANDOM = "it draws at random, also after training"
_STATES = "it keeps states from one call to the next"
_UNROLL = (
    "Unroll it in Torch7 into the modules of one step (nngraph), with its states as inputs and "
    "outputs."
)
_RECURRENT = (
    *("nn.Recurrent", "nn.Recursor", "nn.Recurrence", "nn.Sequencer", "nn.LSTM", "nn.FastLSTM"),
    *("nn.GRU", "nn.Mufuru", "nn.SeqLSTM", "nn.SeqLSTMP", "nn.SeqGRU", "nn.SeqBRNN", "nn.RNN"),
    *("nn.BiSequencer", "nn.BiSequencerLM", "nn.Repeater", "nn.RecurrentAttention"),
    *("nn.NormStabilizer", "nn.RecLSTM", "nn.LinearRNN", "nn.LookupRNN", "nn.RecGRU"),
    *("cudnn.RNN", "cudnn.RNNReLU", "cudnn.RNNTanh", "cudnn.LSTM", "cudnn.BLSTM", "cudnn.GRU"),
    "cudnn.BGRU",
)

REFUSED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "nn.MaskedSelect": ("the shape of its result depends on the numbers of its input", _CUT),
        "nn.SparseLinear": ("its input is a list of indices and numbers", "Use nn.Linear."),
        "nn.IndexLinear": ("its input is a list of indices and numbers", "Use nn.Linear."),
        "nn.SpatialFractionalMaxPooling": (_RANDOM, "Use nn.SpatialAdaptiveMaxPooling."),
        "nn.VolumetricFractionalMaxPooling": (_RANDOM, "Use nn.VolumetricMaxPooling."),
        "inn.SpatialStochasticPooling": (_RANDOM, "Use nn.SpatialMaxPooling."),
        "inn.ROIPooling": ("it pools regions that are given in a table", _CUT),
        "nn.Kmeans": ("it is a clustering, not a module of a network", _CUT),
        "nn.Jacobian": ("it is a test of derivatives", _CUT),
        "nn.ModuleCriterion": ("it is a loss", _CUT),
        **dict.fromkeys(_RECURRENT, (_STATES, _UNROLL)),
        "nn.SpatialConvolutionCUDA": (
            "its tensors have the batch as their last dimension",
            "Convert it to nn.SpatialConvolution in Torch7.",
        ),
        "nn.SpatialMaxPoolingCUDA": (
            "its tensors have the batch as their last dimension",
            "Convert it to nn.SpatialMaxPooling in Torch7.",
        ),
    }
)
"""Class of a module -> why it is refused, and what to do."""
