"""Caffe2 networks: nets with changed bytes or fields."""

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
def networks() -> list[tuple[bytes, bytes, dict[str, tuple[int, ...]]]]:
    """Return both nets of each network, and the shapes of its inputs."""
    from oracles.caffe2_references import init_net, names, predict_net, shapes

    return [(init_net(name), predict_net(name), shapes(name)) for name in names()]


def draw_caffe2(chance: Random) -> bytes:
    """Draw the number of a network, and one of its nets with changed bytes or fields."""
    number = chance.randrange(len(networks()))
    weights, net, _ = networks()[number]
    which = chance.random()
    if which < 0.15:
        return b"W" + bytes([number]) + mutated_bytes(weights, chance)
    if which < 0.3:
        return b"P" + bytes([number]) + mutated_bytes(net, chance)
    if which < 0.45:
        return b"W" + bytes([number]) + _with_changed_fields(weights, chance)
    return b"P" + bytes([number]) + _with_changed_fields(net, chance)


def _with_changed_fields(data: bytes, chance: Random) -> bytes:
    """Return a net with a few changed operators, as text or binary."""
    from google.protobuf import text_format

    from nnefkit.exchange.caffe2.messages import FORMAT

    net = FORMAT.parsed("NetDef", data)
    blobs = [blob for one in net.op for blob in (*one.input, *one.output)] or [b"x"]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        one = chance.choice(net.op)
        match chance.randrange(9):
            case 0 if one.input:
                one.input[chance.randrange(len(one.input))] = chance.choice((*blobs, b"", b"\xff"))
            case 1 if one.output:
                one.output[chance.randrange(len(one.output))] = chance.choice((*blobs, b"new"))
            case 2:
                one.input.append(chance.choice(blobs))
            case 3:
                one.output.append(chance.choice((*blobs, b"more")))
            case 4:
                one.type = chance.choice(net.op).type
            case 5:
                one.arg.add(name=chance.choice(_ARGUMENTS), i=_whole(chance))
            case 6:
                one.arg.add(name=chance.choice(_ARGUMENTS), ints=[_whole(chance), _whole(chance)])
            case _:
                _change(one, chance)
    if chance.random() < 0.1:
        return text_format.MessageToString(net).encode()
    written: bytes = net.SerializeToString()
    return written


_ARGUMENTS = (
    *(b"axis", b"kernel", b"kernels", b"strides", b"pads", b"group", b"legacy_pad", b"broadcast"),
    *(b"shape", b"axes", b"global_pooling", b"dilations", b"k", b"adjs", b"is_test", b"dims"),
    *(b"order", b"split", b"starts", b"ends", b"tiles", b"dtype", b"value", b"keepdims"),
)


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
        f for f in message.DESCRIPTOR.fields if f.message_type is None and f.type != f.TYPE_BYTES
    ]
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
    return _whole(chance)


def _whole(chance: Random) -> int:
    return chance.choice(EDGES[:30]) if chance.random() < 0.4 else chance.randrange(-3, 9)


def check_caffe2(data: bytes, chance: Any) -> str:
    """Check the promises for any files."""
    weights, net, shapes = networks()[(data[1] if len(data) > 1 else 0) % len(networks())]
    if data[:1] == b"W":
        weights = data[2:]
    else:
        net = data[2:]
    given = shapes if chosen(chance, 0.7) else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(nk.from_caffe2, weights, net, given, verify=False, progress=False)
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3) and is_small(graph):
            check_graph(graph, chance)
    return READ


TARGETS = [Target("caffe2", ".caffe2", draw_caffe2, check_caffe2, smaller_bytes, 2.0)]
