"""Random models of one ONNX operator: opset, attributes, shapes, which inputs are constant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

Array = np.ndarray[Any, Any]
OLDEST, NEWEST = 7, 28
"""Opsets; ONNX Runtime may not support the newest ones."""


@dataclass
class Drawn:
    """An operator and its inputs; None for an input that is left out."""

    inputs: list[Any]
    attributes: dict[str, Any] = field(default_factory=dict)
    outputs: int = 1
    known: tuple[int, ...] = ()
    """Inputs that are always constants."""
    version: int = 1
    """The version of the domain, for operators of other domains."""


class Draw:
    """Random shapes, arrays and attributes."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.opset = self.int(OLDEST, NEWEST)

    def int(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def one(self, *choices: Any) -> Any:
        return choices[self.int(0, len(choices) - 1)]

    def flag(self, chance: float = 0.5) -> bool:
        return bool(self.rng.random() < chance)

    def shape(self, least: int = 0, most: int = 4, top: int = 4) -> tuple[int, ...]:
        return tuple(self.int(1, top) for _ in range(self.int(least, most)))

    def array(self, shape: Any, low: float = -3, high: float = 3, kind: Any = np.float32) -> Array:
        kind = np.dtype(kind)
        if kind.kind == "b":
            return self.rng.integers(0, 2, shape).astype(bool)
        if kind.kind in "iu":
            low = max(low, 0) if kind.kind == "u" else low
            return self.rng.integers(int(low), int(high) + 1, shape).astype(kind)
        values = self.rng.uniform(low, high, shape)
        # Halves and whole numbers show the rules for rounding and for ties.
        if low < 0 and self.flag(0.3):
            values = np.round(values * 2) / 2
        return np.asarray(values, kind)

    def near(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return a shape that broadcasts with another one from the right."""
        cut = shape[self.int(0, len(shape)) :]
        return tuple(1 if self.flag(0.3) else n for n in cut)

    def pair(self, **how: Any) -> list[Array]:
        shape = self.shape()
        shapes = [shape, self.near(shape)]
        if self.flag():
            shapes.reverse()
        return [self.array(s, **how) for s in shapes]

    def axis(self, rank: int) -> int:
        return self.int(-rank, rank - 1)

    def axes(self, rank: int, least: int = 0) -> list[int]:
        count = self.int(least, rank)
        axes = self.rng.permutation(rank)[:count].tolist()
        return [a - rank if self.flag(0.3) else a for a in axes]

    def some(self, **attributes: Any) -> dict[str, Any]:
        """Return some of the attributes; the others keep their defaults."""
        return {name: value for name, value in attributes.items() if self.flag(0.7)}

    def numeric(self) -> Any:
        return self.one(np.float32, np.float32, np.float32, np.int32, np.int64)


Drawer = Callable[[Draw], Drawn | None]
DRAWERS: dict[str, Drawer] = {}


def draws(*names: str) -> Callable[[Any], Any]:
    """Register a function of a `Draw`, or of a `Draw` and the name of an operator."""

    def register(function: Any) -> Any:
        for name in names:
            plain = function.__code__.co_argcount == 1
            DRAWERS[name] = function if plain else lambda d, n=name: function(d, n)
        return function

    return register


def model(name: str, d: Draw, drawn: Drawn, constant: set[int]) -> tuple[Any, dict[str, Array]]:
    """Return the ModelProto of a drawn operator, and its inputs."""
    names = [f"in{i}" if a is not None else "" for i, a in enumerate(drawn.inputs)]
    while names and not names[-1]:
        names.pop()
    feeds, infos, weights = {}, [], []
    for i, array in enumerate(drawn.inputs):
        if array is None:
            continue
        if i in constant or i in drawn.known:
            weights.append(numpy_helper.from_array(np.asarray(array), names[i]))
        else:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            infos.append(helper.make_tensor_value_info(names[i], kind, array.shape))
            feeds[names[i]] = array
    outputs = [f"out{i}" for i in range(drawn.outputs)]
    domain, _, operator = name.rpartition(".")
    node = helper.make_node(
        operator, names, outputs, name="node", domain=domain, **drawn.attributes
    )
    infos_out = [helper.make_empty_tensor_value_info(o) for o in outputs]
    graph = helper.make_graph([node], "drawn", infos, infos_out, weights)
    opsets = [helper.make_opsetid("", d.opset)]
    version = helper.find_min_ir_version_for(opsets)
    if domain:
        opsets.append(helper.make_opsetid(domain, drawn.version))
    made = helper.make_model(graph, opset_imports=opsets, ir_version=version)
    return made, feeds


def draw(name: str, seed: int) -> tuple[Any, dict[str, Array]] | None:
    """Return a random model of an operator; None if the drawn opset lacks it."""
    d = Draw(seed)
    drawn = DRAWERS[name](d)
    if drawn is None:
        return None
    given = [i for i, a in enumerate(drawn.inputs) if a is not None and i not in drawn.known]
    constant = {i for i in given[1:] if d.flag(0.4)}
    return model(name, d, drawn, constant)


_SINCE = {
    "Attention": 23,
    "Sinh": 9, "Cosh": 9, "Asinh": 9, "Acosh": 9, "Atanh": 9, "Sign": 9, "Erf": 9, "IsNaN": 9,
    "IsInf": 10, "Round": 11, "Mish": 18, "HardSwish": 14, "Gelu": 20, "Celu": 12,
    "ThresholdedRelu": 10, "Shrink": 9, "Mod": 10, "LessOrEqual": 12, "GreaterOrEqual": 12,
    "Where": 9, "Expand": 8, "Resize": 10, "Trilu": 14, "CumSum": 11, "GatherElements": 11,
    "GatherND": 11, "ScatterElements": 11, "ScatterND": 11, "OneHot": 9, "EyeLike": 9,
    "LayerNormalization": 17, "GroupNormalization": 21, "MeanVarianceNormalization": 9,
    "RMSNormalization": 23, "QuantizeLinear": 10, "DequantizeLinear": 10, "QLinearConv": 10,
    "QLinearMatMul": 10, "MatMulInteger": 10, "ConvInteger": 10, "DynamicQuantizeLinear": 11,
    "Einsum": 12, "ReverseSequence": 10, "Det": 11, "BitShift": 11, "Compress": 9,
    "Swish": 24, "Col2Im": 18, "NegativeLogLikelihoodLoss": 12, "SoftmaxCrossEntropyLoss": 12,
    "Size": 7, "Shape": 7, "Pad": 7, "BitwiseNot": 18, "DepthToSpace": 7, "TensorScatter": 24,
    "CumProd": 26, "GridSample": 16,
}  # fmt: skip


def since(d: Draw, name: str) -> None:
    d.opset = max(d.opset, _SINCE.get(name, OLDEST))


def window(
    d: Draw, extents: list[int], kernel: list[int], *, dilated: bool = True, same: bool = True
) -> dict[str, Any]:
    """Return stride, dilation and padding; extents grow so that the window fits."""
    count = len(extents)
    attributes: dict[str, Any] = d.some(strides=[d.int(1, 3) for _ in range(count)])
    if dilated and d.flag(0.4):
        attributes["dilations"] = [d.int(1, 2) for _ in range(count)]
    spread = attributes.get("dilations", [1] * count)
    mode = (
        d.one("NOTSET", "NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")
        if same
        else "NOTSET"
    )
    span = [(k - 1) * s + 1 for k, s in zip(kernel, spread, strict=True)]
    if mode != "NOTSET":
        attributes["auto_pad"] = mode
    elif d.flag(0.7):
        attributes["pads"] = [d.int(0, k - 1) for k in kernel * 2]
    for a in range(count):
        extents[a] = max(extents[a], span[a])
    return attributes


def codes(d: Draw, shape: Any, kind: Any) -> Array:
    return d.array(shape, -100, 120, kind)
