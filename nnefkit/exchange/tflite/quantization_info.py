"""Codes of a TFLite model as quantization info (5.3) of the tensors that they stand for.

The graph computes with the numbers that codes stand for. Its tensors have the grids of their
tensors in the model: scale, zero point, and range of the codes. Constants are stored as numbers,
with a grid that fits their layout in the graph.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.model import Quantization, Subgraph, TensorInfo
from nnefkit.graph import FrozenDict, Graph

_ALGORITHM = "zero_point_linear_quantize"
_WIDEST = 32
"""Codes of more bits are not written: numbers in floating point have no more digits."""


class Coded(NamedTuple):
    """A constant whose elements are codes in the model."""

    value: Value
    tensor: TensorInfo


def with_quantization_info(
    graph: Graph, model: Subgraph, source: SourceGraph, constants: Iterable[Coded]
) -> Graph:
    """Return a graph whose tensors have the grids of their codes.

    Args:
        graph: The graph as it was emitted.
        model: The graph of the model.
        source: The graph as it was read.
        constants: The constants that the model stores as codes.
    """
    lines = {
        model.source_name(number): _line(tensor, tensor.quantization, ())
        for number, tensor in enumerate(model.tensors)
        if tensor.data is None
        and tensor.is_quantized
        and tensor.quantization is not None
        and tensor.quantization.scale.size == 1
        and _bits(tensor) <= _WIDEST
    }
    grids = _grids(source, constants)
    tensors = dict(graph.tensors)
    for name, tensor in graph.tensors.items():
        if tensor.dtype != "scalar":
            continue
        if tensor.data is not None:
            line = grids.get(_digest(tensor.data))
        else:
            line = lines.get(tensor.origin or "")
        if line is not None:
            tensors[name] = replace(tensor, quantization=line)
    if not grids:
        return replace(graph, tensors=FrozenDict(tensors))
    facts = FrozenDict(graph.provenance, weights="codes")
    return replace(graph, tensors=FrozenDict(tensors), provenance=facts)


def _bits(tensor: TensorInfo) -> int:
    dtype = tensor.dtype or np.dtype(np.int64)
    return 4 if tensor.type == "INT4" else 8 * dtype.itemsize


def _line(tensor: TensorInfo, quantization: Quantization, shape: tuple[int, ...]) -> FrozenDict:
    """Return the line of a tensor whose scales have a shape."""
    dtype = tensor.dtype or np.dtype(np.int8)
    size = quantization.scale.size if shape else 1
    points = np.broadcast_to(quantization.zero_point, (size,)).astype(np.int64).reshape(shape)
    steps = quantization.scale.astype(np.float32)[:size].reshape(shape)
    # The shortest decimals that represent these float32.
    decimals = np.array([float(str(step)) for step in steps.reshape(-1)]).reshape(shape)
    return FrozenDict(
        {
            "op-name": _ALGORITHM,
            "zero_point": points.tolist() if points.any() else 0,
            "scale": decimals.tolist(),
            "bits": _bits(tensor),
            "signed": dtype.kind == "i",
            "symmetric": False,
        }
    )


# -- constants -------------------------------------------------------------------------------------


def _grids(source: SourceGraph, constants: Iterable[Coded]) -> Mapping[bytes, FrozenDict]:
    """Return the line of each constant in each form in which it is read, by a digest."""
    forms: dict[int, list[tuple[Hashable, Value]]] = {}
    for (_, how), (origin, made) in source.derivations.items():
        forms.setdefault(id(origin), []).append((how, made))
    grids: dict[bytes, FrozenDict] = {}
    for value, tensor in constants:
        if tensor.quantization is None or _bits(tensor) > _WIDEST:
            continue
        many = tensor.quantization.scale.size > 1
        waiting = [(value, tensor.quantization.axis if many else None)]
        while waiting:
            form, axis = waiting.pop()
            if form.data is None:
                continue
            shape = () if axis is None else (*(1,) * axis, tensor.quantization.scale.size)
            grids[_digest(form.data)] = _line(tensor, tensor.quantization, shape)
            for how, made in forms.get(id(form), ()):
                moved = _moved(axis, how, form, made)
                if moved is not _LOST:
                    waiting.append((made, moved))
    return grids


_LOST: Any = object()


def _moved(axis: int | None, how: Hashable, form: Value, made: Value) -> Any:
    """Return the axis of the scales in another form; `_LOST` if they are along no axis there."""
    kind, *rest = how if isinstance(how, tuple) else (how,)
    if kind not in ("transpose", "reshape"):
        return _LOST
    if axis is None:
        return None
    if kind == "transpose":
        return rest.index(axis)
    count = form.shape[axis]
    before = int(np.prod(form.shape[:axis], dtype=np.int64))
    for new, extent in enumerate(made.shape):
        if extent == count and int(np.prod(made.shape[:new], dtype=np.int64)) == before:
            return new
    return _LOST


def _digest(values: Array) -> bytes:
    digest = blake2b(np.ascontiguousarray(values, np.float32).tobytes(), digest_size=16)
    digest.update(repr(values.shape).encode())
    return digest.digest()
