"""Codes of invocations: operations, arguments and types (3.3.1, 3.3.2)."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import (
    CUSTOM_GRAPH,
    DECLARATION,
    DiagnosticCode,
    compositional,
    document,
    flat,
    python,
)

_REGISTERED = f"""
custom = nk.CustomOperations()
custom.register(
    "{DECLARATION}",
    shape=lambda x: x,
    kernel=lambda x: 2 * x,
)
"""


def _validated(text: str) -> str:
    return f'text = """\n{text}"""\nnk.validate(text, strict=False, custom_operations=custom)'


CODES = (
    DiagnosticCode(
        "unknown-operation",
        "Unknown operation",
        "The operation is neither in chapter 4 of the specification nor a fragment of the "
        "document. With `strict=False` it stays in the graph as an opaque operation, and this is "
        "a warning.",
        sections=("3.3.2", "5.3"),
        fix="Use an operation of chapter 4, or a fragment that the document defines.",
        example=flat("y = relo(x);", "y = relu(x);"),
    ),
    DiagnosticCode(
        "undeclared-operation",
        "Undeclared custom operation",
        "The document uses a custom operation that is registered with `nk.register_operation`, "
        "but does not declare it. Other tools cannot know its parameters.",
        sections=("3.2.2",),
        severity="warning",
        example=python(
            _REGISTERED,
            _validated(document("y = twice(x);")),
            _validated(CUSTOM_GRAPH),
        ),
    ),
    DiagnosticCode(
        "declaration-mismatch",
        "Declaration that differs from the registered one",
        "The document declares a custom operation with other parameters or results than the "
        "operation of that name that is registered with `nk.register_operation`.",
        sections=("3.3.2",),
        fix="Change the declaration, or unregister the operation.",
        example=python(
            _REGISTERED,
            _validated(CUSTOM_GRAPH.replace("x: tensor<scalar>", "z: tensor<scalar>")),
            _validated(CUSTOM_GRAPH),
        ),
    ),
    DiagnosticCode(
        "deprecated-operation",
        "Deprecated operation",
        "The operation has a new name in the current version of the specification; the old one is "
        "still read.",
        sections=("4.9.5",),
        severity="warning",
        example=flat(
            "y = linear_quantize(x, -1.0, 1.0, bits = 8);",
            "y = min_max_linear_quantize(x, -1.0, 1.0, bits = 8, signed = false, "
            "symmetric = false);",
        ),
    ),
    DiagnosticCode(
        "invalid-chaining",
        "Invocation that cannot be nested",
        "Only an operation whose result is a single tensor can be used inside of an expression.",
        sections=("3.3.3",),
        fix="Only operations with a single tensor as result can be chained; assign it first.",
        example=compositional(
            "y = relu(moments(x, axes = [1]));",
            "mean, variance = moments(x, axes = [1]);\ny = relu(mean);",
        ),
    ),
    # -- arguments ------------------------------------------------------------------------------
    DiagnosticCode(
        "unknown-argument",
        "Unknown argument name",
        "The invocation names an argument that the operation does not declare as a parameter.",
        sections=("3.3.2", "5.3"),
        fix="Arguments have the names of the parameters in the declaration.",
        example=flat("y = leaky_relu(x, slope = 0.1);", "y = leaky_relu(x, alpha = 0.1);"),
    ),
    DiagnosticCode(
        "missing-argument",
        "Missing argument",
        "A parameter without a default value has no argument.",
        sections=("3.3.2", "5.3"),
        fix="Parameters without a default value need an argument.",
        example=flat("y = leaky_relu(x);", "y = leaky_relu(x, alpha = 0.1);"),
    ),
    DiagnosticCode(
        "too-many-arguments",
        "Too many arguments",
        "The invocation has more arguments than the operation has parameters.",
        sections=("3.3.2",),
        example=flat("y = relu(x, x);", "y = relu(x);"),
    ),
    DiagnosticCode(
        "positional-argument",
        "Misplaced positional argument",
        "A positional argument comes after a named one. In a quantization file, all arguments are "
        "given by name.",
        sections=("3.3.2", "5.3"),
        fix="Positional arguments come first; a quantization file has named arguments only.",
        example=flat("y = leaky_relu(alpha = 0.1, x);", "y = leaky_relu(x, alpha = 0.1);"),
    ),
    DiagnosticCode(
        "positional-attribute",
        "Attribute without its name",
        "An attribute is given by position. Only tensors are positional arguments.",
        sections=("3.3.2",),
        example=flat("y = leaky_relu(x, 0.1);", "y = leaky_relu(x, alpha = 0.1);"),
    ),
    DiagnosticCode(
        "named-tensor",
        "Tensor given by name",
        "A tensor argument is given by name, which is deprecated since version 1.0.1. The document "
        "is still read.",
        sections=("3.3.2",),
        severity="warning",
        example=flat("y = relu(x = x);", "y = relu(x);"),
    ),
    DiagnosticCode(
        "duplicate-argument",
        "Argument given twice",
        "A parameter has two arguments: twice by name, or by position and by name.",
        sections=("3.3.2", "5.3"),
        fix="Each parameter takes one argument; remove one of them.",
        example=flat(
            "y = leaky_relu(x, alpha = 0.1, alpha = 0.2);", "y = leaky_relu(x, alpha = 0.1);"
        ),
    ),
    # -- types ----------------------------------------------------------------------------------
    DiagnosticCode(
        "type-mismatch",
        "Type mismatch",
        "A value has another type than its place requires. The most frequent case is an integer "
        "literal where a scalar is required: a number without a decimal point is an integer.",
        sections=("3.3.1", "3.3.2", "3.3.3", "5.3"),
        fix="Only a literal is cast implicitly, to a tensor; other values are cast with "
        "integer(), scalar(), logical() and string().",
        example=flat("y = leaky_relu(x, alpha = 1);", "y = leaky_relu(x, alpha = 1.0);"),
    ),
    DiagnosticCode(
        "ambiguous-type",
        "Ambiguous generic type",
        "The arguments for the generic type `?` of an operation have different types.",
        sections=("3.3.2",),
        fix="All arguments of generic type must have the same type.",
        example=flat(
            "c = gt(x, 0.0);\ny = select(c, x, 1);", "c = gt(x, 0.0);\ny = select(c, x, 1.0);"
        ),
    ),
    DiagnosticCode(
        "undeduced-type",
        "Generic type that cannot be deduced",
        "The generic type `?` of an operation does not follow from its arguments and has no "
        "default.",
        sections=("3.3.2",),
        fix="Write the type explicitly: operation<scalar>(...).",
        example=flat("y = cast(x);", "y = cast<integer>(x);"),
    ),
    DiagnosticCode(
        "not-generic",
        "Type argument of an operation that is not generic",
        "A type in angle brackets follows the name of an operation that is not generic, or a "
        "fragment uses the type `?` without being declared as generic with `<?>`.",
        sections=("3.3.2",),
        example=flat("y = relu<scalar>(x);", "y = relu(x);"),
    ),
)
