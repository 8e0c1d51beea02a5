"""ONNX models: messages with changed fields, and bytes that are hardly messages."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any

import nnefkit as nk

from .mutation import EDGES, mutated_bytes, smaller_bytes
from .target import READ, REFUSED, Fault, Target, attempt, chosen, expect
from .texts import check_graph

STRINGS = [
    "",
    "x",
    "y",
    "w",
    "in0",
    "out0",
    "\u202e",
    "a/b",
    "x" * 300,
    "Relu",
    "Loop",
    "If",
    "Add",
]
STRINGS += ["ai.onnx", "com.microsoft", "axis", "axes", "value", "..", "/etc/passwd", "NOTSET"]
NUMBERS = [*EDGES, *(-number for number in EDGES if number <= 2**63)]
FLOATS = [0.0, -1.0, 1e-40, 1e38, float("inf"), float("nan"), 0.5]
MAX_BYTES = 20_000


def _drawn() -> list[bytes]:
    """Return models of one operator, as the tests of operators draw them."""
    folder = str(Path(__file__).parents[1] / "exchange" / "onnx")
    if folder not in sys.path:
        sys.path.append(folder)
    # All of them, in one order, whatever other tests have imported before.
    for path in sorted(Path(folder).glob("drawn_*.py")):
        import_module(path.stem)
    from node_drawing import DRAWERS, draw

    models = [draw(name, seed) for name in sorted(DRAWERS) for seed in range(4)]
    return [model[0].SerializeToString() for model in models if model is not None]


NETWORK = """
version 1.0;
graph net(x) -> (y, z)
{
    x = external(shape = [1, 2, 6, 6]);
    f = variable(shape = [4, 2, 3, 3], label = 'f');
    w = variable(shape = [3, 4], label = 'w');
    c = conv(x, f, 0.5, stride = [2, 2], padding = [(1, 1), (1, 1)]);
    r = relu(c);
    p = max_pool(r, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], border = 'ignore', padding = []);
    q = mean_reduce(p, axes = [2, 3]);
    s = squeeze(q, axes = [2, 3]);
    l = linear(s, w, 0.0);
    y = softmax(l);
    [a, b] = split(r, axis = 1, ratios = [1, 3]);
    z = concat([b, a], axis = 1);
}
"""


@cache
def models() -> list[bytes]:
    """Return small valid models: drawn ones, the tests of ONNX, and a network of ours."""
    import numpy as np
    import onnx.backend.test

    folder = Path(onnx.backend.test.__file__).parent / "data"
    files = [path.read_bytes() for path in sorted(folder.rglob("model.onnx"))]
    network = nk.parse(NETWORK)
    data = {"f": np.ones((4, 2, 3, 3), np.float32), "w": np.ones((3, 4), np.float32)}
    ours = nk.to_onnx(network.with_data(data)).SerializeToString()
    return [model for model in (*_drawn(), *files, *[ours] * 40) if len(model) < MAX_BYTES]


# -- drawing -------------------------------------------------------------------------------------


def draw_onnx(chance: Random) -> bytes:
    """Draw a model with a few changed fields, or changed bytes."""
    from onnx import ModelProto

    data = chance.choice(models())
    if chance.random() < 0.2:
        return mutated_bytes(data, chance)
    model = ModelProto.FromString(data)
    other = ModelProto.FromString(chance.choice(models()))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        messages = list(messages_of(model))
        message = chance.choice(messages)
        # Most of a model are names and shapes; nodes and attributes are where it is interpreted.
        if chance.random() < 0.5:
            kinds = ("NodeProto", "AttributeProto", "TensorProto")
            some = [m for m in messages if m.DESCRIPTOR.name in kinds]
            message = chance.choice(some) if some else message
        _change(message, other, chance)
    try:
        data = model.SerializeToString()
    except Exception:  # noqa: BLE001 - a string that is not UTF-8
        return data
    return data if len(data) < 4 * MAX_BYTES else data[: 4 * MAX_BYTES]


def messages_of(message: Any) -> Iterator[Any]:
    """Return a message and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in value if _repeated(field) else [value]:
                yield from messages_of(inner)


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == 3)


def _change(message: Any, other: Any, chance: Random) -> None:
    fields = message.DESCRIPTOR.fields
    present = [field for field, _ in message.ListFields()]
    field = chance.choice(present if present and chance.random() < 0.8 else fields)
    if chance.random() < 0.12:
        message.ClearField(field.name)
    elif field.type == field.TYPE_MESSAGE:
        _change_messages(message, field, other, chance)
    elif _repeated(field):
        values = getattr(message, field.name)
        items = list(values)
        for _ in range(chance.choice((1, 1, 2))):
            at = chance.randrange(len(items)) if items else 0
            match chance.randrange(4):
                case 0:
                    del items[at : at + chance.choice((1, 1, 5))]
                case 1:
                    items[at:at] = items[at : at + 3] or [_value(field, chance)]
                case 2 if len(items) > 1:
                    items.reverse()
                case _:
                    items[at : at + 1] = [_value(field, chance, items)]
        del values[:]
        values.extend(items)
    else:
        setattr(message, field.name, _value(field, chance, [getattr(message, field.name)]))


def _change_messages(message: Any, field: Any, other: Any, chance: Random) -> None:
    alike = [m for m in messages_of(other) if field.message_type == m.DESCRIPTOR]
    value = getattr(message, field.name)
    if not _repeated(field):
        if alike and chance.random() < 0.7:
            value.CopyFrom(chance.choice(alike))
        else:
            value.SetInParent()
        return
    items = list(value)
    at = chance.randrange(len(items)) if items else 0
    match chance.randrange(5):
        case 0:
            del items[at : at + 1]
        case 1:
            items[at:at] = items[at : at + chance.choice((1, 2))]
        case 2 if len(items) > 1:
            to = chance.randrange(len(items))
            items[at], items[to] = items[to], items[at]
        case 3 if alike:
            items[at : at + chance.randrange(2)] = [chance.choice(alike)]
        case _:
            items.append(type(items[0])() if items else field.message_type._concrete_class())
    copies = [type(item)() for item in items]
    for copy, item in zip(copies, items, strict=True):
        copy.CopyFrom(item)
    del value[:]
    value.extend(copies)


def _value(field: Any, chance: Random, near: Any = ()) -> Any:
    """Return a value of the type of a field, often one that is near to another."""
    cpp = field.cpp_type
    if cpp in (
        field.CPPTYPE_INT32,
        field.CPPTYPE_INT64,
        field.CPPTYPE_UINT32,
        field.CPPTYPE_UINT64,
    ):
        signed = cpp in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
        bits = 32 if cpp in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 64
        number = chance.choice(NUMBERS)
        if near and chance.random() < 0.7:
            number = chance.choice(near) + chance.choice((-1, 1, 2))
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return min(max(number, low), high)
    if cpp == field.CPPTYPE_ENUM:
        return chance.choice([*field.enum_type.values_by_number])
    if field.type == field.TYPE_BYTES:
        before = bytes(near[0]) if near else b""
        return chance.choice((mutated_bytes(before, chance), b"", b"\xff\xfe", before * 3))
    if cpp == field.CPPTYPE_STRING:
        return chance.choice(STRINGS)
    return chance.choice(FLOATS)


# -- promises ------------------------------------------------------------------------------------


def check_onnx(data: bytes, chance: Any) -> str:
    """Check the promises for any model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(nk.from_onnx, data, verify=False)
        if graph is None:
            return REFUSED
        elements = sum(t.data.size for t in graph.tensors.values() if t.data is not None)
        expect(elements < 1 << 26, "a small model becomes a large graph", elements)
        if chosen(chance, 0.3):
            try:
                check_graph(graph, chance)
            except Fault:
                if _is_valid(data):
                    raise
                return "not valid"
    return READ


def _is_valid(data: bytes) -> bool:
    """Return whether the types and shapes of a model are those that its operators allow."""
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(data, check_type=True, strict_mode=True)
        # Models may leave the types of their outputs open, which the checker does not allow.
        known = [info for info in model.graph.output if info.type.tensor_type.HasField("shape")]
        del model.graph.output[:]
        model.graph.output.extend(known)
        onnx.checker.check_model(model, full_check=True)
    except Exception:  # noqa: BLE001 - of several kinds
        return False
    return True


def check_proof(data: bytes, chance: Any) -> str:
    """Check that a model which is read computes what ONNX Runtime computes."""
    from onnx import ModelProto
    from oracles.foreign.onnx_faults import has_known_fault

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph, _ = attempt(nk.from_onnx, data, verify=False)
        if graph is None or not _small(graph):
            return REFUSED
        _, error = attempt(nk.from_onnx, data, progress=False)
        if error is not None:
            wrong = [d for d in error.diagnostics if d.code == "wrong-export"]
            if wrong and not (_is_valid(data) and _is_finite(graph)):
                # Results for types that an operator does not allow are not defined, and
                # so is whether it multiplies a border of zeros by an infinite weight.
                return "not valid"
            if wrong and (has_known_fault(ModelProto.FromString(data)) or _is_evaluated(data)):
                return "foreign fault"
            expect(not wrong, f"{_operators(data)} is read wrongly", error)
            return "not run"
    return READ


def _is_evaluated(data: bytes) -> bool:
    """Return whether ONNX Runtime cannot run a model, so that the evaluator computed it.

    The evaluator computes something from attributes that are not allowed, and it is wrong for
    several activations of a recurrent layer, a LRN of other parameters and old poolings.
    """
    import numpy as np
    import onnxruntime
    from onnx import ModelProto, helper

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    graph = ModelProto.FromString(data).graph
    weights = {tensor.name for tensor in graph.initializer}
    types = {i.name: i.type.tensor_type for i in graph.input if i.name not in weights}
    try:
        zeros = {
            name: np.zeros(
                [dimension.dim_value for dimension in type_.shape.dim],
                helper.tensor_dtype_to_np_dtype(type_.elem_type),
            )
            for name, type_ in types.items()
        }
        onnxruntime.InferenceSession(data, options).run(None, zeros)
    except Exception:  # noqa: BLE001 - of many kinds
        return True
    return False


def _operators(data: bytes) -> str:
    """Return the operators of a model, which identify a fault."""
    from onnx import ModelProto

    names = sorted({node.op_type for node in ModelProto.FromString(data).graph.node})
    return ", ".join(names[:3]) or "a model"


def _is_finite(graph: nk.Graph) -> bool:
    import numpy as np

    data = [tensor.data for tensor in graph.tensors.values() if tensor.data is not None]
    return all(bool(np.isfinite(values).all()) for values in data)


def _small(graph: nk.Graph) -> bool:
    """Return whether a run takes little time."""
    shapes = [tensor.shape or () for tensor in graph.tensors.values()]
    volumes = [float(math.prod(shape)) for shape in shapes]
    return sum(volumes) < 1e6 and sum(op.macs or 0 for op in graph.operations) < 1e7


def smaller_model(data: bytes) -> Iterator[bytes]:
    """Return models without some of their fields; fewer bytes where they are not a model."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(data)
    except DecodeError:
        yield from smaller_bytes(data)
        return
    count = sum(1 for _ in messages_of(model))
    for index in range(count):
        for field, value in list(messages_of(model))[index].ListFields():
            copy = ModelProto()
            copy.CopyFrom(model)
            message = list(messages_of(copy))[index]
            if _repeated(field) and len(value) > 1:
                for at in range(len(value)):
                    copy.CopyFrom(model)
                    message = list(messages_of(copy))[index]
                    del getattr(message, field.name)[at]
                    yield copy.SerializeToString()
            else:
                message.ClearField(field.name)
                yield copy.SerializeToString()


TARGETS = [
    Target("onnx", ".onnx", draw_onnx, check_onnx, smaller_model, 2.0),
    Target("onnx_proof", ".onnx", draw_onnx, check_proof, smaller_model, 4.0),
]
