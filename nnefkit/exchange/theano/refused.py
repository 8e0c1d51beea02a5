"""Operations of Theano that are not read, with the reason and what to do."""

from __future__ import annotations

_CUT = "Cut the graph before it, outputs=[...], and compute the rest outside of it."

_GROUPS = (
    (
        "it is an operation on a GPU",
        "Dump the graph with device=cpu.",
        *("GpuElemwise", "GpuDimShuffle", "GpuFromHost", "HostFromGpu", "GpuDnnConv"),
        *("GpuDnnPool", "GpuDnnSoftmax", "GpuGemm", "GpuDot22", "GpuJoin", "GpuReshape"),
        *("GpuAlloc", "GpuContiguous", "GpuCorrMM", "GpuSubtensor", "GpuIncSubtensor"),
    ),
    (
        "it draws random numbers",
        "Dump the graph for inference, without dropout or noise.",
        *("RandomFunction", "mrg_uniform", "GPU_mrg_uniform", "GPUA_mrg_uniform", "DotModulo"),
        *("MultinomialFromUniform", "ChoiceFromUniform"),
    ),
    (
        "it is a part of a gradient",
        "Dump the outputs of the network only.",
        *("AbstractConv2d_gradWeights", "AbstractConv3d_gradWeights", "CorrMM_gradWeights"),
        *("Corr3dMM_gradWeights", "MaxPoolGrad", "AveragePoolGrad", "DownsampleFactorMaxGradGrad"),
        *("SoftmaxGrad", "AbstractBatchNormTrainGrad", "CrossentropySoftmax1HotWithBiasDx"),
        *("CrossentropyCategorical1HotGrad", "MaxPoolRop", "DisconnectedType", "ZeroGrad"),
    ),
    (
        "it is a loss, which a graph of NNEF has no use for",
        _CUT,
        *("CrossentropySoftmaxArgmax1HotWithBias", "CrossentropyCategorical1Hot"),
    ),
    (
        "NNEF does not sort",
        _CUT,
        *("SortOp", "ArgSortOp", "TopKOp", "Nonzero", "Unique", "SearchsortedOp", "Bincount"),
    ),
    (
        "NNEF has no operation for it (4.7)",
        _CUT,
        *("MatrixInverse", "MatrixPinv", "Det", "Eig", "Eigh", "QRFull", "QRIncomplete", "SVD"),
        *("TensorInv", "TensorSolve", "Cholesky", "Solve", "Expm", "RFFTOp", "IRFFTOp", "Kron"),
        *("ExtractDiag", "AllocDiag", "FillDiagonal", "FillDiagonalOffset", "ProdWithoutZeros"),
        *("PermuteRowElements", "Choose", "RavelMultiIndex", "SparseBlockGemv"),
        *("DiagonalSubtensor", "IncDiagonalSubtensor", "Images2Neibs", "SpatialTransformer"),
    ),
    (
        "it computes with sparse matrices, and NNEF has only dense ones",
        "Make the matrices dense.",
        *("DenseFromSparse", "SparseFromDense", "StructuredDot", "TrueDot", "CSM", "CSMProperties"),
    ),
    (
        "its code is in Python, and not in the file",
        "Write it with operations of Theano, or cut the graph before it: outputs=[...].",
        *("FromFunctionOp", "OpFromGraph"),
    ),
)
REFUSED = {name: (reason, hint) for reason, hint, *names in _GROUPS for name in names}
"""Class of an operation -> the reason why it is refused, and what to do."""
