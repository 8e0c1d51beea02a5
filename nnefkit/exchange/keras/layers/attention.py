"""Attention layers, as scaled dot products (4.7, 4.9.1)."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import attention
from nnefkit.exchange.compositions.linear_algebra import product as matrix_product
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.layers.core import product
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import aligned, reshaped, to_logical, to_rank, to_scalar, transposed
from nnefkit.exchange.source_value import Value

_PENALTY = 1e9
"""By which the scores of masked keys are lowered."""


# -- several heads ---------------------------------------------------------------------------------


def _projected(c: Call, x: Value, name: str) -> Value:
    """Return the projection of a sequence for each head: (batch, heads, steps, features)."""
    kernel = c.weight("kernel", f"{name}_dense")
    if kernel.rank != 3 or kernel.shape[0] != x.shape[-1]:
        refuse(f"the kernel of '{name}' is {[*kernel.shape]} for {x.shape[-1]} features", INVALID)
    inputs, heads, features = kernel.shape
    flat = transposed(c, reshaped(c, kernel, (inputs, heads * features)), [1, 0])
    bias = _bias(c, f"{name}_dense")
    whole = product(c, x, flat, bias)
    split = reshaped(c, whole, (*x.shape[:2], heads, features), None, [0, 1])
    return transposed(c, split, [0, 2, 1, 3])


def _bias(c: Call, attribute: str) -> Value | None:
    return c.weight("bias", attribute) if c.options.flag("use_bias", True) else None


def _output(c: Call, heads: Value) -> Value:
    """Return the projection of the results of all heads."""
    batch, count, steps, features = heads.shape
    kernel = c.weight("kernel", "output_dense")
    if kernel.rank < 3 or kernel.shape[:2] != (count, features):
        refuse(f"the kernel of the output is {[*kernel.shape]}", INVALID)
    joined = reshaped(c, transposed(c, heads, [0, 2, 1, 3]), (batch, steps, count * features), 2)
    outputs = kernel.shape[2:]
    flat = transposed(c, reshaped(c, kernel, (count * features, prod(outputs))), [1, 0])
    result = product(c, joined, flat, _bias(c, "output_dense"))
    return reshaped(c, result, (batch, steps, *outputs))


@layer("MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention")
def multi_head_attention(c: Call) -> Any:
    """Read projections, and ``scaled_dot_product_attention`` for all heads."""
    query, value = to_scalar(c, c.tensor(0, "query")), to_scalar(c, c.tensor(1, "value"))
    given = c.argument(2, "key")
    key = value if given is None else to_scalar(c, c.as_tensor(given))
    if {query.rank, value.rank, key.rank} != {3}:
        refuse("its inputs are not sequences of vectors", "Attend along one axis only.")
    for option in ("num_heads", "num_query_heads", "num_key_value_heads", "key_dim", "value_dim"):
        c.options.get(option)
    for option in ("head_dim", "output_shape"):
        c.options.get(option)
    axes = c.options.get("attention_axes")
    if axes not in (None, [1], 1, [-2]):
        refuse(f"it attends along the axes {axes!r:.40}", "Attend along the second axis.")
    heads = [
        _projected(c, x, name) for x, name in ((query, "query"), (key, "key"), (value, "value"))
    ]
    scale = 1 / sqrt(heads[0].shape[-1])
    mask = _mask(c, query, value, key)
    if c.argument(7, "return_attention_scores"):
        result, scores = _with_scores(c, heads, scale, mask)
    else:
        count = heads[0].shape[1]
        keys, values = (attention.with_heads_repeated(c, x, count) for x in heads[1:])
        # With a dropout, Keras computes masked queries otherwise.
        zeros = bool(c.options.get("dropout"))
        result = attention.attention(
            c, heads[0], keys, values, mask, scale=c.decimal(scale), zeros=zeros
        )
        scores = None
    if c.options.flag("use_gate"):
        gate = c.op("sigmoid", _projected(c, query, "gate"))
        result = c.op("mul", result, gate)
    output = _output(c, result)
    return output if scores is None else [output, scores]


def _mask(c: Call, query: Value, value: Value, key: Value) -> Value | None:
    """Return all masks as one that broadcasts to (batch, heads, queries, keys)."""
    steps, others = query.shape[1], value.shape[1]
    masks = []
    stated = c.argument(6, "attention_mask")
    if stated is not None:
        mask = to_logical(c, c.as_tensor(stated))
        if mask.rank < 4:
            mask = reshaped(c, mask, (*mask.shape[:-2], *(1,) * (4 - mask.rank), *mask.shape[-2:]))
        masks.append(mask)
    for x, index, name, shape in (
        (query, 3, "query_mask", (-1, 1, steps, 1)),
        (value, 4, "value_mask", (-1, 1, 1, others)),
        (key, 5, "key_mask", (-1, 1, 1, others)),
    ):
        given = c.mask_of(x if name != "key_mask" or key is not value else None, index, name)
        if given is not None:
            masks.append(reshaped(c, to_logical(c, given), (given.shape[0], *shape[1:])))
    if c.argument(9, "use_causal_mask"):
        masks.append(_band(c, steps, others, np.inf))
    window = c.options.get("sliding_window")
    if window is not None:
        masks.append(_band(c, steps, others, float(c.options.integer("sliding_window")), both=True))
    if not masks:
        return None
    whole = masks[0]
    for mask in masks[1:]:
        whole = c.op("and", *aligned(c, whole, mask))
    return whole


def _band(c: Call, queries: int, keys: int, width: float, *, both: bool = False) -> Value:
    """Return which keys are less than a number of steps before a query, or on both sides."""
    c.allowance.take((queries, keys), 8)
    distance = np.arange(queries)[:, None] - np.arange(keys)[None]
    admits = np.abs(distance) < width if both else distance >= 0
    return c.graph.constant(admits[None, None], np.bool_, f"{c.path}/mask")


def _with_scores(
    c: Call, heads: list[Value], scale: float, mask: Value | None
) -> tuple[Value, Value]:
    """Return the results of all heads, and the attention scores."""
    query, key, value = heads
    key, value = (attention.with_heads_repeated(c, x, query.shape[1]) for x in (key, value))
    scaled = c.op("mul", query, c.decimal(scale))
    scores = c.op("matmul", scaled, key, transposeB=True)
    if mask is not None:
        lowest = float(np.finfo(np.float32).min / 2)
        scores = c.op("select", mask, scores, lowest, data_type="scalar")
    weights = c.op("softmax", scores, axes=[3])
    if mask is not None:
        weights = c.op("select", mask, weights, 0.0, data_type="scalar")
    return c.op("matmul", weights, value), weights


# -- a single head ---------------------------------------------------------------------------------


@layer("Attention", "AdditiveAttention")
def single_attention(c: Call) -> Any:
    """Read scores by products or by sums, their softmax, and the weighted values."""
    values = [to_scalar(c, value) for value in c.tensors()]
    if len(values) not in (2, 3) or {value.rank for value in values} != {3}:
        refuse("its inputs are not two or three sequences of vectors", INVALID)
    query, value = values[:2]
    key = values[-1]
    with c.graph.scope("attention"):
        scores = _scores(c, query, key)
        query_mask, value_mask = _masks(c)
        scores = _lowered(c, scores, value_mask)
        weights = c.op("softmax", scores, axes=[2])
        result = matrix_product(c, weights, value)
        if query_mask is not None:
            admits = reshaped(c, query_mask, (*query_mask.shape, 1))
            result = c.op("select", admits, result, 0.0, data_type="scalar")
    return [result, weights] if c.argument(3, "return_attention_scores") else result


def _scores(c: Call, query: Value, key: Value) -> Value:
    is_additive = c.operator == "AdditiveAttention"
    mode = "additive" if is_additive else c.options.text("score_mode", "dot", "dot", "concat")
    has_scale = c.options.flag("use_scale", is_additive)
    scale = c.weight("scale") if has_scale else None
    if mode == "dot":
        scores = c.op("matmul", query, key, transposeB=True)
        return scores if scale is None else c.op("mul", scores, _number(c, scale))
    batch, queries, features = query.shape
    wide = reshaped(c, query, (batch, queries, 1, features))
    total = c.op("add", wide, reshaped(c, key, (batch, 1, key.shape[1], features)))
    if mode == "concat" and scale is not None:
        total = c.op("mul", total, _number(c, scale))
    bent = c.op("tanh", total)
    if mode == "additive" and scale is not None:
        bent = c.op("mul", bent, to_rank(c, scale, 4))
    scores = reshaped(c, c.op("sum_reduce", bent, axes=[3]), (batch, queries, key.shape[1]))
    if mode == "concat":
        scores = c.op("mul", scores, _number(c, c.weight("concat_score_weight")))
    return scores


def _number(c: Call, value: Value) -> Value:
    """Return a weight of one number."""
    if prod(value.shape) != 1:
        refuse(f"its scale is {[*value.shape]}", INVALID)
    return reshaped(c, value, (1, 1, 1))


def _masks(c: Call) -> tuple[Value | None, Value | None]:
    """Return the masks of queries and of values."""
    given = c.argument(1, "mask")
    tensors = c.argument(0, "inputs")
    if given is None:
        return tuple(c.mask_of(x, name=f"mask {i}") for i, x in enumerate(tensors[:2]))  # type: ignore[return-value]
    if not isinstance(given, (list, tuple)) or len(given) < 2:
        refuse("its masks are not a list of two", INVALID)
    masks = [None if each is None else to_logical(c, c.as_tensor(each)) for each in given[:2]]
    return masks[0], masks[1]


def _lowered(c: Call, scores: Value, value_mask: Value | None) -> Value:
    """Return scores with a large number subtracted where masks leave keys out."""
    masks = []
    if value_mask is not None:
        masks.append(reshaped(c, value_mask, (value_mask.shape[0], 1, value_mask.shape[1])))
    is_causal = c.argument(4, "use_causal_mask") or c.options.flag("causal")
    if is_causal:
        queries, keys = scores.shape[1:]
        c.allowance.take((queries, keys), 1)
        admits = np.tril(np.ones((1, queries, keys), np.bool_))
        masks.append(c.graph.constant(admits, np.bool_, f"{c.path}/mask"))
    for mask in masks[1:]:
        masks[0] = c.op("and", *aligned(c, masks[0], mask))
    if not masks:
        return scores
    lower = c.op("sub", scores, _PENALTY)
    return c.op("select", masks[0], scores, lower, data_type="scalar")
