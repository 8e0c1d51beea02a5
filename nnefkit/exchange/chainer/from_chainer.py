"""The function `from_chainer`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nnefkit.errors import InputError
from nnefkit.exchange.dumped.from_dump import Files, proved, reading
from nnefkit.exchange.extents import recorded
from nnefkit.graph import Graph
from nnefkit.graph.extents import Shapes


def from_chainer(
    path: str | os.PathLike[str] | bytes,
    outputs: Sequence[str] | str | None = None,
    *,
    arrays: str | os.PathLike[str] | bytes | None = None,
    run: str | os.PathLike[str] | bytes | None = None,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    progress: bool | None = None,
) -> Graph:
    """Read a Chainer model that the script of nnefkit dumped, without Chainer.

    Chainer stores the parameters of a model, but not its graph. ``nnefkit export-script chainer``
    writes a script that runs the model once where Chainer is installed, and stores the graph
    (``net.json``), its parameters and the run (``net.npz``).

    A graph of Chainer is that of one example: it has the extents of its inputs. The recorded run
    proves it: the graph must compute the same from the same inputs. Without one, the provenance
    says ``verified: False``.

    Args:
        path: The path of the ``.json`` file, or its bytes.
        outputs: Names of outputs, or ids of values, to cut the graph; all outputs by default.
        arrays: The path of the ``.npz`` file, or its bytes; by default the one of the same name.
        run: The ``.npz`` file of a recorded run, with arrays ``inputs/x``, ``outputs/y`` and
            ``tensors/id``; by default that of the arrays, or for ``net.graph.json`` the file
            ``net.npz``.
        verify: Whether to compare the graph with the recorded run.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with the
            function on its own.
        engine: The engine that runs the graph.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph, in the layout of Chainer. Tensors have the names of links and functions, and
        as their origin the ids of values in the file.

    Raises:
        DocumentError: NNEF cannot express the graph; one diagnostic for each function, and for each
            value that Chainer computed outside of its graph.
        ExecutionError: The outputs differ from the recorded run, with the first tensor that does.
        InputError: It is not such a graph.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: The graph has no output or value of a given name.

    Example:
        >>> import io, numpy as np
        >>> arrays = io.BytesIO()
        >>> np.savez(arrays, **{"inputs/x": [[1.5, -2]], "outputs/y": [[1.5, 0]]})
        >>> graph = nk.from_chainer(b'''{
        ...     "format": "chainer-graph", "version": 1, "chainer": "7.8.1",
        ...     "inputs": {"x": "v0"}, "outputs": {"y": "v1"},
        ...     "values": {"v0": {"kind": "input", "shape": [1, 2], "dtype": "float32"},
        ...                "v1": {"kind": "computed", "shape": [1, 2], "dtype": "float32"}},
        ...     "nodes": [{"op": "ReLU", "params": {}, "inputs": ["v0"], "outputs": ["v1"]}]
        ... }''', arrays=arrays.getvalue())
        >>> print(graph.operations[1], graph.provenance["verified"])
        y = relu(x); True
    """
    # The readers of all functions are imported when the first graph is read.
    from nnefkit.exchange.chainer.call import Call
    from nnefkit.exchange.chainer.functions import CHAINER

    files = Files(path, arrays, run)
    with reading(CHAINER, Call, files, outputs, progress) as (source, bar):
        shapes = _shapes(source.dump.path, source.dump.values, source.dump.inputs)
        graph = source.graph(shapes, bar)

        def converted(other: Shapes) -> Graph:
            named = {graph.tensors[n].origin or n: tuple(s) for n, s in other.items()}
            if named != shapes:
                raise InputError(
                    "a Chainer graph is that of one example",
                    hint="Dump the model with an example of the wanted extents.",
                )
            return source.graph(shapes)

        graph = recorded(graph, converted)
        return proved(source, graph, verify=verify, engine=engine, tolerance=tolerance, bar=bar)


def _shapes(
    path: str, values: Mapping[str, Any], inputs: Mapping[str, str]
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, id_ in inputs.items():
        shape = values[id_].shape
        if shape is None or None in shape:
            raise InputError(f"input '{name}' has no shape", file=path)
        shapes[name] = shape
    return shapes
