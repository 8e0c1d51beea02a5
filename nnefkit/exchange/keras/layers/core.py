"""Products with weights, embeddings, and layers that do nothing at inference."""

from __future__ import annotations

from math import prod

import numpy as np

from nnefkit.exchange.channels_last import bias_row, channels_last
from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.keras.architecture import layer_info
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.activation import activated
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_dtype_truncated, to_rank, to_scalar, transposed
from nnefkit.exchange.source_value import INTEGER, Value


@layer("Dense")
def dense(c: Call) -> Value:
    """Read `linear`, or `matmul` without a bias."""
    x, kernel = c.x, c.weight("kernel")
    c.options.get("units")
    bias = c.optional("bias", "use_bias")
    if kernel.rank != 2 or x.rank < 2 or x.shape[-1] != kernel.shape[0]:
        refuse(f"its kernel is {[*kernel.shape]} for an input of {[*x.shape]}", INVALID)
    result = product(c, x, transposed(c, kernel, [1, 0]), bias)
    return activated(c, result, c.options.get("activation"), c.name)


def product(c: Call, x: Value, matrix: Value, bias: Value | None) -> Value:
    """Return `linear`, or `matmul` if there is no bias, with a matrix of (outputs, inputs)."""
    row = [to_rank(c, each, x.rank) for each in bias_row(c, bias, matrix.shape[0])]
    wide = to_rank(c, matrix, x.rank)
    if row:
        return c.op("linear", x, wide, *row)
    return c.op("matmul", x, wide, transposeB=True)


@layer("EinsumDense")
def einsum_dense(c: Call) -> Value:
    """Read a product by an equation, as `matmul`."""
    x, kernel = c.x, c.weight("kernel")
    c.options.get("output_shape")
    equation, axes = c.options.get("equation"), c.options.get("bias_axes")
    if not isinstance(equation, str):
        refuse("it has no equation", INVALID)
    result = einstein_sum(c, equation, [x, kernel])
    if axes:
        bias = c.weight("bias")
        if bias.rank > result.rank:
            refuse(f"its bias is {[*bias.shape]} for a result of {[*result.shape]}", INVALID)
        result = c.op("add", result, to_rank(c, bias, result.rank))
    return activated(c, result, c.options.get("activation"), c.name)


@layer("Embedding")
def embedding(c: Call) -> Value:
    """Read `gather` from a table."""
    table, indices = c.weight("embeddings"), c.tensor(0)
    for option in ("input_dim", "output_dim"):
        c.options.get(option)
    if table.rank != 2:
        refuse(f"its table is {[*table.shape]}", INVALID)
    if indices.data_type != INTEGER:
        indices = to_dtype_truncated(c, to_scalar(c, indices), np.dtype(np.int64))
    result = c.op("gather", table, indices, axis=0)
    if c.options.flag("mask_zero"):
        c.set_mask(result, c.op("ne", to_scalar(c, indices), 0.0))
    return result


@layer(
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout"),
    *("GaussianDropout", "GaussianNoise", "ActivityRegularization", "Identity"),
    *("RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation"),
    *("RandomZoom", "RandomCrop"),
)
def identity(c: Call) -> Value:
    """Read the input itself: the layer has an effect in training only."""
    if c.operator.startswith("Random"):
        refuse(
            "it changes images at random in training, and may crop or scale them at inference",
            "Leave it out of the model that is exported.",
        )
    c.options.get("data_format")
    return c.tensor(0)


@layer("SpectralNormalization")
def spectral_normalization(c: Call) -> object:
    """Read the layer inside, whose weights are normalized already."""
    c.options.get("power_iterations")
    inner = layer_info(c.options.get("layer"), 1)
    return c.read(inner, f"{c.path}/layer", [c.argument(0, "inputs")], {})


@layer("Flatten")
def flatten(c: Call) -> Value:
    """Read a row for each element of the batch, of channels-last tensors."""
    x = c.tensor(0)
    if c.is_channels_first() and x.rank > 2:
        x = channels_last(c, x)
    return reshaped(c, x, (x.shape[0], prod(x.shape[1:])), 1, [0])
