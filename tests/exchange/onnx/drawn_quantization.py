"""Drawn quantized and recurrent operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_drawing import Draw, Drawn, codes, draws, since, window
from onnx import TensorProto

Array = np.ndarray[Any, Any]


@draws("QuantizeLinear")
def quantize(d: Draw) -> Drawn:
    since(d, "QuantizeLinear")
    shape = d.shape(1)
    kind = d.one(np.uint8, np.int8, *([np.int16, np.uint16] if d.opset >= 21 else []))
    attributes: dict[str, Any] = {}
    size: tuple[int, ...] = ()
    if d.opset >= 13 and d.flag():
        axis = d.axis(len(shape))
        attributes["axis"], size = axis, (shape[axis],)
    scale = (
        d.array(size, 0.01, 0.2) if d.flag() else np.full(size, d.one(0.25, 0.5, 0.01), np.float32)
    )
    zero = d.array(
        size, -5 if np.dtype(kind).kind == "i" else 0, 200 if kind == np.uint8 else 60, kind
    )
    return Drawn(
        [d.array(shape), scale, zero if d.flag(0.8) or kind != np.uint8 else None], attributes
    )


@draws("DequantizeLinear")
def dequantize(d: Draw) -> Drawn:
    since(d, "DequantizeLinear")
    shape = d.shape(1)
    kind = d.one(np.uint8, np.int8, np.int32, *([np.int16, np.uint16] if d.opset >= 21 else []))
    attributes: dict[str, Any] = {}
    size: tuple[int, ...] = ()
    if d.opset >= 13 and d.flag():
        axis = d.axis(len(shape))
        attributes["axis"], size = axis, (shape[axis],)
    if not size and d.flag(0.3):
        size = (1,)
    zero = d.array(size, -5, 100, kind) if kind != np.int32 and d.flag() else None
    return Drawn([d.array(shape, -100, 120, kind), d.array(size, 0.01, 0.2), zero], attributes)


@draws("DynamicQuantizeLinear")
def dynamic(d: Draw) -> Drawn:
    since(d, "DynamicQuantizeLinear")
    return Drawn([d.array(d.shape(1))], outputs=3)


@draws("QLinearMatMul")
def qlinear_matmul(d: Draw) -> Drawn:
    since(d, "QLinearMatMul")
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    ka, kb, ky = np.uint8, d.one(np.uint8, np.int8), np.uint8
    f = np.float32
    return Drawn([
        codes(d, (m, k), ka), d.array((), 0.01, 0.1, f), codes(d, (), ka),
        codes(d, (k, n), kb), d.array((), 0.01, 0.1, f), codes(d, (), kb),
        d.array((), 0.1, 0.3, f), codes(d, (), ky),
    ])  # fmt: skip


@draws("QLinearConv")
def qlinear_conv(d: Draw) -> Drawn:
    since(d, "QLinearConv")
    cin, cout = d.int(1, 3), d.int(1, 3)
    kernel, extents = [d.int(1, 3), d.int(1, 3)], [d.int(3, 6), d.int(3, 6)]
    attributes = window(d, extents, kernel)
    if attributes.get("auto_pad", "").startswith("SAME"):
        attributes.pop("dilations", None)
    f, kw = np.float32, d.one(np.uint8, np.int8)
    each = (cout,) if d.flag() and kw == np.int8 else ()
    zero_w = np.zeros(each, kw) if kw == np.int8 else codes(d, each, kw)
    bias = d.array((cout,), -500, 500, np.int32) if d.flag() else None
    return Drawn([
        codes(d, (1, cin, *extents), np.uint8), d.array((), 0.01, 0.1, f), codes(d, (), np.uint8),
        codes(d, (cout, cin, *kernel), kw), d.array(each, 0.01, 0.1, f), zero_w,
        d.array((), 0.1, 0.5, f), codes(d, (), np.uint8), bias,
    ], attributes, known=(1, 2, 4, 5, 6, 7))  # fmt: skip


@draws("MatMulInteger")
def matmul_integer(d: Draw) -> Drawn:
    since(d, "MatMulInteger")
    m, k, n = d.int(1, 4), d.int(1, 4), d.int(1, 4)
    zeros = [codes(d, (), np.uint8) if d.flag() else None for _ in range(2)]
    return Drawn([codes(d, (m, k), np.uint8), codes(d, (k, n), np.uint8), *zeros])


@draws("ConvInteger")
def conv_integer(d: Draw) -> Drawn:
    since(d, "ConvInteger")
    cin, cout = d.int(1, 3), d.int(1, 3)
    kernel, extents = [d.int(1, 3), d.int(1, 3)], [d.int(3, 6), d.int(3, 6)]
    attributes = window(d, extents, kernel)
    if attributes.get("auto_pad", "").startswith("SAME"):
        attributes.pop("dilations", None)
    zeros = [codes(d, (), np.uint8) if d.flag() else None for _ in range(2)]
    return Drawn(
        [codes(d, (1, cin, *extents), np.uint8), codes(d, (cout, cin, *kernel), np.uint8), *zeros],
        attributes,
    )


@draws("RNN", "GRU", "LSTM")
def recurrent(d: Draw, name: str) -> Drawn:
    gates, own = {"RNN": (1, 1), "GRU": (3, 2), "LSTM": (4, 3)}[name]
    steps, batch, size, hidden = d.int(1, 3), d.int(1, 2), d.int(1, 3), d.int(1, 3)
    direction = d.one("forward", "reverse", "bidirectional")
    count = 2 if direction == "bidirectional" else 1
    attributes: dict[str, Any] = {"hidden_size": hidden, "direction": direction}
    # ONNX Runtime has no other layout on the CPU.
    if d.flag(0.4):
        attributes["activations"] = [d.one("Tanh", "Sigmoid", "Relu") for _ in range(own * count)]
    if name == "GRU":
        attributes |= d.some(linear_before_reset=d.int(0, 1))
    if name == "LSTM":
        attributes |= d.some(input_forget=d.int(0, 1))
    lengths = np.full(batch, steps, np.int32) if d.flag(0.3) else None
    if d.flag(0.15):
        lengths = d.array((batch,), 1, steps, np.int32)
    states = [
        d.array((count, batch, hidden)) if d.flag() else None
        for _ in range(2 if name == "LSTM" else 1)
    ]
    inputs = [
        d.array((steps, batch, size)), d.array((count, gates * hidden, size), -1, 1),
        d.array((count, gates * hidden, hidden), -1, 1),
        d.array((count, 2 * gates * hidden), -1, 1) if d.flag() else None, lengths, *states,
    ]  # fmt: skip
    if name == "LSTM":
        inputs.append(d.array((count, 3 * hidden), -1, 1) if d.flag(0.4) else None)
    return Drawn(inputs, attributes, own if name == "LSTM" else 2, known=(1, 2, 3, 4))


@draws("Dropout")
def dropout(d: Draw) -> Drawn:
    x = d.array(d.shape())
    if d.opset < 12:
        return Drawn([x], d.some(ratio=0.3))
    ratio = np.array(0.4, np.float32) if d.flag() else None
    training = np.array(False) if d.flag() else None
    return Drawn([x, ratio, training], outputs=d.int(1, 2), known=(1, 2))


@draws("Shape", "Size")
def shape(d: Draw, name: str) -> Drawn:
    x = d.array(d.shape(1))
    if name == "Shape" and d.opset >= 15:
        return Drawn([x], d.some(start=d.int(-3, 3), end=d.int(-3, 3)))
    return Drawn([x])


@draws("EyeLike")
def eye_like(d: Draw) -> Drawn:
    since(d, "EyeLike")
    return Drawn([d.array(d.shape(2, 2))], d.some(dtype=TensorProto.FLOAT, k=d.int(-2, 2)))
