"""Dumped graphs of Chainer and Theano: documents and arrays with changed bytes or parts."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, mutated_parts, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph
from .tflite_models import is_small

_MAX_BYTES = 40_000
_WORDS = (None, True, False, "", "x", "v0", "v1", "nan", 0.5, -1.5, 1e300, [], {}, [[]], "a" * 3000)
_FORMS = (
    {"array": "v1"},
    {"float": "nan"},
    {"float": "-inf"},
    {"slice": [None, -1, None]},
    {"slice": [3, 0, -2]},
    {"ellipsis": True},
    {"newaxis": True},
    {"dtype": "int8"},
    {"input": "int64"},
    {"dict": {"constant_values": 2}},
)


@cache
def graphs(framework: str) -> list[tuple[bytes, bytes, bytes]]:
    """Return the document, the arrays and the run of each graph that is not large."""
    from oracles.dumped_references import files, names

    found = [files(framework, name) for name in names(framework)]
    return [each for each in found if len(each[0]) < _MAX_BYTES]


def _drawn(framework: str) -> Callable[[Random], bytes]:
    def draw(chance: Random) -> bytes:
        """Draw the number of a graph, and its document or its arrays with changes."""
        number = chance.randrange(len(graphs(framework)))
        document, arrays, _ = graphs(framework)[number]
        which = chance.random()
        if which < 0.15:
            return b"A" + bytes([number]) + mutated_bytes(arrays, chance)
        if which < 0.25:
            return b"D" + bytes([number]) + mutated_bytes(document, chance)
        return b"D" + bytes([number]) + _with_changed_parts(document, chance)

    return draw


def _with_changed_parts(text: bytes, chance: Random) -> bytes:
    """Return a document with a few changed numbers, ids, parameters and nodes."""
    document = json.loads(text)
    # An earlier change may have left nothing to change there.
    with suppress(TypeError, KeyError, IndexError):
        _change_parts(document, chance)
    return json.dumps(document, separators=(",", ":")).encode()


def _change_parts(document: Any, chance: Random) -> None:
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        nodes = document["nodes"]
        ids = [*document["values"]]
        node = chance.choice(nodes) if nodes else {}
        match chance.randrange(8):
            case 0:
                document["nodes"] = deepcopy(mutated_parts(nodes, nodes, chance))
            case 1 if node:
                node["inputs"] = mutated_parts(node["inputs"], ids, chance)
            case 2 if node:
                node["op"] = chance.choice(nodes)["op"]
            case 3:
                value = document["values"][chance.choice(ids)]
                value[chance.choice([*value])] = _part(chance, value)
            case 4 if node:
                node["params"] = deepcopy(chance.choice(nodes).get("params"))
            case _ if node:
                _change(node.get("params") or node, chance)


def _change(part: Any, chance: Random) -> None:
    """Change something inside of a list or of an object."""
    keys = [*part] if isinstance(part, dict) else [*range(len(part))]
    if not keys:
        return
    key = chance.choice(keys)
    if isinstance(part[key], (dict, list)) and part[key] and chance.random() < 0.7:
        _change(part[key], chance)
    else:
        part[key] = _part(chance, part[key])


def _part(chance: Random, old: Any) -> Any:
    which = chance.random()
    if isinstance(old, (int, list)) and which < 0.5:
        number = chance.choice(EDGES) if chance.random() < 0.3 else chance.randrange(-3, 9)
        return [number, *old[1:]] if isinstance(old, list) else number
    if which < 0.75:
        return deepcopy(chance.choice(_FORMS))
    return deepcopy(chance.choice(_WORDS))


def _checked(framework: str) -> Callable[[bytes, Any], str]:
    def check(data: bytes, chance: Any) -> str:
        """Check the promises for any files."""
        found = graphs(framework)
        document, arrays, run = found[(data[1] if len(data) > 1 else 0) % len(found)]
        if data[:1] == b"A":
            arrays = data[2:]
        else:
            document = data[2:]
        read = getattr(nk, f"from_{framework}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options: Any = {"arrays": arrays, "progress": False}
            if chosen(chance, 0.1):
                attempt(read, document, run=run, **options)
            graph, _ = attempt(read, document, verify=False, **options)
            if graph is None:
                return REFUSED
            elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
            expect(elements < 1 << 26, "a small model becomes a large graph", elements)
            if chosen(chance, 0.3) and is_small(graph):
                check_graph(graph, chance)
        return READ

    return check


TARGETS = [
    Target(name, ".bin", _drawn(name), _checked(name), smaller_bytes, 2.0)
    for name in ("chainer", "theano")
]
