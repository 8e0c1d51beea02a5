"""Codes of calls: arguments, inputs, engines and conversions."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import (
    CUSTOM_GRAPH,
    DECLARATION,
    DiagnosticCode,
    Example,
    python,
)

_GRAPH = """
graph = nk.parse(
    "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]); y = relu(x); }"
)
"""
_WITH_VARIABLE = """
graph = nk.parse(
    "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]);"
    " w = variable(shape = [2], label = 'w'); y = add(x, w); }"
)
x = np.ones(2, np.float32)
"""
_OF_ONE_OPERATION = """
graph = nk.parse(
    "version 1.0; graph net( x ) -> ( y ) {{ x = external(shape = [2]); y = {}(x); }}",
    strict=False,
)
nk.run(graph, x)
"""
_RUN = 'nk.run(graph, {"x": np.ones(2, np.float32)})'

CODES = (
    # -- inputs -----------------------------------------------------------------------------------
    DiagnosticCode(
        "missing-input",
        "Missing input",
        "A graph is run without a value for one of its inputs.",
        example=python(_GRAPH, "nk.run(graph, {})", _RUN),
    ),
    DiagnosticCode(
        "unknown-input",
        "Unknown input",
        "A graph is run with a value for an input that it does not have.",
        example=python(
            _GRAPH,
            'nk.run(graph, {"x": np.ones(2, np.float32), "z": np.ones(2, np.float32)})',
            _RUN,
        ),
    ),
    DiagnosticCode(
        "wrong-dtype",
        "Input of another dtype",
        "The dtype of an array does not belong to the type of the input. Integers are not "
        "converted to floating point silently, since they are often images not yet normalized.",
        example=python(_GRAPH, 'nk.run(graph, {"x": np.ones(2, np.int64)})', _RUN),
    ),
    DiagnosticCode(
        "wrong-shape",
        "Input of another shape",
        "The shape of an array is not the shape of the input. `graph.with_input_shapes(...)` "
        "returns a graph for other shapes.",
        sections=("4.1.1",),
        example=python(
            _GRAPH,
            'nk.run(graph, {"x": np.ones(3, np.float32)})',
            'nk.run(graph.with_input_shapes(x=[3]), {"x": np.ones(3, np.float32)})',
        ),
    ),
    DiagnosticCode(
        "wrong-input",
        "Unsuitable argument",
        "An argument of a call has the wrong type or value, or an input of a graph is not an "
        "array.",
        example=python(_GRAPH, 'nk.run(graph, {"x": None})', _RUN),
    ),
    DiagnosticCode(
        "unknown-name",
        "Unknown name",
        "There is no tensor, operation, engine or option of that name.",
        example=python(
            _GRAPH, "nk.infer_shapes(graph, z=[1, 2])", "nk.infer_shapes(graph, x=[1, 2])"
        ),
    ),
    DiagnosticCode(
        "frozen",
        "Change of an immutable value",
        "Graphs, operations and their attributes are immutable. The methods `graph.with_...` "
        "return changed copies.",
        example=python(
            _GRAPH,
            'graph.operations[0].attribs["shape"] = [3]',
            "graph = graph.with_input_shapes(x=[3])",
        ),
    ),
    # -- running ----------------------------------------------------------------------------------
    DiagnosticCode(
        "missing-values",
        "Variable without values",
        "A graph is run, but one of its variables has no data: the graph comes from a text, not "
        "from a model with data files.",
        example=python(
            _WITH_VARIABLE,
            "nk.run(graph, x)",
            'nk.run(graph.with_data({"w": np.ones(2, np.float32)}), x)',
        ),
    ),
    DiagnosticCode(
        "unsupported-operation",
        "Operation that the engine cannot run",
        "The engine has no implementation of an operation, or not for these arguments. "
        "`fallback='numpy'` runs only such operations in the reference engine.",
        example=python(
            "x = np.ones(2, np.float32)",
            _OF_ONE_OPERATION.format("vendor_relu"),
            _OF_ONE_OPERATION.format("relu"),
        ),
    ),
    DiagnosticCode(
        "failed-operation",
        "Failed operation",
        "An operation failed while the graph was running; the message states the reason and the "
        "shapes of its inputs.",
        example=python(
            f"""
custom = nk.CustomOperations()
twice = custom.register(
    "{DECLARATION}",
    shape=lambda x: x,
)
text = \"\"\"
{CUSTOM_GRAPH}\"\"\"
graph = nk.parse(text, custom_operations=custom)
x = np.ones([1, 2, 4, 4], np.float32)
""",
            "twice.kernel(lambda x: 2 * x.values)\nnk.run(graph, x, custom_operations=custom)",
            "twice.kernel(lambda x: 2 * x)\nnk.run(graph, x, custom_operations=custom)",
        ),
    ),
    DiagnosticCode(
        "unknown-quantization",
        "Unknown quantization algorithm",
        "A graph is run with quantization, but nnefkit does not know an algorithm that its "
        "quantization file names.",
        sections=("7.1",),
        fix="Register the algorithm with nk.register_operation.",
        example=python(
            """
text = "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]); y = relu(x); }"
x = np.ones(2, np.float32)
""",
            """
graph = nk.parse(text, '"y": vendor_quantize(bits = 8);', strict=False)
nk.run(graph, x, quantized=True)
""",
            """
graph = nk.parse(text, '"y": zero_point_linear_quantize(zero_point = 0, scale = 0.1, bits = 8,'
                       ' signed = true, symmetric = false);')
nk.run(graph, x, quantized=True)
""",
        ),
    ),
    DiagnosticCode(
        "execution",
        "Failed execution",
        "A graph cannot be run by the engine, or the engine failed.",
        example=python(
            _WITH_VARIABLE + 'model = nk.to_onnx(graph.with_data({"w": x}))',
            'nk.trace_onnx(model, {"x": np.ones(3, np.float32)})',
            'nk.trace_onnx(model, {"x": x})',
        ),
    ),
    # -- everything else --------------------------------------------------------------------------
    DiagnosticCode(
        "wrong-export",
        "Conversion that does not compute the same",
        "After a conversion, both models are run on the same inputs; their outputs differ by more "
        "than the tolerance. The message names the first tensor that differs, and by how much; the "
        "hint says which tolerance would allow it.",
        example=python(
            """
graph = nk.parse(
    "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [1000]); y = exp(x); }"
)
""",
            "nk.to_onnx(graph, tolerance=1e-12)  # less than the rounding of float32",
            "nk.to_onnx(graph, tolerance=1e-5)",
        ),
    ),
    DiagnosticCode(
        "invalid-document",
        "Invalid document",
        "The document cannot be read, for a reason without a more specific code.",
        without_example="No document triggers it, since every problem that nnefkit finds has a "
        "more specific code. It is the code of a `DocumentError` raised with a message alone.",
    ),
    DiagnosticCode(
        "missing-package",
        "Missing optional package",
        "A feature needs a package that is not installed. The hint is the line that installs it.",
        example=python(
            _GRAPH,
            """
import sys

sys.modules["onnx"] = None  # as if the package were not installed
nk.to_onnx(graph)
""",
            'nk.to_onnx(graph)  # after: pip install "nnefkit[onnx]"',
        ),
    ),
    DiagnosticCode(
        "system",
        "Error of the operating system",
        "A command could not read or write a file; the message is that of the operating system.",
        example=Example(
            "nnefkit explain > /dev/full  # a device without space\n",
            "nnefkit explain > codes.txt\n",
            "command",
        ),
    ),
)
