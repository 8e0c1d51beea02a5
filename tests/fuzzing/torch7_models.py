"""Torch7 networks: files with changed bytes, and networks with changed modules and fields."""

from __future__ import annotations

import warnings
from functools import cache
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph
from .tflite_models import is_small


@cache
def networks() -> list[tuple[str, bytes]]:
    """Return the name and the file of each network, in binary and as text."""
    from oracles.torch7_references import binary, names, text

    return [(name, file(name)) for name in names() for file in (binary, text)]


def draw_torch7(chance: Random) -> bytes:
    """Draw the number of a network, and its file with changed bytes, numbers or names."""
    number = chance.randrange(len(networks()))
    name, data = networks()[number]
    which = chance.random()
    if which < 0.3:
        return bytes([number]) + mutated_bytes(data, chance)
    if which < 0.5:
        return bytes([number]) + _with_changed_line(networks()[number | 1][1], chance)
    return bytes([number]) + _with_changed_objects(data, name, chance)


def _with_changed_line(text: bytes, chance: Random) -> bytes:
    """Return a file with a few changed lines."""
    lines = text.split(b"\n")
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = chance.randrange(len(lines))
        lines[place] = chance.choice(
            (
                *lines[:200],
                b"-1",
                b"0",
                b"1e30",
                b"nan",
                b"9" * 30,
                str(chance.randrange(9)).encode(),
            )
        )
    return b"\n".join(lines)


def _with_changed_objects(data: bytes, name: str, chance: Random) -> bytes:
    """Return the file of a network with changed classes, fields or modules."""
    from oracles.torch7_files import written

    from nnefkit.exchange.torch7 import modules as _  # noqa: F401  (it registers the modules)
    from nnefkit.exchange.torch7.serialized_file import read_objects

    network = _writable(read_objects(data, name), {})
    for _turn in range(chance.choice((1, 1, 1, 2, 3))):
        _change(network, chance)
    return written(network, as_text=chance.random() < 0.3, versions=chance.random() < 0.9)


def _writable(found: Any, known: dict[int, Any]) -> Any:
    """Return objects of a file as the writer takes them."""
    from oracles.torch7_files import Longs, Module

    from nnefkit.exchange.torch7.objects import LuaTable, TorchObject, TorchStorage, TorchTensor

    if id(found) in known:
        return known[id(found)]
    made = found
    if isinstance(found, TorchObject):
        made = known[id(found)] = Module(found.class_name)
        made.fields = {key: _writable(each, known) for key, each in found.table.entries.items()}
    elif isinstance(found, LuaTable):
        made = {key: _writable(each, known) for key, each in found.entries.items()}
    elif isinstance(found, TorchStorage):
        made = Longs(*found.data.tolist())
    elif isinstance(found, TorchTensor):
        made = found.array()
    known[id(found)] = made
    return made


def _change(network: Any, chance: Random) -> None:
    """Change something of a module somewhere in a network."""
    from oracles.torch7_files import Longs, Module

    from nnefkit.exchange.torch7.call import READERS

    found = _modules(network)
    module = chance.choice(found)
    keys = [key for key in module.fields if key != "_type"]
    which = chance.randrange(6)
    if which == 0:
        module.class_name = chance.choice([*READERS, "nn.Unheard", "nn.Recurrent"])
    elif which == 1 and keys:
        del module.fields[chance.choice(keys)]
    elif which == 2:
        inner = module.fields.setdefault("modules", {})
        if isinstance(inner, dict):
            place = float(chance.randrange(1, len(inner) + 2))
            inner[place] = chance.choice([*found, Module(chance.choice([*READERS]))])
    elif keys:
        key = chance.choice(keys)
        numbers = (-2, -1, 0, 1, 2, 3, 7, 0.5, 1e30, float("nan"), float("inf"), 2**31)
        if isinstance(module.fields[key], Longs):
            module.fields[key] = Longs(
                *(chance.randrange(-2, 9) for _ in range(chance.randrange(5)))
            )
        else:
            module.fields[key] = chance.choice((*numbers, True, False, "x", None, [1, 2], Longs(1)))


def _modules(network: Any) -> list[Any]:
    from oracles.torch7_files import Module

    pending, found = [network], []
    while pending:
        each = pending.pop()
        if isinstance(each, Module) and each not in found:
            found.append(each)
            inner = each.fields.get("modules")
            pending += [*inner.values()] if isinstance(inner, dict) else []
    return found


def check_torch7(data: bytes, chance: Any) -> str:
    """Check the promises for any file."""
    from oracles.torch7_references import input_shapes

    name, _ = networks()[(data[0] if data else 0) % len(networks())]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(
            nk.from_torch7, data[1:], input_shapes(name), verify=False, progress=False
        )
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3) and is_small(graph):
            check_graph(graph, chance)
    return READ


TARGETS = [Target("torch7", ".torch7", draw_torch7, check_torch7, smaller_bytes, 2.0)]
