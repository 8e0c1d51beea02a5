"""Drawn operators of the domain ``com.microsoft``: fused layers, and layers on codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_drawing import Draw, Drawn, codes, draws, window

Array = np.ndarray[Any, Any]
MS = "com.microsoft"


def _opset(d: Draw) -> None:
    d.opset = max(min(d.opset, 21), 13)


# -- activations and products ----------------------------------------------------------------------


@draws(f"{MS}.Gelu", f"{MS}.QuickGelu")
def gelu(d: Draw, name: str) -> Drawn:
    _opset(d)
    attributes = d.some(alpha=d.one(1.702, 1.0, 0.5)) if name.endswith("QuickGelu") else {}
    return Drawn([d.array(d.shape(1))], attributes)


@draws(f"{MS}.BiasGelu", f"{MS}.FastGelu")
def gelu_of_sum(d: Draw, name: str) -> Drawn:
    _opset(d)
    x = d.array(d.shape(1, 3))
    bias = d.array(x.shape[-1:])
    return Drawn([x, bias if name.endswith("BiasGelu") or d.flag(0.6) else None])


_ACTIVATIONS = {
    "Relu": [], "Sigmoid": [], "Tanh": [], "LeakyRelu": [0.2], "Clip": [-0.5, 0.75],
    "HardSigmoid": [0.3, 0.4],
}  # fmt: skip


@draws(f"{MS}.FusedConv")
def fused_conv(d: Draw) -> Drawn:
    _opset(d)
    groups = d.one(1, 1, 2)
    cin, cout = groups * d.int(1, 2), groups * d.int(1, 2)
    kernel, extents = [d.int(1, 3), d.int(1, 3)], [d.int(3, 6), d.int(3, 6)]
    attributes = window(d, extents, kernel, same=False)
    name = d.one(*_ACTIVATIONS)
    attributes |= {"activation": name, "group": groups}
    if _ACTIVATIONS[name]:
        attributes["activation_params"] = _ACTIVATIONS[name]
    pads = attributes.get("pads", [0] * 4)
    spread, step = attributes.get("dilations", [1, 1]), attributes.get("strides", [1, 1])
    outputs = [
        (extents[a] + pads[a] + pads[a + 2] - (kernel[a] - 1) * spread[a] - 1) // step[a] + 1
        for a in (0, 1)
    ]
    x, bias = d.array((2, cin, *extents)), d.array((cout,)) if d.flag() else None
    added = d.array((2, cout, *outputs)) if d.flag() else None
    weight = d.array((cout, cin // groups, *kernel))
    return Drawn([x, weight, bias, added], attributes, known=(1, 2))


@draws(f"{MS}.FusedGemm")
def fused_gemm(d: Draw) -> Drawn:
    _opset(d)
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    turns = {"transA": d.int(0, 1), "transB": d.int(0, 1)}
    a = d.array((k, m) if turns["transA"] else (m, k))
    b = d.array((n, k) if turns["transB"] else (k, n))
    name = d.one("Relu", "Sigmoid", "Tanh", "LeakyRelu")
    attributes: dict[str, Any] = {"activation": name, **turns} | d.some(alpha=0.5, beta=2.0)
    if name == "LeakyRelu":
        attributes["activation_alpha"] = 0.2
    return Drawn([a, b, d.array((n,)) if d.flag(0.7) else None], attributes)


@draws(f"{MS}.FusedMatMul")
def fused_matmul(d: Draw) -> Drawn:
    _opset(d)
    batch = d.shape(0, 2, 3)
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    turns = {name: d.int(0, 1) for name in ("transA", "transB")}
    for side in "AB":
        if len(batch) and d.flag(0.3):
            turns[f"transBatch{side}"] = 1
    shapes = []
    for side, rows, columns in (("A", m, k), ("B", k, n)):
        pair = (columns, rows) if turns[f"trans{side}"] else (rows, columns)
        is_inside = turns.get(f"transBatch{side}")
        shapes.append((pair[0], *batch, pair[1]) if is_inside else (*batch, *pair))
    return Drawn([d.array(shape) for shape in shapes], turns | d.some(alpha=d.one(0.5, 2.0)))


@draws(f"{MS}.CDist")
def cdist(d: Draw) -> Drawn:
    _opset(d)
    n, m, k = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    return Drawn(
        [d.array((n, k)), d.array((m, k))], d.some(metric=d.one("euclidean", "sqeuclidean"))
    )


# -- normalization and attention -------------------------------------------------------------------


@draws(f"{MS}.SkipLayerNormalization", f"{MS}.SkipSimplifiedLayerNormalization")
def skip_layer_normalization(d: Draw, name: str) -> Drawn:
    _opset(d)
    batch, count, size = d.int(1, 2), d.int(1, 3), d.int(2, 4)
    x, skip = (d.array((batch, count, size)) for _ in range(2))
    scale, offset = (d.array((size,), 0.5, 1.5) for _ in range(2))
    inputs = [x, skip, scale]
    if "Simplified" not in name:
        inputs.append(offset if d.flag(0.7) else None)
    inputs.append(d.array((size,)) if d.flag() else None)
    return Drawn(inputs, d.some(epsilon=d.one(1e-5, 0.1)))


@draws("SimplifiedLayerNormalization")
def simplified_layer_normalization(d: Draw) -> Drawn:
    _opset(d)
    x = d.array(d.shape(2, 3))
    axis = d.one(-1, x.ndim - 1)
    attributes = {"axis": axis} | d.some(epsilon=d.one(1e-5, 0.1))
    return Drawn([x, d.array(x.shape[-1:], 0.5, 1.5)], attributes)


@draws(f"{MS}.EmbedLayerNormalization")
def embed_layer_normalization(d: Draw) -> Drawn:
    _opset(d)
    batch, count, size, words = d.int(1, 2), d.int(1, 4), d.int(2, 4), 5
    i = np.int32
    ids = d.array((batch, count), 0, words - 1, i)
    has_segments, has_mask = d.flag(0.6), d.flag()
    places = d.array((batch, count), 0, 5, i) if d.flag(0.3) else None
    return Drawn([
        ids, d.array((batch, count), 0, 1, i) if has_segments else None, d.array((words, size)),
        d.array((6, size)), d.array((2, size)) if has_segments else None,
        d.array((size,), 0.5, 1.5), d.array((size,)),
        d.array((batch, count), 0, 1, i) if has_mask else None, places,
    ], d.some(epsilon=d.one(1e-5, 0.1)), 2)  # fmt: skip


@draws(f"{MS}.Attention")
def attention(d: Draw) -> Drawn:
    _opset(d)
    batch, count, heads, size = d.int(1, 2), d.int(1, 4), d.int(1, 3), d.int(1, 3)
    hidden, inner = heads * size, d.int(2, 5)
    mask = None
    if d.flag():
        mask = d.array((batch, count) if d.flag(0.6) else (batch, count, count), 0, 1, np.int32)
        mask[..., 0] = 1
    added = d.array((batch, heads, count, count)) if d.flag(0.3) else None
    attributes = {"num_heads": heads} | d.some(unidirectional=d.int(0, 1), scale=0.7)
    return Drawn([
        d.array((batch, count, inner)), d.array((inner, 3 * hidden), -1, 1),
        d.array((3 * hidden,)), mask, None, added,
    ], attributes)  # fmt: skip


@draws(f"{MS}.MultiHeadAttention")
def multi_head_attention(d: Draw) -> Drawn:
    _opset(d)
    batch, count, keys, heads, size = (
        d.int(1, 2),
        d.int(1, 4),
        d.int(1, 4),
        d.int(1, 3),
        d.int(1, 3),
    )
    hidden = heads * size
    bias = d.array((3 * hidden,)) if d.flag() else None
    mask = None
    if d.flag(0.4):
        mask = d.array((batch, keys), 0, 1, np.int32)
        mask[:, 0] = 1
    added = d.array((batch, heads, count, keys)) if d.flag(0.3) else None
    return Drawn([
        d.array((batch, count, hidden)), d.array((batch, keys, hidden)),
        d.array((batch, keys, hidden)), bias, mask, added,
    ], {"num_heads": heads} | d.some(scale=0.7))  # fmt: skip


# -- on codes --------------------------------------------------------------------------------------


def scale(d: Draw, low: float = 0.01, high: float = 0.1) -> Array:
    return d.array((), low, high)


def coded(d: Draw, shape: Any, kind: Any) -> list[Array]:
    """Codes, their scale and their zero point."""
    return [codes(d, shape, kind), scale(d), codes(d, (), kind)]


@draws(f"{MS}.QLinearAdd", f"{MS}.QLinearMul")
def quantized_arithmetic(d: Draw) -> Drawn:
    _opset(d)
    kind, shape = d.one(np.uint8, np.int8), d.shape()
    a, b = coded(d, shape, kind), coded(d, d.near(shape), kind)
    return Drawn([*a, *b, scale(d, 0.05, 0.2), codes(d, (), kind)], known=(1, 2, 4, 5, 6, 7))


@draws(f"{MS}.QLinearSigmoid", f"{MS}.QLinearLeakyRelu")
def quantized_activation(d: Draw, name: str) -> Drawn:
    _opset(d)
    kind = d.one(np.uint8, np.int8)
    attributes = d.some(alpha=0.2) if name.endswith("LeakyRelu") else {}
    x = coded(d, d.shape(1), kind)
    return Drawn([*x, scale(d, 0.004, 0.01), codes(d, (), kind)], attributes, known=(1, 2, 3, 4))


@draws(f"{MS}.QLinearConcat")
def quantized_concat(d: Draw) -> Drawn:
    _opset(d)
    kind, shape = d.one(np.uint8, np.int8), list(d.shape(1, 3))
    axis = d.int(0, len(shape) - 1)
    inputs = [scale(d), codes(d, (), kind)]
    for _ in range(d.int(1, 3)):
        shape[axis] = d.int(1, 3)
        inputs += coded(d, shape, kind)
    known = tuple(i for i in range(len(inputs)) if i < 2 or i % 3 != 2)
    return Drawn(inputs, {"axis": axis}, known=known)


@draws(f"{MS}.QLinearWhere")
def quantized_choice(d: Draw) -> Drawn:
    _opset(d)
    kind, shape = d.one(np.uint8, np.int8), d.shape(1, 3)
    a, b = coded(d, shape, kind), coded(d, d.near(shape), kind)
    condition = d.array(d.near(shape), kind=bool)
    inputs = [condition, *a, *b, scale(d, 0.05, 0.2), codes(d, (), kind)]
    return Drawn(inputs, known=(2, 3, 5, 6, 7, 8))


@draws(f"{MS}.QLinearGlobalAveragePool", f"{MS}.QLinearAveragePool")
def quantized_pool(d: Draw, name: str) -> Drawn:
    _opset(d)
    kind = np.uint8
    extents = [d.int(3, 6), d.int(3, 6)]
    attributes: dict[str, Any] = {}
    if name.endswith("QLinearAveragePool"):
        kernel = [d.int(1, 3), d.int(1, 3)]
        attributes = window(d, extents, kernel, dilated=False, same=False)
        attributes |= {"kernel_shape": kernel} | d.some(count_include_pad=d.int(0, 1))
        attributes.pop("auto_pad", None)
    else:
        attributes = d.some(channels_last=d.int(0, 1))
    x = coded(d, (d.int(1, 2), d.int(1, 3), *extents), kind)
    return Drawn([*x, scale(d), codes(d, (), kind)], attributes, known=(1, 2, 3, 4))


@draws(f"{MS}.QGemm")
def quantized_gemm(d: Draw) -> Drawn:
    _opset(d)
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    turns = {"transA": d.int(0, 1), "transB": d.int(0, 1)}
    kind = d.one(np.uint8, np.int8)
    a = coded(d, (k, m) if turns["transA"] else (m, k), np.uint8)
    b = coded(d, (n, k) if turns["transB"] else (k, n), kind)
    if d.flag(0.3):
        b[1], b[2] = d.array((n,), 0.01, 0.1), codes(d, (n,), kind)
    bias = d.array((n,), -500, 500, np.int32) if d.flag() else None
    result = [scale(d, 0.1, 0.5), codes(d, (), np.uint8)] if d.flag(0.7) else [None, None]
    return Drawn([*a, *b, bias, *result], turns | d.some(alpha=0.5), known=(1, 2, 4, 5, 6, 7, 8))


@draws(f"{MS}.MatMulIntegerToFloat")
def integer_product(d: Draw) -> Drawn:
    _opset(d)
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    kind, each = d.one(np.uint8, np.int8), d.flag(0.4)
    size = (n,) if each else ()
    return Drawn([
        codes(d, (m, k), np.uint8), codes(d, (k, n), kind), scale(d), d.array(size, 0.01, 0.1),
        codes(d, (), np.uint8) if d.flag() else None, codes(d, size, kind) if d.flag() else None,
        d.array((n,)) if d.flag() else None,
    ], known=(2, 3, 4, 5, 6))  # fmt: skip


@draws(f"{MS}.DynamicQuantizeMatMul")
def dynamic_product(d: Draw) -> Drawn:
    _opset(d)
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    kind, each = d.one(np.uint8, np.int8), d.flag(0.4)
    size = (n,) if each else ()
    return Drawn([
        d.array((m, k)), codes(d, (k, n), kind), d.array(size, 0.01, 0.1),
        codes(d, size, kind) if d.flag() else None, d.array((n,)) if d.flag() else None,
    ], known=(1, 2, 3, 4))  # fmt: skip


@draws(f"{MS}.DynamicQuantizeLSTM")
def quantized_lstm(d: Draw) -> Drawn:
    _opset(d)
    steps, batch, size, hidden = d.int(1, 3), 1, d.int(1, 3), d.int(1, 3)
    direction = d.one("forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    kind, each = d.one(np.uint8, np.int8), d.flag(0.4)
    shape = (count, 4 * hidden) if each else (count,)
    zero = np.zeros(shape, kind) if each or kind == np.int8 else codes(d, shape, kind)
    return Drawn([
        d.array((steps, batch, size)), codes(d, (count, size, 4 * hidden), kind),
        codes(d, (count, hidden, 4 * hidden), kind),
        d.array((count, 8 * hidden), -1, 1) if d.flag() else None, None,
        d.array((count, batch, hidden)) if d.flag() else None,
        d.array((count, batch, hidden)) if d.flag() else None,
        d.array((count, 3 * hidden), -1, 1) if d.flag(0.3) else None,
        d.array(shape, 0.001, 0.01), zero, d.array(shape, 0.001, 0.01), zero,
    ], {"hidden_size": hidden, "direction": direction}, 3, known=tuple(range(1, 12)))  # fmt: skip


@draws(f"{MS}.QuantizeLinear", f"{MS}.DequantizeLinear")
def older_forms(d: Draw, name: str) -> Drawn:
    _opset(d)
    shape, kind = d.shape(1), d.one(np.uint8, np.int8)
    attributes: dict[str, Any] = {}
    size: tuple[int, ...] = ()
    if d.flag():
        axis = d.int(0, len(shape) - 1)
        attributes["axis"], size = axis, (shape[axis],)
    is_coding = name.endswith(".QuantizeLinear")
    x = d.array(shape) if is_coding else codes(d, shape, kind)
    return Drawn([x, d.array(size, 0.01, 0.2), codes(d, size, kind)], attributes)
