"""Codes of documents that follow the provisional specification of December 2017."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import DiagnosticCode, Example, document, python


def _old(body: str, *, version: str = "version 1.0") -> str:
    return document(body, version=version)


_HEAD = "x = external(shape = [1, 2, 4, 4])\n"

CODES = (
    DiagnosticCode(
        "provisional",
        "Provisional document",
        "The document follows the provisional specification of December 2017, and is read as what "
        "it means in NNEF 1.0. Each note names one kind of change; saving the model writes a "
        "document of version 1.0.",
        sections=("2.2", "3.1", "3.2", "3.3", "4", "5.3"),
        severity="note",
        example=Example(_old(_HEAD + "y = relu(x)"), document("y = relu(x);")),
    ),
    DiagnosticCode(
        "missing-version",
        "Missing version",
        "The document does not begin with its version. Since its text is written like those of "
        "the provisional specification, it is read as one.",
        sections=("3.2.4",),
        severity="warning",
        example=Example(_old(_HEAD + "y = relu(x)", version=""), _old(_HEAD + "y = relu(x)")),
    ),
    DiagnosticCode(
        "graph-not-flat",
        "Expression in a provisional graph",
        "The graph of a provisional document uses an expression. In 2017, only fragments could; "
        "the expression is read as it is in fragments.",
        sections=("3.2.4",),
        severity="warning",
        example=Example(_old(_HEAD + "y = x + 1.0"), _old(_HEAD + "y = add(x, 1.0)")),
    ),
    DiagnosticCode(
        "open-extent",
        "Open extent",
        "The shape of an `external` has a 0, which left the extent open in 2017. An open batch "
        "extent is read as 1, with a warning; NNEF 1.0 has no equivalent for the others.",
        sections=("4.1.1",),
        severity="warning",
        fix="Write the extent; infer_shapes accepts others later.",
        example=Example(
            _old("x = external(shape = [0, 2])\ny = relu(x)"),
            _old("x = external(shape = [1, 2])\ny = relu(x)"),
        ),
    ),
    DiagnosticCode(
        "label-case",
        "Labels that differ only in case",
        "Two variables of a provisional document have labels that differ only in case. They were "
        "two variables in 2017, and would be one in NNEF 1.0.",
        sections=("4.1.3",),
        fix="Give one of the variables and its file another label.",
        example=Example(
            _old(
                _HEAD + "a = variable(shape = [1, 2], label = 'w')\n"
                "b = variable(shape = [1, 2], label = 'W')\nc = add(x, a)\ny = add(c, b)"
            ),
            _old(
                _HEAD + "a = variable(shape = [1, 2], label = 'w')\n"
                "b = variable(shape = [1, 2], label = 'v')\nc = add(x, a)\ny = add(c, b)"
            ),
        ),
    ),
    DiagnosticCode(
        "no-equivalent",
        "Quantization without an equivalent",
        "The quantization file of a provisional document uses `logarithmic_quantize`, whose "
        "formula changed; NNEF 1.0 has no equivalent for a quantization file.",
        sections=("4.9.5", "5.3"),
        fix="Quantize with an operation in the graph, which nnefkit converts.",
        example=python(
            f'text = """\n{_old(_HEAD + "y = relu(x)")}"""',
            """nk.parse(text, '"y": logarithmic_quantize(max = 1.0, bits = 8)')""",
            """nk.parse(text, '"y": linear_quantize(min = 0.0, max = 1.0, bits = 8)')""",
        ),
    ),
    DiagnosticCode(
        "provisional-tensor-file",
        "Provisional tensor file",
        "The tensor file has the header of the provisional specification of 2017. Saving the "
        "model writes the header of version 1.0.",
        sections=("5.2",),
        severity="note",
        example=python(
            """
import struct
from pathlib import Path

graph = nk.parse(
    "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]);"
    " w = variable(shape = [2], label = 'w'); y = add(x, w); }"
)
values = np.ones(2, np.float32)
nk.save(graph.with_data({"w": values}), "model")
path = Path("model/w.dat")
""",
            """
# offset of the data, rank, extent, item type, bits, length of the name of an algorithm
header = struct.pack("<2sBBIIIBBH", b"N\\xef", 1, 0, 20, 1, 2, 0, 32, 0)
path.write_bytes(header + values.tobytes())
nk.validate("model")
""",
            'nk.write_tensor(path, values)\nnk.validate("model")',
        ),
    ),
)
