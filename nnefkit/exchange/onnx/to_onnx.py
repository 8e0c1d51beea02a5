"""NNEF graphs to ONNX models, by the lowering of the ONNX Runtime engine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from nnefkit.errors import Diagnostic, ExecutionError, InputError
from nnefkit.exchange.onnx.from_onnx import CODES_TOLERANCE
from nnefkit.exchange.onnx.model import require
from nnefkit.exchange.onnx.runtime import run_model
from nnefkit.exchange.proof import TOLERANCE, difference, random_inputs
from nnefkit.execution import Session
from nnefkit.execution.engines.onnxruntime.builder import MINIMUM_OPSET, OPSET
from nnefkit.execution.engines.onnxruntime.model import exported
from nnefkit.execution.quantized import pseudo_quantized
from nnefkit.execution.state import updates
from nnefkit.graph import Graph, expected_graph
from nnefkit.operations.shapes import infer_shapes
from nnefkit.storage import expected_path, replacing_file

_MOST_BYTES = 2**31 - 2**20
"""What a file of ONNX can hold, less some room for the nodes."""


def to_onnx(
    graph: Graph,
    path: str | os.PathLike[str] | None = None,
    *,
    opset: int | None = None,
    quantized: bool = False,
    verify: bool = True,
    tolerance: float | None = None,
) -> Any:
    """The graph as an ONNX model, its names kept.

    Variables that the graph updates become inputs, and their new values outputs, after the others.

    With ``quantized=True`` the quantization info of tensors (``graph.quant``) becomes pairs of
    QuantizeLinear and DequantizeLinear, and that of variables codes with DequantizeLinear, where
    ONNX has such: linear quantization to 8 bits, and to 16 from opset 21 on, some code of which
    stands for 0. Other quantization becomes the arithmetic that it consists of. Halves between two
    codes go to the even one there, to the greater one in NNEF.

    Args:
        graph: Any graph; its variables need data.
        path: Where to write the model, if anywhere.
        opset: The version of the ONNX operators, 16 at least; None for the newest that the packages
            onnx and onnxruntime, as they are installed, both have.
        quantized: Whether to carry out the quantization info.
        verify: Whether to run both on random inputs, and to compare them, before anything is
            written.
        tolerance: Largest difference allowed, relative to the largest item of an output; 1e-4 by
            default, or 0.05 for quantized models.

    Returns:
        The model, an ``onnx.ModelProto`` that passes ONNX's checker.

    Raises:
        MissingPackageError: the package onnx is not installed, or to verify onnxruntime.
        ExecutionError: ONNX cannot say an operation (all of them at once), the model does not
            compute what the graph does, or there is no quantization info.
        InputError: ONNX has no such opset, or the weights are too large for a file of ONNX.
        StorageError: the file cannot be written.
    """
    graph = expected_graph(graph)
    require()
    import onnx

    number = _known_opset(opset)
    plain = _prepared(graph)
    _refuse_large(plain)
    names: dict[str, str] = {}
    if quantized:
        carried = pseudo_quantized(plain, data=False)
        names = _swapped(plain, carried.sources)
        plain = infer_shapes(carried.graph)
    model = exported(plain, opset=number, codes=quantized)
    _rename(model, names)
    onnx.checker.check_model(model, full_check=True)
    if verify:
        allowed = CODES_TOLERANCE if quantized else TOLERANCE
        _verify(graph, model, quantized, allowed if tolerance is None else tolerance)
    if path is not None:
        with replacing_file(expected_path(path)) as file:
            file.write(model.SerializeToString())
    return model


def _known_opset(opset: int | None) -> int:
    from onnx import defs

    if opset is None:
        return newest_opset()
    newest = defs.onnx_opset_version()
    if isinstance(opset, bool) or not isinstance(opset, int):
        raise InputError(f"'opset' is a whole number, not {opset!r}")
    if not MINIMUM_OPSET <= opset <= newest:
        raise InputError(
            f"opset {opset} cannot be written; opsets {MINIMUM_OPSET} to {newest} can",
            hint="Older ones lack operators that are needed; newer ones need a newer 'onnx'.",
        )
    return opset


@cache
def newest_opset() -> int:
    """The newest opset that the packages onnx and onnxruntime, as installed, both have."""
    import onnx

    newest: int = onnx.defs.onnx_opset_version()
    try:
        import onnxruntime
    except ImportError:
        return OPSET
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    for opset in range(newest, OPSET, -1):
        try:
            onnxruntime.InferenceSession(_probe(opset).SerializeToString(), options)
        except Exception:  # noqa: BLE001, S112 - it has errors of many kinds for what it lacks
            continue
        return opset
    return OPSET


def _probe(opset: int) -> Any:
    """A model of operators that ONNX Runtime learns last."""
    from onnx import helper, numpy_helper

    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.uint8), "z"),
    ]
    x, y = (helper.make_tensor_value_info(name, 1, [1]) for name in "xy")
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(
        helper.make_graph(nodes, "probe", [x], [y], weights),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),
    )


def _prepared(graph: Graph) -> Graph:
    """`graph` without calls of fragments, its shapes known; refused if ONNX cannot say it."""
    from nnefkit.execution.engine import refuse_unsupported
    from nnefkit.execution.engines.onnxruntime import OnnxRuntimeEngine
    from nnefkit.execution.expansion import expanded

    graph = expanded(graph)
    refuse_unsupported(_Writer(OnnxRuntimeEngine()), graph, fallback=False)
    if any(tensor.shape is None for tensor in graph.tensors.values()):
        graph = infer_shapes(graph)
    return graph


def _refuse_large(graph: Graph) -> None:
    size = sum(t.data.nbytes for t in graph.tensors.values() if t.data is not None)
    if size > _MOST_BYTES:
        raise InputError(
            f"the weights have {size / 2**30:.2f} GiB, and a model of ONNX holds less than 2 GiB",
            hint="graph.between(...) cuts the graph in parts.",
        )


# -- names of what is quantized --------------------------------------------------------------------


def _swapped(graph: Graph, sources: Mapping[str, str]) -> dict[str, str]:
    """New names: inputs that are quantized keep theirs, and what comes of them gets another one."""
    inputs = {*graph.inputs, *updates(graph)}
    found: dict[str, str] = {}
    for name, raw in sources.items():
        if name in inputs:
            found |= {raw: name, name: f"{name}_quantized"}
        else:
            found[f"{raw}.codes"] = f"{name}.codes"
    return found


def _rename(model: Any, names: Mapping[str, str]) -> None:
    if not names:
        return
    graph = model.graph
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for info in (*graph.input, *graph.initializer):
        info.name = names.get(info.name, info.name)
    for info in graph.output:
        if info.name in names:
            # An output that is such an input: its own name is that of the input now.
            info.name = names[info.name]


# -- proof -----------------------------------------------------------------------------------------


def _verify(graph: Graph, model: Any, quantized: bool, tolerance: float) -> None:
    """Runs both, and compares their outputs."""
    given = random_inputs(graph)
    wanted = Session(graph, quantized=quantized).run(given, progress=False)
    states = {
        name: np.asarray(graph.tensors[name].data)
        for name in updates(graph)
        if graph.tensors[name].data is not None
    }
    found = run_model(model, {**given, **states})
    # New values of variables follow.
    for name, array in zip(wanted, found.values(), strict=False):
        apart = difference(array, wanted[name])
        if not apart <= tolerance:
            raise ExecutionError(
                Diagnostic(
                    "wrong-export",
                    f"the model does not compute what the graph does: '{name}' differs by "
                    f"{apart:.2g} of its largest item (at most {tolerance:.2g} is allowed)",
                    hint="tolerance=... allows for more; verify=False gives the model as it is.",
                )
            )


class _Writer:
    """The engine as one that only writes: what it lacks for running is no reason to refuse."""

    name = "onnx"

    def __init__(self, engine: Any) -> None:
        self.version = engine.version
        self.operations = engine.operations
        self._engine = engine

    def unsupported(self, graph: Graph) -> list[Any]:
        """The operations that ONNX has no operators for."""
        return [op for op in self._engine.unsupported(graph) if op.name not in self.operations]

    def why_not(self, graph: Graph, op: Any) -> str:
        """Why ONNX cannot say an operation."""
        return str(self._engine.why_not(graph, op))

    def prepare(self, graph: Graph, fetch: Any, watched: Any = ()) -> Any:
        """No engine to run with."""
        raise NotImplementedError
