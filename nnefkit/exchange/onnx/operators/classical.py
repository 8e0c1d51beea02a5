"""Preparation of features as in classical machine learning, the domain ``ai.onnx.ml``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.compositions.elementwise import is_nan
from nnefkit.exchange.compositions.indexing import counted_from_front
from nnefkit.exchange.onnx.call import INVALID, ML, Call, operator
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import EXACT, reshaped, sliced, to_dtype, to_scalar, truncated
from nnefkit.exchange.source_value import SCALAR, Value

_STRINGS = "Process strings outside of the network, and pass their indices."


@operator("Scaler", domain=ML)
def scaler(c: Call) -> Value:
    """Read ``(x - offset) scale``."""
    x = to_scalar(c, c[0])
    offset, scale = _by_feature(c, x, "offset"), _by_feature(c, x, "scale")
    if offset.data is None or np.asarray(offset.data).any():
        x = c.op("sub", x, offset)
    return c.op("mul", x, scale)


def _by_feature(c: Call, x: Value, name: str) -> Value:
    """Return an attribute with one number, or one for each feature along the last axis."""
    numbers = np.asarray(c.attribute(name) or [], c.scalar_dtype)
    if x.rank > 2:
        refuse(f"its input has rank {x.rank}", "Pass a matrix with one row for each example.")
    return _along_last(c, x, numbers, name)


def _along_last(c: Call, x: Value, numbers: Array, name: str) -> Value:
    if numbers.size == 1:
        return c.graph.constant(numbers.reshape(()))
    if not x.rank or numbers.size != x.shape[-1]:
        refuse(f"its attribute '{name}' has {numbers.size} numbers", INVALID)
    shape = (1,) * (x.rank - 1) + numbers.shape
    return c.graph.constant(numbers.reshape(shape), name=f"{c.output_names[0]}.{name}")


@operator("Normalizer", domain=ML)
def normalizer(c: Call) -> Value:
    """Read a division by a norm of each row; rows whose norm is 0 remain.

    The norm MAX is the largest element, not the largest absolute value.
    """
    x, norm = to_scalar(c, c[0]), str(c.attribute("norm", "MAX"))
    if not 0 < x.rank <= 2:
        refuse(f"its input has rank {x.rank}", "Pass a matrix with one row for each example.")
    axes = [x.rank - 1]
    with c.graph.scope("normalizer"):
        if norm == "MAX":
            size = c.op("max_reduce", x, axes=axes)
        elif norm == "L1":
            size = c.op("sum_reduce", c.op("abs", x), axes=axes)
        elif norm == "L2":
            size = c.op("sqrt", c.op("sum_reduce", c.op("sqr", x), axes=axes))
        else:
            refuse(f"its norm '{norm}' is unknown", INVALID)
        return c.op("div", x, c.op("select", c.op("eq", size, 0.0), 1.0, size))


@operator("Imputer", domain=ML)
def imputer(c: Call) -> Value:
    """Read a replacement of a value, often NaN, by a number for each feature."""
    x = to_scalar(c, c[0])
    kind = "int64" if c[0].dtype.kind in "iu" else "float"
    numbers = np.asarray(c.attribute(f"imputed_value_{kind}s") or [], np.float64)
    if numbers.size > 1 and x.rank and numbers.size != x.shape[-1]:
        # As runtimes do.
        numbers = numbers[:1]
    replaced = float(c.attribute(f"replaced_value_{kind}", 0))
    if max(abs(replaced), *np.abs(numbers), 0.0) > EXACT and kind == "int64":
        refuse("it replaces integers above 16,777,216", "Replace them outside of the network.")
    new = _along_last(c, x, numbers.astype(c.scalar_dtype), f"imputed_value_{kind}s")
    is_replaced = is_nan(c, x) if np.isnan(replaced) else c.op("eq", x, c.decimal(replaced))
    return to_dtype(c, c.op("select", is_replaced, new, x), c[0].dtype)


@operator("Binarizer", domain=ML)
def binarizer(c: Call) -> Value:
    """Read 1 where elements are above a threshold, else 0."""
    is_above = c.op("gt", to_scalar(c, c[0]), c.number("threshold", 0.0))
    return to_dtype(c, c.op("cast", is_above, data_type=SCALAR), c[0].dtype)


@operator("ArrayFeatureExtractor", domain=ML)
def array_feature_extractor(c: Call) -> Value:
    """Read a selection along the last axis."""
    x = c[0]
    if x.dtype.kind in "OSU":
        refuse("it selects strings, which other nodes compute with", _STRINGS)
    matrix = reshaped(c, x, (1, *x.shape)) if x.rank == 1 else x
    indices = reshaped(c, c[1], (int(np.prod(c[1].shape)),))
    if indices.data is not None and (indices.data < 0).any():
        refuse("its indices are negative", INVALID)
    indices = counted_from_front(c, indices, matrix.shape[-1])
    if x.rank == 1 and x.data is not None:
        # A lookup in a table.
        flat = c.op("gather", x, indices, axis=0)
        return reshaped(c, flat, (1, *indices.shape))
    return c.op("gather", matrix, indices, axis=matrix.rank - 1)


@operator("FeatureVectorizer", domain=ML)
def feature_vectorizer(c: Call) -> Value:
    """Read a concatenation of features; each input is cut or padded to its given size."""
    inputs = [to_scalar(c, value) for value in c.inputs if value is not None]
    sizes = c.ints("inputdimensions") or [value.shape[-1] for value in inputs]
    is_odd = len(sizes) != len(inputs) or min(sizes, default=0) < 1
    if is_odd or any(x.rank > 2 for x in inputs):
        c.refuse("its inputs are not one matrix for each of its input dimensions")
    parts = []
    for x, size in zip(inputs, sizes, strict=True):
        matrix = reshaped(c, x, (1, *x.shape)) if x.rank == 1 else x
        matrix = sliced(c, matrix, 1, 0, min(size, matrix.shape[1]))
        if size > matrix.shape[1]:
            matrix = c.op("pad", matrix, padding=[(0, 0), (0, size - matrix.shape[1])])
        parts.append(matrix)
    return parts[0] if len(parts) == 1 else c.op("concat", parts, axis=1)


# -- categories ------------------------------------------------------------------------------------


@operator("OneHotEncoder", domain=ML)
def one_hot_encoder(c: Call) -> Value:
    """Read 1 at the position of the category, and 0 elsewhere; all 0 for unknown categories.

    Runtimes fail for unknown categories if the attribute ``zeros`` is 0.
    """
    if c.attribute("cats_strings"):
        refuse("its categories are strings", _STRINGS)
    x = c[0]
    number = truncated(c, x) if x.data_type == SCALAR else to_scalar(c, x)
    categories = _exact(c.attribute("cats_int64s") or [])
    if np.unique(categories).size < categories.size:
        c.refuse("it lists a category twice", INVALID)
    number = reshaped(c, number, (*x.shape, 1))
    shape = (1,) * x.rank + categories.shape
    known = c.graph.constant(categories.reshape(shape), name=f"{c.output_names[0]}.categories")
    return c.op("cast", c.op("eq", number, known), data_type=SCALAR)


def _exact(numbers: Sequence[float] | Array) -> Array:
    """Return integers as scalars."""
    array = np.asarray(numbers)
    if array.dtype.kind in "iu" and array.size and np.abs(array).max() > EXACT:
        refuse(
            "it compares integers above 16,777,216",
            "NNEF compares scalars, and float32 represents every integer only up to that.",
        )
    return array.astype(np.float32)


_FIELDS = {"int64s": np.int64, "floats": np.float32}
_MAX_CLASSES = 4096


@operator("LabelEncoder", domain=ML)
def label_encoder(c: Call) -> Value:
    """Read a replacement of numbers by others, and of the rest by a default."""
    keys, values, default = _table(c)
    if keys.size != values.size:
        refuse(f"it has {keys.size} keys and {values.size} values", INVALID)
    if keys.size > _MAX_CLASSES:
        refuse(f"it has {keys.size:,} keys", f"At most {_MAX_CLASSES:,} are supported.")
    x = to_scalar(c, c[0])
    if not keys.size:
        return c.graph.constant(np.full(x.shape, default, values.dtype))
    _, first = np.unique(keys, return_index=True)
    keys, values = keys[first], values[first]
    is_missing = np.isnan(keys) if keys.dtype.kind == "f" else np.zeros(keys.shape, np.bool_)
    one_row = (1,) * x.rank + (-1,)
    with c.graph.scope("label_encoder"):
        flat = reshaped(c, x, (*x.shape, 1))
        known = c.graph.constant(_exact(keys[~is_missing]).reshape(one_row))
        parts = [c.op("eq", flat, known)] if known.shape[-1] else []
        parts += [is_nan(c, flat)] if is_missing.any() else []
        hits = parts[0] if len(parts) == 1 else c.op("concat", parts, axis=x.rank)
        numbers = c.op("cast", hits, data_type=SCALAR)
        table = np.r_[_exact(values[~is_missing]), _exact(values[is_missing])]
        weights = c.graph.constant(table.reshape(one_row))
        chosen = c.op("sum_reduce", c.op("mul", numbers, weights), axes=[x.rank])
        is_known = c.op("any_reduce", hits, axes=[x.rank])
        result = c.op("select", is_known, chosen, float(_exact([default])[0]))
    return to_dtype(c, reshaped(c, result, x.shape), values.dtype)


def _table(c: Call) -> tuple[Array, Array, float]:
    """Return the keys, the values and the default of a `LabelEncoder`."""
    keys, values = _column(c, "keys"), _column(c, "values")
    if keys.dtype.kind == "f" and c.version < 4 and keys.size == values.size:
        # NaN equals nothing, itself included.
        values, keys = values[~np.isnan(keys)], keys[~np.isnan(keys)]
    default = c.attribute("default_tensor")
    if default is not None:
        return keys, values, np.asarray(default).reshape(-1)[0]
    is_integer = values.dtype.kind in "iu"
    name = "default_int64" if is_integer else "default_float"
    return keys, values, c.attribute(name, -1 if is_integer else -0.0)


def _column(c: Call, side: str) -> Array:
    """Return the keys or the values, which are one of several attributes."""
    tensor = c.attribute(f"{side}_tensor")
    for field, dtype in _FIELDS.items():
        if tensor is None and f"{side}_{field}" in c.attributes:
            tensor = np.asarray(c.attribute(f"{side}_{field}"), dtype)
    if tensor is None or np.asarray(tensor).dtype.kind in "OSU":
        refuse(f"its {side} are strings", _STRINGS)
    return np.asarray(tensor).reshape(-1)


@operator("CategoryMapper", domain=ML)
def category_mapper(c: Call) -> Value:
    """Refuse a conversion between strings and integers."""
    c.refuse("it converts between strings and integers", _STRINGS)


@operator("CastMap", "DictVectorizer", domain=ML)
def maps(c: Call) -> Value:
    """Refuse operators on dictionaries."""
    c.refuse("it takes a dictionary", "NNEF has only tensors: pass the values as a tensor.")


@operator("ZipMap", domain=ML)
def zip_map(c: Call) -> Value:
    """Read the tensor of scores; the classes of its columns are in the provenance."""
    return to_scalar(c, c[0])
