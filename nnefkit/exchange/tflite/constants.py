"""Elements of constants: typed, one for each byte of several, and dense."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import DType
from nnefkit.exchange.tflite.model import DimensionFormat, Quantization, Sparsity, TensorInfo

_BROKEN = "Convert the model again; the data of this tensor are broken."


def elements(tensor: TensorInfo, allowance: Allowance) -> Array:
    """Return the elements of a constant, as the file has them: codes of quantized ones.

    Raises:
        Refusal: They are not numbers, or there are more or fewer bytes than the shape implies.
    """
    dtype, data = tensor.dtype, tensor.data
    if dtype is None or data is None:
        refuse(
            f"a constant has elements of type {tensor.type}",
            "NNEF has tensors of scalars, integers and logicals (3.3.1).",
        )
    if min(tensor.shape, default=0) < 0:
        refuse(f"a constant has the shape {[*tensor.shape]}", _BROKEN)
    if tensor.sparsity is not None:
        values = _flat(tensor, data, len(data) // dtype.itemsize)
        allowance.take(tensor.shape, dtype.itemsize)
        return _dense(values, tensor.shape, tensor.sparsity)
    return _flat(tensor, data, prod(tensor.shape)).reshape(tensor.shape)


def _flat(tensor: TensorInfo, data: memoryview, count: int) -> Array:
    dtype = tensor.dtype or np.dtype(np.uint8)
    if tensor.type == "INT4":
        if len(data) != (count + 1) // 2:
            _refuse_size(tensor, data)
        pairs = np.frombuffer(data, np.uint8)
        nibbles = np.stack([pairs & 15, pairs >> 4], -1).reshape(-1)[:count]
        return np.where(nibbles > 7, nibbles.astype(np.int8) - 16, nibbles).astype(np.int8)
    if len(data) != count * dtype.itemsize:
        _refuse_size(tensor, data)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False)


def _refuse_size(tensor: TensorInfo, data: memoryview) -> None:
    refuse(
        f"a constant of shape {[*tensor.shape]} and type {tensor.type} has {len(data):,} bytes",
        _BROKEN,
    )


def real(codes: Array, quantization: Quantization) -> Array:
    """Return the real numbers that codes stand for, in float32.

    Raises:
        Refusal: There is not one scale for each position along the axis.
    """
    scale, point = quantization.scale, quantization.zero_point
    if scale.size > 1:
        axis = quantization.axis
        if not 0 <= axis < codes.ndim or codes.shape[axis] != scale.size:
            refuse(
                f"a constant of shape {[*codes.shape]} has {scale.size} scales along axis {axis}",
                _BROKEN,
            )
        shape = [1] * codes.ndim
        shape[axis] = -1
        scale = scale.reshape(shape)
        point = point.reshape(shape) if point.size > 1 else point.reshape(())
    else:
        scale, point = scale.reshape(()), point.reshape(-1)[0]
    centered = codes.astype(np.int64) - point
    return np.asarray(centered.astype(np.float64) * scale.astype(np.float64), np.float32)


def codes(numbers: Array, quantization: Quantization, dtype: DType) -> Array:
    """Return the codes of numbers, rounded as NNEF rounds (4.9.5)."""
    scale, point = float(quantization.scale.reshape(-1)[0]), int(quantization.zero_point[0])
    limits = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):
        steps = np.floor(np.asarray(numbers, np.float32) / np.float32(scale) + np.float32(0.5))
    limited = np.clip(np.nan_to_num(steps) + point, limits.min, limits.max)
    return np.asarray(limited, dtype)


# -- sparse weights --------------------------------------------------------------------------------


def _dense(values: Array, shape: Sequence[int], sparsity: Sparsity) -> Array:
    """Return sparse weights with their zeros."""
    rank, levels = len(shape), len(sparsity.order)
    blocks = sparsity.block_map
    if (
        sorted(sparsity.order) != [*range(levels)]
        or levels != rank + len(blocks)
        or len(sparsity.dimensions) != levels
        or any(not 0 <= axis < rank for axis in blocks)
    ):
        refuse("the format of its sparse weights does not fit their shape", _BROKEN)
    sizes = {
        blocks[level - rank]: dimension.size
        for level, dimension in zip(sparsity.order, sparsity.dimensions, strict=True)
        if level >= rank
    }
    places = np.zeros((1, rank), np.int64)
    positions = np.zeros(1, np.int64)
    for level, dimension in zip(sparsity.order, sparsity.dimensions, strict=True):
        rows, steps, positions = _next_level(positions, dimension, values.size)
        places = places[rows]
        axis = level if level < rank else blocks[level - rank]
        places[:, axis] += steps * (sizes.get(axis, 1) if level < rank else 1)
    if positions.size != values.size or not _inside(places, shape):
        refuse("its sparse weights are not as many as their positions, or outside", _BROKEN)
    dense = np.zeros(tuple(shape), values.dtype)
    dense[tuple(places.T)] = values[positions]
    return dense


def _next_level(
    positions: Array, dimension: DimensionFormat, limit: int
) -> tuple[Array, Array, Array]:
    """Return the row of each element at the next level, its index there, and its position."""
    if dimension.segments is None or dimension.indices is None:
        size = dimension.size
        if size < 1 or positions.size * size > max(limit, 1) * 4 + 2**16:
            refuse("its sparse weights have more positions than elements", _BROKEN)
        rows = np.repeat(np.arange(positions.size), size)
        steps = np.tile(np.arange(size), positions.size)
        return rows, steps, positions[rows] * size + steps
    segments, indices = dimension.segments.astype(np.int64), dimension.indices.astype(np.int64)
    if (
        segments.size < 1
        or segments[0] != 0
        or (np.diff(segments) < 0).any()
        or segments[-1] != indices.size
        or segments.size - 1 != positions.size
        or (np.sort(positions) != np.arange(positions.size)).any()
    ):
        refuse("the rows of its sparse weights do not fit their positions", _BROKEN)
    counts = np.diff(segments)[positions]
    rows = np.repeat(np.arange(positions.size), counts)
    starts = np.repeat(segments[positions], counts)
    offsets = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    places = starts + offsets
    return rows, indices[places], places


def _inside(places: Array, shape: Sequence[int]) -> bool:
    return bool((places >= 0).all() and (places < np.asarray(shape)).all())
