"""Torch7 networks that tests write down, read, and run."""

import numpy as np
from oracles.torch7_files import written

import nnefkit as nk

RNG = np.random.default_rng(0)


def numbers(*shape):
    return RNG.uniform(-1.5, 1.5, shape).astype(np.float32)


def places(given, name="input"):
    """The inputs of a network: one array, or a list of arrays and lists, by name."""
    if isinstance(given, np.ndarray):
        return {name: given}
    join = "" if name == "input" else "_"
    parts = (places(part, f"{name}{join}{number}") for number, part in enumerate(given, 1))
    return {key: array for part in parts for key, array in part.items()}


def read(module, given, *, file=None, **options):
    """The graph of a module for the shapes of arrays."""
    shapes = {name: array.shape for name, array in places(given).items()}
    data = written(module, **(file or {}))
    return nk.from_torch7(data, shapes, verify=False, progress=False, **options)


def computed(module, given, **options):
    """What a module computes: an array, or a list of arrays."""
    graph = read(module, given, **options)
    results = [*nk.run(graph, places(given)).values()]
    return results[0] if graph.outputs == ("output",) else results
