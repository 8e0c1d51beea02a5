"""Codes of the rules of operations and of quantization files (chapter 4, 5.3)."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import DiagnosticCode, flat, quantization

_ZERO_POINT = (
    '"y": zero_point_linear_quantize(\n'
    "    zero_point = 0, scale = {}, bits = 8, signed = true, symmetric = false\n"
    ");"
)

CODES = (
    DiagnosticCode(
        "invalid-argument",
        "Invalid argument",
        "The value of an argument breaks a rule of the operation, as its section in chapter 4 "
        "states it: a negative stride, an unknown border mode, an axis beyond the rank.",
        sections=("4",),
        example=flat(
            "y = max_reduce(x, axes = [4]);",
            "y = max_reduce(x, axes = [3]);",
        ),
    ),
    DiagnosticCode(
        "shape-mismatch",
        "Shape mismatch",
        "The shapes of the arguments do not fit each other, or do not fit an attribute of the "
        "operation. NNEF broadcasts from the left: missing trailing dimensions count as 1.",
        sections=("2.2", "4"),
        example=flat(
            "x = external(shape = [1, 2, 4, 4]);\n"
            "b = variable(shape = [1, 3], label = 'bias');\ny = add(x, b);",
            "x = external(shape = [1, 2, 4, 4]);\n"
            "b = variable(shape = [1, 2], label = 'bias');\ny = add(x, b);",
        ),
    ),
    DiagnosticCode(
        "wrong-result-count",
        "Wrong number of results",
        "The left-hand side of an assignment has more or fewer names than the operation has "
        "results for these arguments.",
        sections=("3.3.2",),
        example=flat(
            "[y, z] = split(x, axis = 2, ratios = [1, 1, 2]);",
            "[y, z, rest] = split(x, axis = 2, ratios = [1, 1, 2]);",
        ),
    ),
    DiagnosticCode(
        "suspicious-broadcast",
        "Suspicious broadcast",
        "A tensor of lower rank is broadcast along leading dimensions, as NNEF does it, although "
        "its shape fits the trailing dimensions, which other frameworks would align.",
        sections=("4.2.2",),
        severity="warning",
        example=flat(
            "x = external(shape = [1, 8]);\nb = variable(shape = [8], label = 'bias');\n"
            "y = add(x, b);",
            "x = external(shape = [1, 8]);\nb = variable(shape = [1, 8], label = 'bias');\n"
            "y = add(x, b);",
        ),
    ),
    DiagnosticCode(
        "deprecated-argument",
        "Deprecated argument value",
        "An element of `end` of a `slice` is 0 and means the end of the axis, which is deprecated "
        "since version 1.0.4.",
        sections=("4.5.4",),
        severity="warning",
        example=flat(
            "y = slice(x, axes = [3], begin = [1], end = [0]);",
            "y = slice(x, axes = [3], begin = [1], end = [4]);",
        ),
    ),
    DiagnosticCode(
        "repeated-update",
        "Variable updated twice",
        "Two `update` operations write to one variable, or to two variables of the same label.",
        sections=("4.8",),
        fix="Remove one of the updates.",
        example=flat(
            "x = external(shape = [1, 2]);\nv = variable(shape = [1, 2], label = 'state');\n"
            "y = add(x, v);\na = update(v, x);\nb = update(v, y);",
            "x = external(shape = [1, 2]);\nv = variable(shape = [1, 2], label = 'state');\n"
            "y = add(x, v);\na = update(v, x);",
        ),
    ),
    # -- quantization files (5.3) ---------------------------------------------------------------
    DiagnosticCode(
        "unknown-tensor",
        "Unknown tensor in the quantization file",
        "A line of the quantization file names a tensor that the graph does not have.",
        sections=("5.3",),
        fix="The lines name tensors by their identifiers in the graph.",
        example=quantization(
            _ZERO_POINT.replace("y", "z", 1).format("0.1"), _ZERO_POINT.format("0.1")
        ),
    ),
    DiagnosticCode(
        "duplicate-tensor",
        "Second line for one tensor",
        "The quantization file has two lines for one tensor.",
        sections=("5.3",),
        fix="Each tensor has one line; remove the others.",
        example=quantization(
            f"{_ZERO_POINT.format('0.1')}\n{_ZERO_POINT.format('0.2')}", _ZERO_POINT.format("0.1")
        ),
    ),
    DiagnosticCode(
        "not-constant",
        "Quantization argument that is not a literal",
        "An argument in the quantization file is an expression. The file consists of literals.",
        sections=("5.3",),
        fix="A quantization file consists of literals only.",
        example=quantization(_ZERO_POINT.format("2.0 / 255.0"), _ZERO_POINT.format("0.00784")),
    ),
    DiagnosticCode(
        "ragged-array",
        "Nested arrays of different lengths",
        "The nested arrays that make up a tensor argument of the quantization file do not have "
        "the same length at each level.",
        sections=("5.3",),
        fix="Nested arrays that make up a tensor have the same length at each level.",
        example=quantization(
            _ZERO_POINT.format("[[0.1, 0.2], [0.3]]"), _ZERO_POINT.format("[[0.1, 0.2]]")
        ),
    ),
    DiagnosticCode(
        "invalid-quantization",
        "Invalid quantization arguments",
        "The arguments of a line of the quantization file break the rules of its algorithm, or do "
        "not fit the shape of the tensor.",
        sections=("5.3", "4.9.5"),
        example=quantization(
            _ZERO_POINT.format("[[0.1, 0.2, 0.3]]"), _ZERO_POINT.format("[[0.1, 0.2]]")
        ),
    ),
    DiagnosticCode(
        "undefined-quantization",
        "Quantization without a defined value",
        "For some elements, the formula of the quantization divides by zero or takes the logarithm "
        "of a number that is not positive: the range is empty, or the scale is not positive. A run "
        "with quantized=True refuses such a graph. A zero point that is not one of the codes is "
        "reported, too, since no code represents 0 then.",
        sections=("4.9.5",),
        severity="warning",
        example=quantization(_ZERO_POINT.format("0.0"), _ZERO_POINT.format("0.1")),
    ),
)
