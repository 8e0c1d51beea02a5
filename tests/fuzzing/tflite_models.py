"""TFLite models: files with changed bytes, and tables with changed fields."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph

MAX_BYTES = 24_000
FIELDS = ("shape", "inputs", "outputs", "buffer", "type", "opcodeIndex", "shapeSignature")
"""Fields whose values refer to others, which are changed more often."""


@cache
def models() -> list[bytes]:
    """Return the reference models that are small."""
    from oracles.tflite_references import model, names

    data = [model(name) for name in names()]
    return [each for each in data if len(each) < MAX_BYTES]


def draw_tflite(chance: Random) -> bytes:
    """Draw a model with changed bytes or, more often, with a few changed fields."""
    data = chance.choice(models())
    if chance.random() < 0.5:
        return mutated_bytes(data, chance)
    try:
        return _with_changed_fields(data, chance)
    except Exception:  # noqa: BLE001 - a number that does not fit its field
        return mutated_bytes(data, chance)


def _with_changed_fields(data: bytes, chance: Random) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    tables = [*_tables(model)]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        table = chance.choice(tables)
        fields = [name for name, value in vars(table).items() if value is not None]
        wanted = [name for name in fields if name in FIELDS]
        name = chance.choice(wanted if wanted and chance.random() < 0.6 else fields)
        setattr(table, name, _changed(getattr(table, name), chance))
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tables(table: Any) -> Iterator[Any]:
    yield table
    for value in vars(table).values():
        for each in value if isinstance(value, list) else [value]:
            if hasattr(each, "Pack"):
                yield from _tables(each)


def _changed(value: Any, chance: Random) -> Any:
    import numpy as np

    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return (
            value + chance.choice((-1, 1)) if chance.random() < 0.5 else chance.choice(EDGES[:30])
        )
    if isinstance(value, float):
        return chance.choice((0.0, -1.0, 1e-40, 1e38, float("inf"), float("nan"), 0.5))
    if isinstance(value, bytes):
        return mutated_bytes(value, chance)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        return np.frombuffer(mutated_bytes(value.tobytes(), chance), np.uint8)
    if isinstance(value, (list, np.ndarray)) and len(value):
        items = [*value]
        at = chance.randrange(len(items))
        match chance.randrange(4):
            case 0:
                del items[at]
            case 1:
                items.insert(at, items[chance.randrange(len(items))])
            case 2:
                other = chance.randrange(len(items))
                items[at], items[other] = items[other], items[at]
            case _ if not hasattr(items[at], "Pack"):
                items[at] = _changed(int(items[at]), chance)
        return items
    return value


def check_tflite(data: bytes, chance: Any) -> str:
    """Check the promises for any file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(nk.from_tflite, data, verify=False, progress=False)
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3) and is_small(graph):
            check_graph(graph, chance)
    return READ


def is_small(graph: nk.Graph) -> bool:
    """Return whether a run takes little time."""
    shapes = [tensor.shape or () for tensor in graph.tensors.values()]
    volumes = [float(math.prod(shape)) for shape in shapes]
    return sum(volumes) < 1e6 and sum(op.macs or 0 for op in graph.operations) < 1e7


TARGETS = [Target("tflite", ".tflite", draw_tflite, check_tflite, smaller_bytes, 2.0)]
