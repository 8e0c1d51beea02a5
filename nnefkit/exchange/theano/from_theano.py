"""The function `from_theano`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.exchange.dumped.document import Dump
from nnefkit.exchange.dumped.from_dump import Files, proved, reading
from nnefkit.exchange.source_shapes import checked_shape, recorded_in_source
from nnefkit.graph import Graph


def from_theano(
    path: str | os.PathLike[str] | bytes,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | str | None = None,
    *,
    arrays: str | os.PathLike[str] | bytes | None = None,
    run: str | os.PathLike[str] | bytes | None = None,
    verify: bool = True,
    tolerance: float | None = None,
    engine: str = "numpy",
    dynamic_shapes: Mapping[str, Any] | None = None,
    progress: bool | None = None,
) -> Graph:
    """Read a Theano graph that the script of nnefkit dumped, without Theano.

    Theano has no file format for graphs. ``nnefkit export-script theano`` writes a script that
    stores a graph where Theano is installed (``net.json``), with its weights and, if it gets
    examples of the inputs, a run of it (``net.npz``).

    What a graph computes from shapes is computed while it is read. Loops (``scan``) are unrolled if
    their number of steps is known then. The recorded run proves the graph: it must compute the same
    from the same inputs. Without one, the provenance says ``verified: False``.

    Args:
        path: The path of the ``.json`` file, or its bytes.
        input_shapes: Input name -> shape; by default those of the recorded run, or of the file.
        outputs: Names of outputs, or ids of values, to cut the graph; all outputs by default.
        arrays: The path of the ``.npz`` file, or its bytes; by default the one of the same name.
        run: The ``.npz`` file of a recorded run, with arrays ``inputs/x``, ``outputs/y`` and
            ``tensors/id``; by default that of the arrays, or for ``net.graph.json`` the file
            ``net.npz``.
        verify: Whether to compare the graph with the recorded run.
        tolerance: Largest allowed difference, relative to the largest element of a tensor; 1e-4 by
            default. By default outputs may also differ by more, if each operation agrees with
            Theano's on its own.
        engine: The engine that runs the graph.
        dynamic_shapes: Axes that may have other extents; see `from_torch`.
        progress: Whether to show a progress bar; None shows it where this takes more than a second.

    Returns:
        The graph, in the layout of Theano. Tensors have the names of variables or operations, and
        as their origin the ids of values in the file.

    Raises:
        DocumentError: NNEF cannot express the graph; one diagnostic for each operation.
        ExecutionError: The outputs differ from the recorded run, with the first tensor that does.
        InputError: It is not such a graph, or an input has no shape.
        StorageError: A file cannot be read, or is damaged.
        UnknownNameError: The graph has no input, output or value of a given name.

    Example:
        >>> import io, numpy as np
        >>> arrays = io.BytesIO()
        >>> np.savez(arrays, **{"inputs/x": [[1.5, -2]], "outputs/y": [[2.25, 4]]})
        >>> graph = nk.from_theano(b'''{
        ...     "format": "theano-graph", "version": 1, "theano": "1.0.5",
        ...     "inputs": {"x": "v0"}, "outputs": {"y": "v1"},
        ...     "values": {"v0": {"kind": "input", "shape": [null, 2], "dtype": "float32"},
        ...                "v1": {"kind": "computed", "shape": [null, null], "dtype": "float32"}},
        ...     "nodes": [{"op": "Elemwise", "scalar_op": {"op": "Sqr", "params": {}},
        ...                "params": {}, "inputs": ["v0"], "outputs": ["v1"]}]
        ... }''', arrays=arrays.getvalue())
        >>> print(graph.operations[1], graph.provenance["verified"])
        y = sqr(x); True
    """
    # The readers of all operations are imported when the first graph is read.
    from nnefkit.exchange.theano.call import Call
    from nnefkit.exchange.theano.operations import THEANO

    files = Files(path, arrays, run)
    with reading(THEANO, Call, files, outputs, progress) as (source, bar):
        shapes = _shapes(source.dump, source.recorded_shapes(), input_shapes or {})
        graph = source.graph(shapes, bar)
        graph = recorded_in_source(graph, source.graph, dynamic_shapes, bar)
        return proved(source, graph, verify=verify, engine=engine, tolerance=tolerance, bar=bar)


def _shapes(
    dump: Dump,
    recorded: Mapping[str, tuple[int, ...]],
    given: Mapping[str, Sequence[int]],
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each input."""
    for name in given:
        if name not in dump.inputs:
            raise UnknownNameError(
                f"the graph has no input '{name}'",
                hint=did_you_mean(name, dump.inputs) or f"Its inputs are {', '.join(dump.inputs)}.",
                file=dump.path,
            )
    shapes = {}
    for name, id_ in dump.inputs.items():
        declared = dump.values[id_].shape
        if name in given:
            rank = None if declared is None else len(declared)
            shapes[name] = checked_shape(name, given[name], rank, dump.path)
        elif name in recorded:
            shapes[name] = recorded[name]
        elif declared is not None and None not in declared:
            shapes[name] = tuple(n or 0 for n in declared)
        else:
            rank = 2 if declared is None else len(declared)
            raise InputError(
                f"input '{name}' has no shape",
                hint=f"Pass one: input_shapes={{'{name}': {(1,) * rank}}}, for example.",
                file=dump.path,
            )
    return shapes
