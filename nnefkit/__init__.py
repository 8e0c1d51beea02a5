"""nnefkit: the workbench for the Khronos Neural Network Exchange Format (NNEF) in notebooks.

import nnefkit as nk

graph = nk.load("model.nnef.tgz")     # a Graph; it shows itself in a notebook
nk.validate("model.nnef.tgz")         # all that is wrong with a model
nk.run(graph, {"input": array})       # output name -> array
nk.trace(graph, {"input": array})     # every tensor of the run
nk.compare(trace_a, trace_b)          # where two runs part
"""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from types import ModuleType as _ModuleType

from nnefkit.analysis import Comparison, ValidationReport, compare, validate
from nnefkit.errors import (
    ArgumentError,
    Diagnostic,
    DocumentError,
    ExecutionError,
    InputError,
    MissingPackageError,
    NnefError,
    StorageError,
    UnknownNameError,
)
from nnefkit.execution import Session, Trace, run, step, trace
from nnefkit.execution.listing import engines
from nnefkit.graph import Graph, Identifier, Operation, Tensor
from nnefkit.io import load, parse, save
from nnefkit.operations.shapes import infer_shapes
from nnefkit.storage import read_tensor, write_tensor

__version__ = _version("nnefkit")

__all__ = [
    "ArgumentError",
    "Comparison",
    "Diagnostic",
    "DocumentError",
    "ExecutionError",
    "Graph",
    "Identifier",
    "InputError",
    "MissingPackageError",
    "NnefError",
    "Operation",
    "Session",
    "StorageError",
    "Tensor",
    "Trace",
    "UnknownNameError",
    "ValidationReport",
    "compare",
    "engines",
    "infer_shapes",
    "load",
    "parse",
    "plot",
    "read_tensor",
    "run",
    "save",
    "step",
    "trace",
    "validate",
    "widgets",
    "write_tensor",
]

_LAZY = {"plot": "nnefkit.plot", "widgets": "nnefkit.widgets"}


def __getattr__(name: str) -> _ModuleType:
    # They need matplotlib and ipywidgets, which take long to import.
    if name in _LAZY:
        module = _import_module(_LAZY[name])
        globals()[name] = module
        return module
    raise AttributeError(f"module 'nnefkit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
