"""Channels-last networks as readers write them: each spatial operation between transpositions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

import nnefkit as nk
from nnefkit import Graph

Shape = tuple[int, ...]


def to_first(rank: int) -> list[int]:
    """The axes that make a channels-last tensor channels-first."""
    return [0, rank - 1, *range(1, rank - 1)]


def to_last(rank: int) -> list[int]:
    """The axes that make a channels-first tensor channels-last."""
    return [0, *range(2, rank), 1]


class NaiveNetwork:
    """The text of a network under construction, and the data of its variables."""

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self.lines: list[str] = []
        self.inputs: list[str] = []
        self.data: dict[str, Any] = {}
        self.shapes: dict[str, Shape] = {}
        self._count = 0

    def name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"

    def input(self, *shape: int) -> str:
        """An input."""
        name = self.name("x")
        self.inputs.append(name)
        self.lines.append(f"{name} = external<scalar>(shape = {[*shape]});")
        self.shapes[name] = shape
        return name

    def weight(self, *shape: int) -> str:
        """A variable with small whole numbers."""
        name = self.name("w")
        self.lines.append(f"{name} = variable<scalar>(shape = {[*shape]}, label = '{name}');")
        self.data[name] = self._random.integers(-2, 3, shape).astype(np.float64)
        self.shapes[name] = shape
        return name

    def op(self, name: str, *arguments: Any, **attribs: Any) -> str:
        """An operation with one result."""
        result = self.name(name)
        self._call(result, name, arguments, attribs)
        return result

    def ops(self, name: str, count: int, *arguments: Any, **attribs: Any) -> list[str]:
        """An operation whose result is an array."""
        results = [self.name(name) for _ in range(count)]
        self._call(f"[{', '.join(results)}]", name, arguments, attribs)
        return results

    def _call(self, results: str, name: str, arguments: Sequence[Any], attribs: Any) -> None:
        written = [f"[{', '.join(a)}]" if isinstance(a, list) else str(a) for a in arguments]
        written += [f"{key} = {_literal(value)}" for key, value in attribs.items()]
        self.lines.append(f"{results} = {name}({', '.join(written)});")
        self.shapes = {}

    def shape(self, name: str) -> Shape:
        """The shape of a tensor."""
        if name not in self.shapes:
            graph = nk.infer_shapes(nk.parse(self.text([name])))
            self.shapes = {n: t.shape or () for n, t in graph.tensors.items()}
        return self.shapes[name]

    def text(self, outputs: Sequence[str]) -> str:
        """The document."""
        body = "\n    ".join(self.lines)
        return (
            f"version 1.0;\n\ngraph net({', '.join(self.inputs)}) -> ({', '.join(outputs)})\n"
            f"{{\n    {body}\n}}\n"
        )

    def graph(self, *outputs: str) -> Graph:
        """The graph that computes some tensors."""
        graph = nk.infer_shapes(nk.parse(self.text(outputs)))
        names = {tensor.name for tensor in graph.variables}
        return graph.with_data({n: a for n, a in self.data.items() if n in names})

    # -- layers -------------------------------------------------------------------------------

    def between(self, name: str, x: str, *arguments: Any, **attribs: Any) -> str:
        """A channels-first operation between two transpositions."""
        rank = len(self.shape(x))
        first = self.op("transpose", x, axes=to_first(rank))
        return self.op("transpose", self.op(name, first, *arguments, **attribs), axes=to_last(rank))

    def conv(
        self, x: str, channels: int, size: int = 3, *, stride: int = 1, groups: int = 1
    ) -> str:
        """A convolution; with `groups` 0, of each channel."""
        rank, inner = len(self.shape(x)), self.shape(x)[-1]
        outer = inner * channels if groups == 0 else channels
        kernel = self.weight(outer, 1 if groups == 0 else inner, *[size] * (rank - 2))
        bias = self.weight(1, outer)
        strides = [stride] * (rank - 2)
        return self.between("conv", x, kernel, bias, stride=strides, groups=groups)

    def deconv(self, x: str, channels: int) -> str:
        """A transposed convolution that doubles the extents."""
        kernel = self.weight(self.shape(x)[-1], channels, 2, 2)
        return self.between("deconv", x, kernel, 0.0, stride=[2, 2], padding=[(0, 0), (0, 0)])

    def pool(self, x: str, name: str = "max_pool", size: int = 2) -> str:
        """A pooling operation."""
        window = [1, 1] + [size] * (len(self.shape(x)) - 2)
        return self.between(name, x, size=window, stride=window, border="ignore")

    def upsampled(self, x: str, name: str = "nearest_upsample") -> str:
        """An image of twice the size."""
        return self.between(name, x, factor=[2] * (len(self.shape(x)) - 2))

    def norm(self, x: str) -> str:
        """A batch normalization."""
        channels = self.shape(x)[-1]
        weights = [self.weight(1, channels) for _ in range(4)]
        self.data[weights[1]] = np.abs(self.data[weights[1]]) + 1.0
        return self.between("batch_normalization", x, *weights, epsilon=1e-3)

    def per_channel(self, name: str, x: str) -> str:
        """An operation with a number for each channel."""
        shape = self.shape(x)
        return self.op(name, x, self.weight(*[1] * (len(shape) - 1), shape[-1]))

    def dense(self, x: str, features: int) -> str:
        """A fully connected layer."""
        inner = self.shape(x)[-1]
        return self.op("linear", x, self.weight(features, inner), self.weight(1, features))

    def flat(self, x: str) -> str:
        """A row of features for each image."""
        shape = self.shape(x)
        return self.op("reshape", x, shape=[shape[0], prod(shape[1:])])


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}'"
    return str(value)


def example_inputs(graph: Graph, seed: int = 7) -> dict[str, Any]:
    """Inputs of small whole numbers."""
    random = np.random.default_rng(seed)
    return {
        name: random.integers(-3, 4, graph.tensors[name].shape).astype(np.float64)
        for name in graph.inputs
    }
