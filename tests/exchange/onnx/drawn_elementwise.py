"""Drawn elementwise operators."""

from __future__ import annotations

from typing import Any

import numpy as np
from node_drawing import Draw, Drawn, draws, since

Array = np.ndarray[Any, Any]


@draws(
    "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Sin", "Cos", "Tan", "Tanh",
    "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Sign", "Erf", "Round",
    "Sigmoid", "Softplus", "Softsign", "Relu", "Mish", "HardSwish", "IsNaN", "Identity",
)  # fmt: skip
def unary(d: Draw, name: str) -> Drawn:
    since(d, name)
    whole = {"Abs": 6, "Neg": 6, "Sign": 9, "Relu": 14, "Identity": 7}
    kind = np.float32
    if name in whole and d.opset >= whole[name] and d.flag(0.4):
        kind = d.one(np.int32, np.int64, np.int8)
    x = d.array(d.shape(), kind=kind)
    if kind == np.float32 and x.size and d.flag(0.2) and name in ("IsNaN", "Abs", "Sign", "Round"):
        x.reshape(-1)[0] = d.one(np.nan, np.inf, -np.inf)
    return Drawn([x])


@draws("IsInf")
def infinite(d: Draw) -> Drawn:
    since(d, "IsInf")
    x = d.array(d.shape(1))
    x.reshape(-1)[0] = d.one(np.nan, np.inf, -np.inf)
    return Drawn([x], d.some(detect_positive=d.int(0, 1), detect_negative=d.int(0, 1)))


@draws("LeakyRelu", "Elu", "ThresholdedRelu", "Celu", "Swish")
def alpha(d: Draw, name: str) -> Drawn:
    since(d, name)
    return Drawn([d.array(d.shape())], d.some(alpha=d.one(0.1, 0.5, 1.0, 1.7, 2.0)))


@draws("Selu")
def selu(d: Draw) -> Drawn:
    return Drawn([d.array(d.shape())], d.some(alpha=1.5, gamma=2.5))


@draws("HardSigmoid")
def hard_sigmoid(d: Draw) -> Drawn:
    return Drawn([d.array(d.shape())], d.some(alpha=d.one(0.1, 0.5), beta=d.one(0.3, 0.6)))


@draws("Shrink")
def shrink(d: Draw) -> Drawn:
    since(d, "Shrink")
    kind = d.one(np.float32, np.float32, np.int32)
    return Drawn(
        [d.array(d.shape(), kind=kind)], d.some(lambd=d.one(0.5, 1.5), bias=d.one(1.0, -0.5))
    )


@draws("Gelu")
def gelu(d: Draw) -> Drawn:
    since(d, "Gelu")
    return Drawn([d.array(d.shape())], d.some(approximate=d.one("none", "tanh")))


@draws("PRelu")
def prelu(d: Draw) -> Drawn:
    shape = d.shape(1)
    return Drawn([d.array(shape), d.array(d.near(shape))])


@draws("Add", "Sub", "Mul", "Div")
def arithmetic(d: Draw, name: str) -> Drawn:
    kinds = [np.float32, np.int32, np.int64] + (
        [np.int8, np.uint8, np.int16] if d.opset >= 14 else []
    )
    kind = d.one(*kinds)
    a, b = d.pair(kind=kind, low=-9, high=9)
    if kind in (np.int8, np.uint8, np.int16) and d.flag():
        a = d.array(a.shape, -120, 120, kind)
    if name == "Div" and np.dtype(kind).kind != "f":
        b[b == 0] = 2
    return Drawn([a, b])


@draws("Mod")
def modulo(d: Draw) -> Drawn:
    since(d, "Mod")
    kind = d.one(np.float32, np.int32, np.int64, np.int8, np.uint8)
    a, b = d.pair(kind=kind, low=-9, high=9)
    b[b == 0] = 2
    return Drawn([a, b], {"fmod": 1} if np.dtype(kind).kind == "f" or d.flag(0.3) else {})


@draws("Pow")
def power(d: Draw) -> Drawn:
    kinds = [np.float32, np.int32, np.int64] if d.opset >= 12 else [np.float32]
    kind, other = d.one(*kinds), np.float32
    if d.opset >= 12:
        other = d.one(np.float32, np.int32, np.int64)
    shape = d.shape()
    whole = np.dtype(kind).kind == "i"
    x = d.array(shape, -4 if np.dtype(other).kind == "i" else 0.1, 4, kind)
    y = d.array(d.near(shape), 0 if whole else -2, 3, other)
    if d.flag(0.3):
        y = np.asarray(d.one(0, 1, 2, 3), other)
    return Drawn([x, y])


@draws("Max", "Min", "Sum", "Mean")
def variadic(d: Draw, name: str) -> Drawn:
    kind = np.float32
    if name in ("Max", "Min") and d.opset >= 12:
        kind = d.numeric()
    shape = d.shape() if d.opset >= 8 else d.shape(1)
    near = d.near if d.opset >= 8 else (lambda s: s)
    return Drawn(
        [d.array(shape, kind=kind), *(d.array(near(shape), kind=kind) for _ in range(d.int(0, 3)))]
    )


@draws("Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual")
def compare(d: Draw, name: str) -> Drawn:
    since(d, name)
    kinds: list[Any] = [np.int32, np.int64] if name == "Equal" or d.opset >= 9 else []
    if name != "Equal" or d.opset >= 11:
        kinds.append(np.float32)
    if name == "Equal":
        kinds.append(np.bool_)
    return Drawn(d.pair(kind=d.one(*kinds)))


@draws("And", "Or", "Xor")
def logic(d: Draw) -> Drawn:
    return Drawn(d.pair(kind=np.bool_))


@draws("Not")
def negation(d: Draw) -> Drawn:
    return Drawn([d.array(d.shape(), kind=np.bool_)])


@draws("Where")
def where(d: Draw) -> Drawn:
    since(d, "Where")
    shape = d.shape()
    kind = d.one(np.float32, np.int32, np.int64)
    return Drawn(
        [
            d.array(d.near(shape), kind=np.bool_),
            d.array(shape, kind=kind),
            d.array(d.near(shape), kind=kind),
        ]
    )


@draws("Clip")
def clip(d: Draw) -> Drawn:
    low, high = d.one(-1.5, 0.0, 1.0, 2.0), d.one(0.0, 1.0, 6.0)
    if d.opset < 11:
        return Drawn([d.array(d.shape())], d.some(min=low, max=high))
    kind = d.one(np.float32, np.float32, np.int32, np.int64) if d.opset >= 12 else np.float32
    bounds = [np.asarray(b, kind) if d.flag(0.8) else None for b in (low, high)]
    return Drawn([d.array(d.shape(), kind=kind), *bounds])


@draws("Cast")
def cast(d: Draw) -> Drawn:
    kind = d.one(np.float32, np.int32, np.int64, np.bool_, np.uint8, np.int8, np.float64)
    to = d.one(1, 2, 3, 5, 6, 7, 9, 11)
    low = 0 if to in (2, 4) else -100
    return Drawn([d.array(d.shape(), low, 120, kind)], {"to": to})


@draws("BitwiseNot")
def complement(d: Draw) -> Drawn:
    since(d, "BitwiseNot")
    return Drawn([d.array(d.shape(), -100, 100, d.one(np.int8, np.uint8, np.int16))])
