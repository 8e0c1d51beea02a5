"""Calls of MXNet's operators, with what MXNet 1.9.1 computed for them.

``operators.json`` has the calls, ``operators.npz`` what they compute. To add one, write its line,
and record it where MXNet 1.9.1 and NumPy before 1.24 are installed (Python 3.8), in ``tests``:
``python -m oracles.mxnet_operators``, and again with the variable ``MXNET_MKLDNN_ENABLED=0``, as
recurrent layers run only with oneDNN, and some others only without it.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

FILES = Path(__file__).parents[1] / "models" / "mxnet_files"
RECORD = FILES / "operators.npz"
CASES: dict[str, Any] = json.loads((FILES / "operators.json").read_text())
"""Name -> an operator, its attributes, how its inputs are drawn, and the number of outputs."""
_RANGES = {"pos": (0.2, 2.0), "up": (0.2, 2.0), "unit": (-0.9, 0.9)}
_PARAMETERS = ("p", "pos")


def _drawn(spec: list[Any], seed: int) -> Any:
    """Return the elements of an input.

    ``given`` and ``ints`` have elements, the others a shape: ``idx`` of whole numbers in a range,
    ``half`` of multiples of a half, ``pos`` and ``up`` of positive numbers, ``unit`` of numbers
    below 1, ``p`` and ``x`` of any numbers. ``p`` and ``pos`` are parameters.
    """
    rng, (kind, shape) = np.random.default_rng(seed), spec[:2]
    if kind in ("given", "ints"):
        return np.array(shape, np.float32 if kind == "given" else np.int32)
    if kind == "idx":
        return rng.integers(spec[2], spec[3], shape).astype(np.float32)
    if kind == "half":
        return (rng.integers(-6, 7, shape) / 2).astype(np.float32)
    return rng.uniform(*_RANGES.get(kind, (-1.5, 1.5)), shape).astype(np.float32)


def arrays_of(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs and the parameters of a case."""
    seed, inputs, parameters = zlib.crc32(name.encode()), {}, {}
    for number, spec in enumerate(CASES[name][2]):
        chosen = parameters if spec[0] in _PARAMETERS else inputs
        chosen["abcdefgh"[number]] = _drawn(spec, seed + number)
    return inputs, parameters


def symbol(name: str) -> str:
    """Return the symbol of a case: its inputs a, b, ..., and the node y."""
    op, attributes, inputs, count = CASES[name]
    names = "abcdefgh"[: len(inputs)]
    nodes = [{"op": "null", "name": each, "inputs": []} for each in names]
    entries = [[number, 0, 0] for number in range(len(names))]
    nodes.append({"op": op, "name": "y", "attrs": attributes, "inputs": entries})
    root = {
        "nodes": nodes,
        "arg_nodes": [*range(len(names))],
        "node_row_ptr": [*range(len(names) + 2)],
        "heads": [[len(names), number, 0] for number in range(count)],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    return json.dumps(root)


def _record() -> None:
    """Run all cases in MXNet, and write what it computes."""
    from importlib import import_module

    mxnet = import_module("mxnet")
    known = dict(np.load(RECORD)) if RECORD.is_file() else {}
    found: dict[str, Any] = {}
    for name in CASES:
        inputs, parameters = arrays_of(name)
        arrays = {**inputs, **parameters}
        shapes = {key: array.shape for key, array in arrays.items()}
        types = {key: array.dtype for key, array in arrays.items()}
        try:
            net = mxnet.sym.load_json(symbol(name))
            bound = net.simple_bind(mxnet.cpu(), grad_req="null", type_dict=types, **shapes)
            for target in (bound.arg_dict, bound.aux_dict):
                for key, array in target.items():
                    array[:] = arrays[key]
            results = [np.array(each.asnumpy()) for each in bound.forward(is_train=False)]
        except (ValueError, RuntimeError) as error:
            print(name, str(error).splitlines()[-1])
            found.update({key: each for key, each in known.items() if key.startswith(f"{name}/")})
            continue
        found.update({f"{name}/{number}": each for number, each in enumerate(results)})
    np.savez_compressed(RECORD, **found)


if __name__ == "__main__":
    _record()
