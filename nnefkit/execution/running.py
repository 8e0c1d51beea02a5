"""Running a graph once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nnefkit.arguments import expected_names
from nnefkit.execution.session import Outputs, Session
from nnefkit.execution.trace.recorder import Keep
from nnefkit.execution.trace.trace import Trace
from nnefkit.graph import Graph, expected_graph


def run(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    outputs: str | Iterable[str] | None = None,
    *,
    progress: bool | None = None,
    quantized: bool = False,
    **options: Any,
) -> Outputs:
    """Runs a graph once; `Session` prepares it for many runs.

    Args:
        graph: What to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines()` lists them. ``"auto"`` is the fastest one
            that is installed and can run the graph.
        outputs: Names of the tensors to compute instead of the graph's own outputs.
        progress: Whether to show a progress bar; None shows it in runs of more than a second.
        quantized: Whether each tensor with quantization info (``graph.quant``) is quantized right
            after its value is computed (7.1).
        **options: What the engine lets one choose, such as ``threads=2``; ``fallback="numpy"``
            runs what the engine cannot in numpy.

    Returns:
        Output name -> array; ``outputs.engine`` is the engine that ran.

    Raises:
        InputError: an input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: there is no such engine, tensor or option.
        ExecutionError: the engine cannot run the graph, or an operation failed.
    """
    if outputs is not None:
        # What only other outputs need is not even looked at.
        names = expected_names(outputs, "outputs")
        graph = replace(
            expected_graph(graph), outputs=tuple(graph.tensor(name).name for name in names)
        )
    session = Session(graph, engine, quantized=quantized, **options)
    return session.run(inputs, progress=progress)


def trace(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    keep: Keep = "all",
    *,
    spill: str | Path | None = None,
    progress: bool | None = None,
    quantized: bool = False,
    **options: Any,
) -> Trace:
    """Runs a graph once and keeps what flows between its operations.

    Args:
        graph: What to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines()` lists them. ``"auto"`` is the fastest one
            that is installed and can run the graph.
        keep: ``"all"`` tensors, their ``"statistics"`` only, the names of some, or a function that
            says of a name whether to keep it.
        spill: A folder; the values are written to files in it and mapped, instead of held in
            memory. The files go when the trace does.
        progress: Whether to show a progress bar; None shows it in runs of more than a second.
        quantized: Whether each tensor with quantization info (``graph.quant``) is quantized right
            after its value is computed (7.1). What an operation computed before that is in the
            trace, too: as ``x_unquantized``, if the tensor is called ``x``.
        **options: What the engine lets one choose, such as ``threads=2``; ``fallback="numpy"``
            runs what the engine cannot in numpy.

    Raises:
        InputError: an input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: there is no such engine, tensor or option.
        ExecutionError: the engine cannot run the graph, or an operation failed.
    """
    session = Session(graph, engine, quantized=quantized, **options)
    return session.trace(inputs, keep, spill=spill, progress=progress)
