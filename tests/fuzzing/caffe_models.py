"""Caffe networks: texts and weights with changed bytes or fields."""

from __future__ import annotations

import warnings
from functools import cache
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Target, attempt, chosen, expect
from .texts import check_graph
from .tflite_models import is_small


@cache
def networks() -> list[tuple[bytes, bytes]]:
    """Return the text and the weights of each network."""
    from oracles.caffe_references import names, text, weights

    return [(text(name), weights(name)) for name in names()]


def draw_caffe(chance: Random) -> bytes:
    """Draw the number of a network, and its text or its weights with changed bytes or fields."""
    number = chance.randrange(len(networks()))
    text, weights = networks()[number]
    which = chance.random()
    if which < 0.2:
        return b"W" + bytes([number]) + mutated_bytes(weights, chance)
    if which < 0.35:
        return b"T" + bytes([number]) + mutated_bytes(text, chance)
    return b"T" + bytes([number]) + _with_changed_fields(text, chance)


def _with_changed_fields(text: bytes, chance: Random) -> bytes:
    """Return the text of a network with a few changed layers."""
    from google.protobuf import text_format

    from nnefkit.exchange.caffe.messages import FORMAT

    net = FORMAT.parsed_text("NetParameter", text.decode())
    layers = net.layer or net.layers
    blobs = [blob for layer in layers for blob in (*layer.top, *layer.bottom)]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        layer = chance.choice(layers)
        match chance.randrange(7):
            case 0 if layer.bottom:
                layer.bottom[chance.randrange(len(layer.bottom))] = chance.choice((*blobs, ""))
            case 1 if layer.top:
                layer.top[chance.randrange(len(layer.top))] = chance.choice((*blobs, "new"))
            case 2:
                layer.bottom.append(chance.choice(blobs))
            case 3:
                layer.top.append(chance.choice((*blobs, "more")))
            case 4:
                layer.type = chance.choice(layers).type
            case _:
                _change(layer, chance)
    return text_format.MessageToString(net).encode()


def _change(message: Any, chance: Random) -> None:
    """Change a number somewhere in a message."""
    parts = [
        part
        for field, value in message.ListFields()
        if field.message_type is not None
        for part in (value if hasattr(value, "append") or hasattr(value, "add") else [value])
    ]
    if parts and chance.random() < 0.8:
        return _change(chance.choice(parts), chance)
    fields = [
        f for f in message.DESCRIPTOR.fields if f.message_type is None and f.type != f.TYPE_STRING
    ]
    if not fields:
        return None
    field = chance.choice(fields)
    old = getattr(message, field.name)
    try:
        if hasattr(old, "append"):
            old[:] = [*old][1:] if chance.random() < 0.3 else [*old, _number(field, chance)]
        else:
            setattr(message, field.name, _number(field, chance))
    except (ValueError, TypeError, OverflowError):
        pass  # The field cannot have it.
    return None


def _number(field: Any, chance: Random) -> Any:
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return chance.choice((0.0, -1.0, 2.5, 1e38, float("inf"), float("nan")))
    if field.cpp_type == field.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.cpp_type == field.CPPTYPE_ENUM:
        return chance.choice(field.enum_type.values).number
    return chance.choice(EDGES[:30]) if chance.random() < 0.4 else chance.randrange(-3, 9)


def check_caffe(data: bytes, chance: Any) -> str:
    """Check the promises for any files."""
    text, weights = networks()[(data[1] if len(data) > 1 else 0) % len(networks())]
    if data[:1] == b"W":
        weights = data[2:]
    else:
        text = data[2:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(nk.from_caffe, text, weights, verify=False, progress=False)
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3) and is_small(graph):
            check_graph(graph, chance)
    return READ


TARGETS = [Target("caffe", ".caffe", draw_caffe, check_caffe, smaller_bytes, 2.0)]
