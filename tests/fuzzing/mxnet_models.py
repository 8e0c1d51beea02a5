"""MXNet networks: symbols and parameters with changed bytes, nodes and attributes."""

from __future__ import annotations

import json
import warnings
from functools import cache
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph
from .tflite_models import is_small

_WORDS = ("None", "True", "False", "()", "(0, 0)", "(-1,)", "(3, 3)", "nan", "inf", "1e30", "x", "")


@cache
def networks() -> list[tuple[bytes, bytes, dict[str, tuple[int, ...]]]]:
    """Return the symbol, the parameters and the shapes of the inputs of each network."""
    from oracles.mxnet_references import index, params, shapes, symbol

    return [(symbol(name), params(name), shapes(name)) for name in index()]


@cache
def _operators() -> list[str]:
    from nnefkit.exchange.mxnet import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.mxnet.call import READERS

    return sorted(READERS)


def draw_mxnet(chance: Random) -> bytes:
    """Draw the number of a network, and its symbol or its parameters with changes."""
    number = chance.randrange(len(networks()))
    symbol, params, _ = networks()[number]
    which = chance.random()
    if which < 0.25:
        return b"P" + bytes([number]) + mutated_bytes(params, chance)
    if which < 0.4:
        return b"S" + bytes([number]) + mutated_bytes(symbol, chance)
    return b"S" + bytes([number]) + _with_changed_nodes(symbol, chance)


def _with_changed_nodes(symbol: bytes, chance: Random) -> bytes:
    """Return a symbol with a few changed nodes."""
    root = json.loads(symbol)
    nodes = root["nodes"]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        node = chance.choice([each for each in nodes if each["op"] != "null"])
        match chance.randrange(6):
            case 0:
                node["op"] = chance.choice(_operators())
            case 1 if node["inputs"]:
                place = chance.randrange(len(node["inputs"]))
                node["inputs"][place] = [chance.randrange(len(nodes)), chance.randrange(-1, 3), 0]
            case 2:
                node["inputs"] = node["inputs"][: chance.randrange(3)] * chance.randrange(3)
            case 3:
                root["heads"] = [[chance.randrange(len(nodes)), chance.randrange(2), 0]]
            case _:
                _change(node, chance)
    return json.dumps(root).encode()


def _change(node: dict[str, Any], chance: Random) -> None:
    """Change an attribute of a node, or add one of another operator."""
    attributes = node.setdefault("param" if "param" in node else "attrs", {})
    more = ("axis", "shape", "kernel", "pad", "stride", "layout", "scalar", "num_outputs", "mode")
    name = chance.choice([*attributes, chance.choice(more)])
    number = chance.choice(EDGES[:30]) if chance.random() < 0.3 else chance.randrange(-5, 9)
    row = [chance.randrange(-5, 9) for _ in range(chance.randrange(6))]
    word = chance.choice((*_WORDS, "NHWC", "full", "lstm", "gru"))
    attributes[name] = str(chance.choice((number, tuple(row), word)))


def check_mxnet(data: bytes, chance: Any) -> str:
    """Check the promises for any files."""
    number = (data[1] if len(data) > 1 else 0) % len(networks())
    symbol, params, shapes = networks()[number]
    if data[:1] == b"P":
        params = data[2:]
    else:
        symbol = data[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(nk.from_mxnet, symbol, params, shapes, verify=False, progress=False)
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3) and is_small(graph):
            check_graph(graph, chance)
    return READ


TARGETS = [Target("mxnet", ".mxnet", draw_mxnet, check_mxnet, smaller_bytes, 2.0)]
