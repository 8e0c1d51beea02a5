"""nnefkit: a workbench for neural networks in the Khronos NNEF 1.0.5 format.

It loads, validates, runs, traces, compares and draws models, and converts them from and to ONNX and
PyTorch, and from TFLite::

    import nnefkit as nk

    report = nk.validate("model.nnef.tgz")       # all errors and warnings, each with a hint
    graph = nk.load("model.nnef.tgz")            # the graph, with its shapes and weights
    outputs = nk.run(graph, {"input": array})    # output name -> NumPy array
    trace = nk.trace(graph, {"input": array})    # every intermediate tensor, with statistics
    nk.compare(trace, "recorded.npz")            # where two runs diverge, and why
    nk.from_onnx("network.onnx")                 # a graph, checked against the ONNX model
    nk.save(graph, "copy.nnef.tgz")              # the model as an archive or a folder

In a notebook, graphs, reports, traces and comparisons are displayed as diagrams and tables; in a
terminal, as text. Problems with a model are raised as subclasses of `NnefError`. The command line
does the same: see ``nnefkit --help``.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from nnefkit import compat, plot, widgets
    from nnefkit.analysis import (
        Blame,
        ComparedInputs,
        Comparison,
        Cost,
        Diff,
        PrecisionCurve,
        Profile,
        QuantizationReport,
        QuantizedGraph,
        Sensitivity,
        Tolerance,
        ValidationReport,
        blame,
        compare,
        compare_many,
        cost,
        diff,
        precision_curve,
        profile,
        quantize,
        sensitivity,
        validate,
    )
    from nnefkit.budget import Budget
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
        from_caffe,
        from_caffe2,
        from_chainer,
        from_keras,
        from_mxnet,
        from_onnx,
        from_tensorflow,
        from_tflite,
        from_theano,
        from_torch,
        from_torch7,
        to_onnx,
        to_tflite,
        to_torch,
        trace_keras,
        trace_onnx,
        trace_tflite,
        trace_torch,
    )
    from nnefkit.execution import (
        Session,
        Step,
        Stepper,
        Trace,
        TracedInputs,
        run,
        step,
        trace,
        trace_many,
    )
    from nnefkit.execution.engine_list import engines
    from nnefkit.graph import Graph, Identifier, Operation, Tensor
    from nnefkit.io import infer_shapes, load, parse, save, to_text
    from nnefkit.language import format_document as format  # noqa: A004 - its public name
    from nnefkit.lowering import lower
    from nnefkit.pictures.report import report
    from nnefkit.storage import read_tensor, write_tensor
    from nnefkit.widgets.workbench import view

    __version__: str

# The module of each public name. A module is imported when one of its names is first used, so that
# `import nnefkit` takes almost no time.
_MODULES = {
    "nnefkit.analysis": (
        *("Blame", "ComparedInputs", "Comparison", "Cost", "Diff", "PrecisionCurve", "Profile"),
        *("QuantizationReport", "QuantizedGraph", "Sensitivity", "Tolerance", "ValidationReport"),
        *("blame", "compare", "compare_many", "cost", "diff", "precision_curve", "profile"),
        *("quantize", "sensitivity", "validate"),
    ),
    "nnefkit.budget": ("Budget",),
    "nnefkit.custom_operations": (
        *("CustomOperations", "register_operation", "unregister_operation"),
    ),
    "nnefkit.errors": (
        *("ArgumentError", "Diagnostic", "DocumentError", "ExecutionError", "FrozenError"),
        *("InputError", "MissingPackageError", "NnefError", "StorageError", "UnknownNameError"),
    ),
    "nnefkit.exchange": (
        *("from_caffe", "from_caffe2", "from_chainer", "from_keras", "from_mxnet", "from_onnx"),
        *("from_tensorflow", "from_tflite", "from_theano", "from_torch", "from_torch7"),
        *("to_onnx", "to_tflite", "to_torch"),
        *("trace_keras", "trace_onnx", "trace_tflite", "trace_torch"),
    ),
    "nnefkit.execution": (
        *("Session", "Step", "Stepper", "Trace", "TracedInputs"),
        *("run", "step", "trace", "trace_many"),
    ),
    "nnefkit.execution.engine_list": ("engines",),
    "nnefkit.graph": ("Graph", "Identifier", "Operation", "Tensor"),
    "nnefkit.io": ("infer_shapes", "load", "parse", "save", "to_text"),
    "nnefkit.lowering": ("lower",),
    "nnefkit.pictures.report": ("report",),
    "nnefkit.language": ("format",),
    "nnefkit.storage": ("read_tensor", "write_tensor"),
    "nnefkit.widgets.workbench": ("view",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
# Inside the package, the function has a name that is not that of a builtin.
_ALIASES = {"format": "format_document"}

__all__ = [
    "ArgumentError",
    "Blame",
    "Budget",
    "ComparedInputs",
    "Comparison",
    "Cost",
    "CustomOperations",
    "Diagnostic",
    "Diff",
    "DocumentError",
    "ExecutionError",
    "FrozenError",
    "Graph",
    "Identifier",
    "InputError",
    "MissingPackageError",
    "NnefError",
    "Operation",
    "PrecisionCurve",
    "Profile",
    "QuantizationReport",
    "QuantizedGraph",
    "Sensitivity",
    "Session",
    "Step",
    "Stepper",
    "StorageError",
    "Tensor",
    "Tolerance",
    "Trace",
    "TracedInputs",
    "UnknownNameError",
    "ValidationReport",
    "blame",
    "compare",
    "compare_many",
    "compat",
    "cost",
    "diff",
    "engines",
    "format",
    "from_caffe",
    "from_caffe2",
    "from_chainer",
    "from_keras",
    "from_mxnet",
    "from_onnx",
    "from_tensorflow",
    "from_tflite",
    "from_theano",
    "from_torch",
    "from_torch7",
    "infer_shapes",
    "load",
    "lower",
    "parse",
    "plot",
    "precision_curve",
    "profile",
    "quantize",
    "read_tensor",
    "register_operation",
    "report",
    "run",
    "save",
    "sensitivity",
    "step",
    "to_onnx",
    "to_text",
    "to_tflite",
    "to_torch",
    "trace",
    "trace_keras",
    "trace_many",
    "trace_onnx",
    "trace_tflite",
    "trace_torch",
    "unregister_operation",
    "validate",
    "view",
    "widgets",
    "write_tensor",
]


def __getattr__(name: str) -> object:
    value: object
    if name in _MODULE_OF:
        value = getattr(_import_module(_MODULE_OF[name]), _ALIASES.get(name, name))
    elif name in ("compat", "plot", "widgets"):
        value = _import_module(f"nnefkit.{name}")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("nnefkit")
    else:
        from nnefkit.arguments import unknown_name

        raise unknown_name(name, __all__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
