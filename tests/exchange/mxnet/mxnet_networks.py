"""MXNet files that are written array by array, and symbols that are written node by node."""

import json
import struct

import numpy as np

import nnefkit as nk

CODES = {
    "float32": 0,
    "float64": 1,
    "float16": 2,
    "uint8": 3,
    "int32": 4,
    "int8": 5,
    "int64": 6,
    "bool": 7,
}


def array_of(data, magic=0xF993FAC9, code=None):
    """The bytes of an array; in the oldest form without a magic number."""
    data = np.asarray(data)
    dims = struct.pack(f"<{data.ndim}{'q' if magic else 'I'}", *data.shape)
    head = struct.pack("<I", magic) if magic else b""
    if magic in (0xF993FAC9, 0xF993FACA):
        head += struct.pack("<i", 0)
    kind = CODES[data.dtype.name] if code is None else code
    device = struct.pack("<iii", 1, 0, kind)
    return head + struct.pack("<I", data.ndim) + dims + device + data.tobytes()


def file_of(arrays, names=()):
    """The bytes of a file of arrays, which are bytes themselves."""
    written = struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays)
    written += struct.pack("<Q", len(names))
    for name in names:
        written += struct.pack("<Q", len(name.encode())) + name.encode()
    return written


def params_of(arrays):
    """The bytes of a file of parameters by name."""
    return file_of([array_of(each) for each in arrays.values()], [f"arg:{n}" for n in arrays])


def node(op, name, inputs=(), **attributes):
    """A node that reads the first outputs of others by number, or (number, output)."""
    entries = [[each, 0, 0] if isinstance(each, int) else [*each, 0] for each in inputs]
    return {"op": op, "name": name, "attrs": attributes, "inputs": entries}


def variable(name, **attributes):
    return node("null", name, **attributes)


def symbol_of(*nodes, heads=None, version=10901):
    """The bytes of a symbol; its output is that of the last node by default."""
    entries = heads or [[len(nodes) - 1, 0, 0]]
    root = {"nodes": [*nodes], "heads": entries, "attrs": {"mxnet_version": ["int", version]}}
    return json.dumps(root).encode()


def read(symbol, params=None, shapes=None, **options):
    """The graph of a symbol; its input x has the shape 2 x 3 x 4 by default."""
    shapes = {"x": (2, 3, 4)} if shapes is None else shapes
    return nk.from_mxnet(symbol, params, shapes, verify=False, progress=False, **options)
