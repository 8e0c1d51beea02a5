"""nnefkit: the workbench for the Khronos Neural Network Exchange Format (NNEF) in notebooks.

    import nnefkit as nk

    graph = nk.load("model.nnef.tgz")     # a Graph; it shows itself in a notebook
    nk.validate("model.nnef.tgz")         # all that is wrong with a model
    nk.run(graph, {"input": array})       # output name -> array
    nk.trace(graph, {"input": array})     # every tensor of the run
    nk.compare(trace_a, trace_b)          # where two runs part

Every result shows itself in a notebook, and in a terminal.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from nnefkit import plot, widgets
    from nnefkit.analysis import Comparison, Tolerance, ValidationReport, compare, validate
    from nnefkit.custom_operations import (
        CustomOperations,
        register_operation,
        unregister_operation,
    )
    from nnefkit.errors import (
        ArgumentError,
        Diagnostic,
        DocumentError,
        ExecutionError,
        FrozenError,
        InputError,
        MissingPackageError,
        NnefError,
        StorageError,
        UnknownNameError,
    )
    from nnefkit.exchange import (
        from_onnx,
        from_torch,
        to_onnx,
        to_torch,
        trace_onnx,
        trace_torch,
    )
    from nnefkit.execution import Session, Step, Trace, run, step, trace
    from nnefkit.execution.engine_list import engines
    from nnefkit.graph import Graph, Identifier, Operation, Tensor
    from nnefkit.io import infer_shapes, load, parse, save, to_text
    from nnefkit.language import format_document as format  # noqa: A004 - what it is called everywhere
    from nnefkit.lowering import lower
    from nnefkit.storage import read_tensor, write_tensor

    __version__: str

# Where each public name lives: a room is imported when something of it is first asked for, so that
# `import nnefkit` costs next to nothing.
_ROOMS = {
    "nnefkit.analysis": ("Comparison", "Tolerance", "ValidationReport", "compare", "validate"),
    "nnefkit.custom_operations": (
        *("CustomOperations", "register_operation", "unregister_operation"),
    ),
    "nnefkit.errors": (
        *("ArgumentError", "Diagnostic", "DocumentError", "ExecutionError", "FrozenError"),
        *("InputError", "MissingPackageError", "NnefError", "StorageError", "UnknownNameError"),
    ),
    "nnefkit.exchange": (
        *("from_onnx", "from_torch", "to_onnx", "to_torch", "trace_onnx", "trace_torch"),
    ),
    "nnefkit.execution": ("Session", "Step", "Trace", "run", "step", "trace"),
    "nnefkit.execution.engine_list": ("engines",),
    "nnefkit.graph": ("Graph", "Identifier", "Operation", "Tensor"),
    "nnefkit.io": ("infer_shapes", "load", "parse", "save", "to_text"),
    "nnefkit.lowering": ("lower",),
    "nnefkit.language": ("format",),
    "nnefkit.storage": ("read_tensor", "write_tensor"),
}
_HOMES = {name: room for room, names in _ROOMS.items() for name in names}
# A builtin has this name: inside of the package the function says what it formats.
_ALIASES = {"format": "format_document"}

__all__ = [
    "ArgumentError",
    "Comparison",
    "CustomOperations",
    "Diagnostic",
    "DocumentError",
    "ExecutionError",
    "FrozenError",
    "Graph",
    "Identifier",
    "InputError",
    "MissingPackageError",
    "NnefError",
    "Operation",
    "Session",
    "Step",
    "StorageError",
    "Tensor",
    "Tolerance",
    "Trace",
    "UnknownNameError",
    "ValidationReport",
    "compare",
    "engines",
    "format",
    "from_onnx",
    "from_torch",
    "infer_shapes",
    "load",
    "lower",
    "parse",
    "plot",
    "read_tensor",
    "register_operation",
    "run",
    "save",
    "step",
    "to_onnx",
    "to_text",
    "to_torch",
    "trace",
    "trace_onnx",
    "trace_torch",
    "unregister_operation",
    "validate",
    "widgets",
    "write_tensor",
]


def __getattr__(name: str) -> object:
    found: object
    if name in _HOMES:
        found = getattr(_import_module(_HOMES[name]), _ALIASES.get(name, name))
    elif name in ("plot", "widgets"):
        found = _import_module(f"nnefkit.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        found = version("nnefkit")
    else:
        raise AttributeError(f"module 'nnefkit' has no attribute '{name}'")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
