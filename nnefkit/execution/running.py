"""Running a graph once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit.execution.keeping import Keep
from nnefkit.execution.session import Session
from nnefkit.execution.trace import Trace
from nnefkit.graph import Graph

Array = np.ndarray[Any, Any]


def run(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    outputs: str | Iterable[str] | None = None,
    *,
    progress: bool | None = None,
    **options: Any,
) -> dict[str, Array]:
    """Runs a graph once; `Session` prepares it for many runs.

    Args:
        graph: What to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines()` lists them.
        outputs: Names of the tensors to compute instead of the graph's own outputs.
        progress: Whether to show a progress bar; None shows it in runs of more than a second.
        **options: What the engine lets one choose, such as ``threads=2``.

    Returns:
        Output name -> array.

    Raises:
        InputError: an input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: there is no such engine, tensor or option.
        ExecutionError: the engine cannot run the graph, or an operation failed.
    """
    return Session(graph, engine, **options).run(inputs, outputs, progress=progress)


def trace(
    graph: Graph,
    inputs: Any,
    engine: str = "numpy",
    keep: Keep = "all",
    *,
    spill: str | Path | None = None,
    progress: bool | None = None,
    **options: Any,
) -> Trace:
    """Runs a graph once and keeps what flows between its operations.

    Args:
        graph: What to run.
        inputs: Input name -> array-like; or one array-like, if the graph has one input.
        engine: Name of the engine; `nnefkit.engines()` lists them.
        keep: ``"all"`` tensors, their ``"statistics"`` only, the names of some, or a function that
            says of a name whether to keep it.
        spill: A folder; the values are written to files in it and mapped, instead of held in
            memory. The files go when the trace does.
        progress: Whether to show a progress bar; None shows it in runs of more than a second.
        **options: What the engine lets one choose, such as ``threads=2``.

    Raises:
        InputError: an input is missing, unknown, or of a wrong shape or dtype.
        UnknownNameError: there is no such engine, tensor or option.
        ExecutionError: the engine cannot run the graph, or an operation failed.
    """
    return Session(graph, engine, **options).trace(inputs, keep, spill=spill, progress=progress)
