"""Documents of dumped graphs that tests write value by value."""

import io
import json

import numpy as np
import pytest

import nnefkit as nk


def read(framework, document, arrays=None, **options):
    """The graph of a document and of arrays by name."""
    if isinstance(document, dict):
        document = json.dumps(document).encode()
    if not isinstance(arrays, bytes):
        packed = io.BytesIO()
        np.savez(packed, **(arrays or {}))
        arrays = packed.getvalue()
    reader = getattr(nk, f"from_{framework}")
    return reader(document, arrays=arrays, progress=False, **options)


def refusals(framework, *arguments, **options):
    """The messages and hints of the refusals of a graph."""
    with pytest.raises(nk.DocumentError) as raised:
        read(framework, *arguments, **options)
    return [(each.message, each.hint) for each in raised.value.diagnostics]


def value(kind="computed", shape=(1, 4), dtype="float32", name=None):
    return {"kind": kind, "shape": [*shape], "dtype": dtype, "name": name}


def node(op, inputs, outputs, **params):
    return {"op": op, "label": op, "params": params, "inputs": inputs, "outputs": outputs}


def document(framework, nodes, **changes):
    return {
        "format": f"{framework}-graph",
        "version": 1,
        "inputs": {"x": "v0"},
        "outputs": {"y": "v2"},
        "values": {"v0": value("input"), "v1": value(), "v2": value()},
        "nodes": nodes,
        **changes,
    }
