"""Pages of the API reference: every public name, grouped by task."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nnefkit as nk

if TYPE_CHECKING:
    from sphinx.application import Sphinx

PAGES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "files": (
        "Open and save",
        "Models are folders, `graph.nnef` files or archives; tensor files hold one array each.",
        ("load", "save", "parse", "to_text", "format", "read_tensor", "write_tensor"),
    ),
    "graphs": (
        "Graphs",
        "A graph is a value: methods return changed copies, and nothing changes it in place.",
        ("Graph", "Operation", "Tensor", "Identifier", "infer_shapes", "lower"),
    ),
    "validation": (
        "Validate",
        "A report lists every problem at once; each code has [its own page]"
        "(../diagnostics/index.md).",
        ("validate", "ValidationReport", "Diagnostic", "Budget"),
    ),
    "execution": (
        "Run and trace",
        "One call runs a graph once; a session prepares it for many runs; see "
        "[Stepping](../stepping.md).",
        (
            "run",
            "trace",
            "trace_many",
            "step",
            "Session",
            "Trace",
            "Step",
            "Stepper",
            "TracedInputs",
            "engines",
        ),
    ),
    "comparison": (
        "Compare and blame",
        "Where two runs diverge first, how far the difference spreads, which operations introduce "
        "it, and what differs between two graphs; see [Recorded runs](../recorded_runs.md) and "
        "[Differences](../differences.md).",
        (
            *("compare", "compare_many", "Comparison", "ComparedInputs", "Tolerance"),
            *("blame", "Blame", "diff", "Diff"),
        ),
    ),
    "quantization": (
        "Quantize",
        "Quantization info from calibration inputs, and what it costs; see "
        "[Quantization](../quantization.md).",
        (
            *("quantize", "QuantizedGraph", "QuantizationReport"),
            *("precision_curve", "PrecisionCurve", "sensitivity", "Sensitivity"),
        ),
    ),
    "costs": (
        "Costs",
        "What a run costs, from shapes alone, and how long it takes; see [Costs](../costs.md).",
        ("cost", "Cost", "profile", "Profile"),
    ),
    "exchange": (
        "Exchange with other frameworks",
        "Whatever is converted is run on both sides and compared before it is returned.",
        (
            *("from_torch", "to_torch", "trace_torch", "from_onnx", "to_onnx", "trace_onnx"),
            *("from_tflite", "to_tflite", "trace_tflite"),
            *("from_keras", "trace_keras", "from_tensorflow", "from_caffe"),
            *("from_chainer", "from_theano"),
            "from_torch7",
            "from_mxnet",
            "from_caffe2",
        ),
    ),
    "custom_operations": (
        "Custom operations",
        "Shape rules and kernels for operations that the specification does not define.",
        ("register_operation", "unregister_operation", "CustomOperations"),
    ),
    "plots": ("Plots", "Matplotlib figures; each takes and returns an `Axes`.", ("plot",)),
    "reports": (
        "Reports",
        "One page for a reader without Python; see [Pictures and reports](../pictures.md). A graph "
        "draws itself by its methods `svg` and `save_picture`.",
        ("report",),
    ),
    "widgets": (
        "Widgets",
        "Interactive views for a live notebook; see [The workbench](../workbench.md).",
        ("view", "widgets"),
    ),
    "compat": (
        "Scripts for the Khronos package",
        "`import nnefkit.compat as nnef` in place of `import nnef`; see [Scripts for the Khronos "
        "package](../khronos_scripts.md).",
        ("compat",),
    ),
    "errors": (
        "Errors",
        "Every bad input ends in a subclass of `NnefError`, which carries diagnostics.",
        (
            *("NnefError", "DocumentError", "StorageError", "InputError", "ArgumentError"),
            *("ExecutionError", "UnknownNameError", "FrozenError", "MissingPackageError"),
        ),
    ),
}
"""Name of a page -> its title, its introduction and the public names that it describes."""

DATA = {
    "STYLE": "Settings for ``plt.rcParams.update(...)``: figures for light and dark pages.",
    "StandardOperations": "Names of the standard operations, as a set.",
}
"""Public names that are not callable -> their description."""


def undocumented() -> set[str]:
    """Return the public names that no page describes, and those that do not exist."""
    described = {name for _, _, names in PAGES.values() for name in names}
    return described ^ set(nk.__all__)


def _entry(name: str) -> list[str]:
    member = getattr(nk, name)
    if inspect.ismodule(member):
        return [line for public in member.__all__ for line in _directive(f"nnefkit.{name}", public)]
    return _directive("nnefkit", name)


def _directive(module: str, name: str) -> list[str]:
    member = getattr(importlib.import_module(module), name)
    if inspect.isclass(member):
        lines = [f".. autoclass:: {module}.{name}", "   :members:", "   :show-inheritance:"]
        if module != "nnefkit" and name in nk.__all__:
            # References by the name alone mean the class of the package.
            lines.append("   :no-index:")
        # Python documents the fields of named tuples by their position.
        if fields := getattr(member, "_fields", None):
            lines.append(f"   :exclude-members: {', '.join(fields)}")
        return [*lines, ""]
    if callable(member):
        return [f".. autofunction:: {module}.{name}", ""]
    return [f".. data:: {module}.{name}", "", f"   {DATA[name]}", ""]


def write_pages(app: Sphinx) -> None:
    """Write a page for each group of names.

    Raises:
        LookupError: A public name is on no page, or a page has a name that does not exist.
    """
    if missing := undocumented():
        raise LookupError(
            f"public names without a page, or names that do not exist: {sorted(missing)}"
        )
    folder = Path(app.srcdir) / "reference" / "api"
    folder.mkdir(parents=True, exist_ok=True)
    for page, (title, introduction, names) in PAGES.items():
        body = "\n".join(line for name in names for line in _entry(name))
        text = f"# {title}\n\n{introduction}\n\n```{{eval-rst}}\n{body}\n```\n"
        (folder / f"{page}.md").write_text(text, encoding="utf-8")
    toctree = "\n".join(PAGES)
    index = (
        "# API reference\n\nEverything below is available as `nk.<name>` after "
        f"`import nnefkit as nk`.\n\n```{{toctree}}\n:maxdepth: 1\n\n{toctree}\n```\n"
    )
    (folder / "index.md").write_text(index, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
