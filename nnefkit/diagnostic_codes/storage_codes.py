"""Codes of tensor files, folders and archives (chapter 5)."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import DiagnosticCode, Example, python

_GRAPH = """
graph = nk.parse(
    "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]);"
    " w = variable(shape = [2], label = 'w'); y = add(x, w); }"
)
"""
_SAVED = _GRAPH + 'nk.save(graph.with_data({"w": np.ones(2, np.float32)}), "model")\n'
_FILE = """
from pathlib import Path

path = Path("weights.dat")
nk.write_tensor(path, np.ones(4, np.float32))
content = path.read_bytes()
"""


def _header(wrong: str, right: str) -> Example:
    """Return the example of two changes to the header of a tensor file of shape [2] (5.2)."""
    setup = f"""
from pathlib import Path
{_SAVED}
path = Path("model/w.dat")
content = bytearray(path.read_bytes())
"""
    end = 'path.write_bytes(content)\nnk.validate("model")'
    return python(setup, f"{wrong}\n{end}", f"{right}\n{end}")


CODES = (
    DiagnosticCode(
        "storage",
        "File that cannot be read or written",
        "A tensor file, a folder or an archive is missing, damaged or too large, or cannot be "
        "written.",
        sections=("5",),
        example=python(_SAVED, 'nk.load("modle")', 'nk.load("model")'),
    ),
    DiagnosticCode(
        "missing-data",
        "Missing variable data",
        "A variable has no `.dat` file next to the graph, or, when saving, no data.",
        sections=("5.1",),
        example=python(
            _GRAPH,
            'nk.save(graph, "model")',
            'nk.save(graph.with_data({"w": np.ones(2, np.float32)}), "model")',
        ),
    ),
    DiagnosticCode(
        "wrong-data-shape",
        "Data of another shape",
        "The tensor file of a variable has another shape than the variable in the graph.",
        sections=("5.2",),
        example=python(
            _SAVED,
            'nk.write_tensor("model/w.dat", np.ones(3, np.float32))\nnk.load("model")',
            'nk.write_tensor("model/w.dat", np.ones(2, np.float32))\nnk.load("model")',
        ),
    ),
    DiagnosticCode(
        "wrong-item-type",
        "Data of another type",
        "The tensor file of a variable has elements of a type that does not belong to the type of "
        "the variable. With `strict=False` this is a warning, and the data is read.",
        sections=("5.2.1",),
        example=python(
            _SAVED,
            'nk.write_tensor("model/w.dat", np.ones(2, np.int64))\nnk.load("model")',
            'nk.write_tensor("model/w.dat", np.ones(2, np.float64))\nnk.load("model")',
        ),
    ),
    DiagnosticCode(
        "non-finite-data",
        "NaN or infinite values in a variable",
        "The data of a variable contains NaN or infinite values. Results that depend on them are "
        "probably not finite either.",
        severity="warning",
        example=python(
            _GRAPH,
            'nk.validate(graph.with_data({"w": np.array([1, np.nan], np.float32)}))',
            'nk.validate(graph.with_data({"w": np.array([1, 2], np.float32)}))',
        ),
    ),
    DiagnosticCode(
        "not-expressible",
        "Model that cannot be expressed",
        "NNEF, or the format that is written, has no means to express something in the model: an "
        "infinite attribute, an operator without an equivalent, a name that is not an identifier. "
        "All such places are reported, and nothing is written.",
        sections=("3.1",),
        example=python(
            f"""
from dataclasses import replace
{_GRAPH}""",
            'nk.validate(replace(graph, name="my net"))',
            'nk.validate(replace(graph, name="my_net"))',
        ),
    ),
    # -- the header of a tensor file (5.2) ------------------------------------------------------
    DiagnosticCode(
        "truncated-data",
        "Truncated tensor file",
        "The file ends before the data that its header announces.",
        sections=("5.2",),
        fix="The file is cut off: copy it or write it again.",
        example=python(
            _FILE,
            "path.write_bytes(content[:-4])\nnk.read_tensor(path)",
            "path.write_bytes(content)\nnk.read_tensor(path)",
        ),
    ),
    DiagnosticCode(
        "trailing-bytes",
        "Trailing bytes in a tensor file",
        "The file is longer than its header states. The bytes after the data are not read.",
        sections=("5.2",),
        severity="warning",
        example=python(
            "from pathlib import Path\n" + _SAVED + 'path = Path("model/w.dat")',
            'path.write_bytes(path.read_bytes() + b"12345678")\nnk.validate("model")',
            'path.write_bytes(path.read_bytes())\nnk.validate("model")',
        ),
    ),
    DiagnosticCode(
        "long-header",
        "Tensor file with a header of 132 bytes",
        "The NNEF Tools wrote headers of 132 bytes from August to October 2018, four zeros more "
        "than the specification has. The data is read from where those tools put it, and `nk.load` "
        "warns of it.",
        sections=("5.2",),
        severity="warning",
        fix="Save the model again.",
        example=python(
            "from pathlib import Path\n"
            + _SAVED
            + 'path = Path("model/w.dat")\ncontent = path.read_bytes()',
            'path.write_bytes(content[:128] + bytes(4) + content[128:])\nnk.validate("model")',
            'path.write_bytes(content)\nnk.validate("model")',
        ),
    ),
    DiagnosticCode(
        "data-length",
        "Data length that does not match the shape",
        "The header of the tensor file states a length of the data that differs from what its "
        "shape and its number of bits amount to.",
        sections=("5.2",),
        example=_header(
            "content[4] = 12  # length of the data",
            "content[4] = 8  # length of the data",
        ),
    ),
    DiagnosticCode(
        "data-too-long",
        "Data too long for a tensor file",
        "The shape and the number of bits amount to more bytes than the header of a tensor file "
        "can state (2^32 - 1).",
        sections=("5.2",),
        example=_header(
            'content[12:16] = (2**31).to_bytes(4, "little")  # first extent',
            'content[12:16] = (2).to_bytes(4, "little")  # first extent',
        ),
    ),
    DiagnosticCode(
        "invalid-rank",
        "Invalid rank in a tensor file",
        "The header of the tensor file states a rank above 8.",
        sections=("5.2",),
        example=_header(
            "content[8] = 9  # rank",
            "content[8] = 1  # rank",
        ),
    ),
    DiagnosticCode(
        "invalid-extent",
        "Invalid extent in a tensor file",
        "The header of the tensor file states an extent of 0.",
        sections=("5.2",),
        example=_header(
            "content[12] = 0  # first extent",
            "content[12] = 2  # first extent",
        ),
    ),
    DiagnosticCode(
        "invalid-bits",
        "Invalid number of bits",
        "The number of bits of each element is not possible for its type: floating-point numbers "
        "have 16, 32 or 64 bits, logical values 1 or 8, integers 1 to 64.",
        sections=("5.2",),
        example=_header(
            "content[44] = 24  # bits per item",
            "content[44] = 32  # bits per item",
        ),
    ),
    DiagnosticCode(
        "unknown-item-type",
        "Unknown item type",
        "The header of the tensor file states an item type that the specification does not define.",
        sections=("5.2",),
        example=_header(
            "content[48] = 9  # item type",
            "content[48] = 0  # item type",
        ),
    ),
    DiagnosticCode(
        "vendor-item-type",
        "Item type of a vendor",
        "The header of the tensor file states an item type of a vendor. Only those of the Khronos "
        "Group (vendor 0) have a known meaning.",
        sections=("5.2",),
        example=_header(
            "content[50] = 1  # vendor of the item type",
            "content[50] = 0  # vendor of the item type",
        ),
    ),
    DiagnosticCode(
        "deprecated-parameters",
        "Deprecated parameters in a tensor file",
        "The header of the tensor file has quantization parameters or a mark for signed integers, "
        "which are deprecated since version 1.0.3. They are still read.",
        sections=("5.2",),
        severity="warning",
        fix="Writing the tensor again gives it a current header.",
        example=python(
            _SAVED + "values = np.array([0.5, 1], np.float32)",
            'nk.write_tensor("model/w.dat", values, quantized=(0, 1))\nnk.validate("model")',
            'nk.write_tensor("model/w.dat", values)\nnk.validate("model")',
        ),
    ),
    DiagnosticCode(
        "reserved-bytes",
        "Reserved bytes that are not zero",
        "Bytes of the header that must be zero are not: extents beyond the rank, parameters of a "
        "type that has none, or the reserved bytes at the end.",
        sections=("5.2",),
        severity="warning",
        example=_header(
            "content[127] = 1  # last reserved byte",
            "content[127] = 0  # last reserved byte",
        ),
    ),
)
