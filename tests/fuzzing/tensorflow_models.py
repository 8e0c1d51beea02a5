"""TensorFlow models: graphs with changed bytes or fields, SavedModels, indexes of checkpoints."""

from __future__ import annotations

import ast
import re
import tempfile
import warnings
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph
from .tflite_models import is_small

MAX_BYTES = 24_000
GRAPH, SAVED, INDEX = b"G", b"S", b"I"
"""The first byte of an input: what the rest of it is."""


@cache
def graphs() -> list[bytes]:
    """Return the frozen graphs that are small."""
    from oracles.tensorflow_references import kind, names, source

    found = [source(name) for name in names() if kind(name) == "frozen graph"]
    data = [each if isinstance(each, bytes) else each.read_bytes() for each in found]
    return [each for each in data if len(each) < MAX_BYTES]


@cache
def saved_models() -> list[Path]:
    """Return the folders of SavedModels that are small."""
    from oracles.tensorflow_references import kind, names, path

    folders = [path(name) for name in names() if kind(name) == "SavedModel"]
    return [each for each in folders if (each / "saved_model.pb").stat().st_size < 4 * MAX_BYTES]


def draw_tensorflow(chance: Random) -> bytes:
    """Draw a graph with changed bytes or fields, a SavedModel, or the index of a checkpoint."""
    which = chance.random()
    if which < 0.15:
        number = chance.randrange(len(saved_models()))
        data = (saved_models()[number] / "saved_model.pb").read_bytes()
        changed = mutated_bytes(data, chance)
        return SAVED + bytes([number]) + changed
    if which < 0.3:
        number = chance.randrange(len(saved_models()))
        data = (saved_models()[number] / "variables" / "variables.index").read_bytes()
        return INDEX + bytes([number]) + mutated_bytes(data, chance)
    data = chance.choice(graphs())
    if chance.random() < 0.4:
        return GRAPH + mutated_bytes(data, chance)
    return GRAPH + _with_changed_fields(data, chance)


def _with_changed_fields(data: bytes, chance: Random) -> bytes:
    """Return a graph with a few changed nodes and attributes."""
    from nnefkit.exchange.tensorflow.messages import FORMAT

    graph = FORMAT.parsed("GraphDef", data)
    names = [node.name for node in graph.node]
    operators = [node.op for node in graph.node]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        node = chance.choice(graph.node)
        match chance.randrange(6):
            case 0 if node.input:
                at = chance.randrange(len(node.input))
                node.input[at] = chance.choice((*names, f"{chance.choice(names)}:1", "", ":", "^"))
            case 1 if node.input:
                del node.input[chance.randrange(len(node.input))]
            case 2:
                node.op = chance.choice(operators)
            case 3 if node.attr:
                del node.attr[chance.choice([*node.attr])]
            case 4:
                node.input.append(chance.choice(names))
            case _ if node.attr:
                _change(node.attr[chance.choice([*node.attr])], chance)
    return bytes(graph.SerializeToString())


def _change(value: Any, chance: Random) -> None:
    """Change an attribute."""
    number = chance.choice(EDGES[:30]) if chance.random() < 0.5 else chance.randrange(-3, 9)
    number = max(min(number, 2**63 - 1), -(2**63))
    kind = value.WhichOneof("alternative")
    if kind == "i":
        value.i = number
    elif kind == "b":
        value.b = not value.b
    elif kind == "f":
        value.f = chance.choice((0.0, -1.0, 1e38, float("inf"), float("nan")))
    elif kind == "type":
        value.type = chance.choice((*range(24), 101, 7))
    elif kind == "list" and value.list.i:
        value.list.i[chance.randrange(len(value.list.i))] = number
    elif kind in ("shape", "tensor"):
        shape = value.shape if kind == "shape" else value.tensor.tensor_shape
        if shape.dim and chance.random() < 0.6:
            chance.choice(shape.dim).size = number
        elif kind == "tensor" and value.tensor.tensor_content:
            value.tensor.tensor_content = mutated_bytes(value.tensor.tensor_content, chance)
        else:
            shape.dim.add().size = number
    else:
        value.s = chance.choice((b"SAME", b"VALID", b"EXPLICIT", b"NCHW", b"", b"\xff"))


def check_tensorflow(data: bytes, chance: Any) -> str:
    """Check the promises for any file."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        source, shapes = _source(data, Path(folder))
        graph, _ = attempt(
            nk.from_tensorflow, source, input_shapes=shapes, verify=False, progress=False
        )
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3) and is_small(graph):
            check_graph(graph, chance)
    return READ


def _source(data: bytes, folder: Path) -> tuple[Any, Any]:
    """Return the model of an input, and the shapes of its inputs."""
    kind, number, rest = data[:1], data[1:2], data[2:]
    if kind not in (SAVED, INDEX) or not number:
        return data[1:], None
    folders = saved_models()
    original = folders[number[0] % len(folders)]
    (folder / "variables").mkdir()
    shard = "variables/variables.data-00000-of-00001"
    (folder / shard).symlink_to(original / shard)
    graph = rest if kind == SAVED else (original / "saved_model.pb").read_bytes()
    index = original / "variables" / "variables.index"
    (folder / "saved_model.pb").write_bytes(graph)
    content = rest if kind == INDEX else index.read_bytes()
    (folder / "variables" / "variables.index").write_bytes(content)
    _, error = attempt(nk.from_tensorflow, folder, verify=False, progress=False)
    return folder, _shapes(error)


def _shapes(error: Any) -> Any:
    """Return the shapes that the hint of an error proposes."""
    hint = error.diagnostics[0].hint if error is not None else ""
    match = re.search(r"input_shapes=(\{.*\})", hint)
    return ast.literal_eval(match[1]) if match else None


TARGETS = [
    Target("tensorflow", ".tensorflow", draw_tensorflow, check_tensorflow, smaller_bytes, 2.0)
]
