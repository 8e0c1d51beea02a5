"""Functions of Chainer that are not read, with the reason and what to do."""

from __future__ import annotations

_CUT = "Cut the graph before it, outputs=[...], and compute the rest outside of it."
_TRAINING = "it is a function for training, which a graph of NNEF has no use for"
_RANDOM = "it draws random numbers"
_ROI = "Chainer rounds the regions of its pooling otherwise than NNEF (4.6)"
_ALGEBRA = "NNEF has no operation for it (4.7)"
_SPECIAL = "NNEF has no such function (4.2)"
_CUDNN = "it is a recurrent layer of cuDNN, whose weights are packed"
_INFERENCE = "Dump the model for inference: chainer.config.train = False."

_GROUPS = (
    (
        _TRAINING,
        _CUT,
        *("Accuracy", "BinaryAccuracy", "ClassificationSummary", "R2_score"),
        *("Contrastive", "CrossCovariance", "ConnectionistTemporalClassification", "DeCov"),
        *("Hinge", "HuberLoss", "NegativeSamplingFunction", "SigmoidCrossEntropy"),
        *("SoftmaxCrossEntropy", "Triplet", "BlackOut", "CRF1d", "BinaryHierarchicalSoftmax"),
    ),
    (
        _RANDOM,
        _INFERENCE,
        *("Dropout", "Gaussian", "SimplifiedDropconnect", "Zoneout"),
    ),
    (
        "it normalizes by the statistics of a batch and changes those that it stores",
        _INFERENCE,
        *("BatchRenormalizationFunction", "DecorrelatedBatchNormalization"),
    ),
    (
        _ROI,
        _CUT,
        *("ROIPooling2D", "ROIAverageAlign2D", "ROIAveragePooling2D", "ROIMaxAlign2D"),
        "ROIMaxPooling2D",
    ),
    (
        _ALGEBRA,
        _CUT,
        *("BatchDet", "BatchInv", "Cholesky", "Inv", "CooMatMul", "FFT", "Diagonal"),
        *("DiagEinSum", "Cumprodsum"),
    ),
    (
        _SPECIAL,
        _CUT,
        *("DiGamma", "LGamma", "PolyGamma", "Zeta", "ErfcInv", "Erfcx", "ErfInv", "LogNdtr"),
        "Ndtri",
    ),
    (
        _CUDNN,
        "Dump the model on the CPU: model.to_cpu().",
        *("NStepGRU", "NStepBiGRU", "NStepLSTM", "NStepBiLSTM", "NStepRNNReLU", "NStepRNNTanh"),
        *("NStepBiRNNReLU", "NStepBiRNNTanh", "CudnnRNNWeightConcat"),
    ),
    (
        "it selects from the positions of maxima, which depend on the input",
        "Upsample by F.unpooling_2d, or cut the graph before it: outputs=[...].",
        *("Upsampling2D", "MaxPoolingNDWithIndexes"),
    ),
    (
        "it reads an array by its places in memory",
        "Write it with slices, F.transpose and F.reshape.",
        "AsStrided",
    ),
    ("it is a function of Theano inside of a Chainer model", _CUT, "TheanoFunction"),
    ("it is a part of a gradient", _CUT, *("Assign", "_MulInvStd", "_XHat", "_SetItemZero")),
)
REFUSED = {name: (reason, hint) for reason, hint, *names in _GROUPS for name in names}
"""Class of a function -> the reason why it is refused, and what to do."""
