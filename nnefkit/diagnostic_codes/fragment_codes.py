"""Codes of fragment definitions and of the expressions in them (3.2.2, 3.3.2, 3.3.3)."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import DiagnosticCode, compositional, fragment

_HEADER = "fragment custom( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"

CODES = (
    DiagnosticCode(
        "redefined-operation",
        "Operation defined twice",
        "A fragment has the name of a standard operation or of an earlier fragment.",
        sections=("3.3.2",),
        fix="Give the fragment another name.",
        example=fragment(
            "fragment relu( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
            "{\n    y = max(x, 0.0);\n}",
            "fragment my_relu( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
            "{\n    y = max(x, 0.0);\n}",
            "y = relu(x);",
        ),
    ),
    DiagnosticCode(
        "result-type",
        "Result that is not a tensor",
        "A fragment declares a result that is not a tensor, or not an array or tuple of tensors, "
        "or that has the unbound type `tensor<>`.",
        sections=("3.3.1", "3.3.2"),
        fix="Results have the type tensor<...>, or are arrays or tuples of such types.",
        example=fragment(
            "fragment custom( x: tensor<scalar> ) -> ( y: scalar );",
            "fragment custom( x: tensor<scalar> ) -> ( y: tensor<scalar> );",
            "y = relu(x);",
        ),
    ),
    DiagnosticCode(
        "needlessly-generic",
        "Needless generic declaration",
        "A fragment is declared as generic with `<?>`, but none of its parameters and results has "
        "the type `?`.",
        sections=("3.3.2",),
        fix="Remove <?>, or use the type ? for a parameter or a result.",
        example=fragment(
            "fragment custom<?>( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
            "{\n    y = relu(x);\n}",
            _HEADER + "{\n    y = relu(x);\n}",
        ),
    ),
    DiagnosticCode(
        "mixed-tuple",
        "Tuple of tensors and attributes",
        "A parameter has a tuple type that contains both tensors and attributes.",
        sections=("3.3.1",),
        fix="Use two parameters: one for the tensors, one for the attributes.",
        example=fragment(
            "fragment custom( p: (tensor<scalar>, scalar) ) -> ( y: tensor<scalar> );",
            "fragment custom( x: tensor<scalar>, a: scalar ) -> ( y: tensor<scalar> );",
            "y = relu(x);",
        ),
    ),
    DiagnosticCode(
        "parameter-order",
        "Tensor parameter after an attribute",
        "A fragment declares a tensor parameter after an attribute. Tensors come first.",
        sections=("3.3.2",),
        fix="Parameters that are tensors come first.",
        example=fragment(
            "fragment custom( a: scalar = 1.0, x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
            "{\n    y = mul(x, a);\n}",
            "fragment custom( x: tensor<scalar>, a: scalar = 1.0 ) -> ( y: tensor<scalar> )\n"
            "{\n    y = mul(x, a);\n}",
            "y = relu(x);",
        ),
    ),
    DiagnosticCode(
        "assigned-parameter",
        "Assignment to a parameter",
        "The body of a fragment assigns a value to one of its parameters.",
        sections=("3.3.2",),
        fix="Assign the result to a new name.",
        example=fragment(
            _HEADER + "{\n    x = abs(x);\n    y = relu(x);\n}",
            _HEADER + "{\n    z = abs(x);\n    y = relu(z);\n}",
        ),
    ),
    DiagnosticCode(
        "unassigned-result",
        "Unassigned fragment result",
        "The body of a fragment does not assign one of its results.",
        sections=("3.3.2",),
        fix="Assign every result in the body, exactly once.",
        example=fragment(_HEADER + "{\n    z = relu(x);\n}", _HEADER + "{\n    y = relu(x);\n}"),
    ),
    DiagnosticCode(
        "operation-in-fragment",
        "Operation that is not allowed in a fragment",
        "The body of a fragment uses `external`, `variable` or `update`, which are "
        "allowed in the graph only.",
        sections=("3.3.2",),
        fix="Use the operation in the graph, and pass its result as an argument.",
        example=fragment(
            _HEADER + "{\n    w = variable(shape = [1, 2], label = 'w');\n    y = add(x, w);\n}",
            "fragment custom( x: tensor<scalar>, w: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
            "{\n    y = add(x, w);\n}",
            right_call="w = variable(shape = [1, 2], label = 'w');\ny = custom(x, w);",
        ),
    ),
    DiagnosticCode(
        "endless-recursion",
        "Endless recursion",
        "A fragment calls itself, directly or through others, without a condition that ends the "
        "recursion.",
        sections=("3.3.3",),
        fix="End a recursion with an if-else expression that chooses another branch.",
        example=fragment(
            "fragment custom( x: tensor<scalar>, n: integer = 3 ) -> ( y: tensor<scalar> )\n"
            "{\n    y = custom(relu(x), n = n - 1);\n}",
            "fragment custom( x: tensor<scalar>, n: integer = 3 ) -> ( y: tensor<scalar> )\n"
            "{\n    y = custom(relu(x), n = n - 1) if n > 0 else copy(x);\n}",
            expressions=True,
        ),
    ),
    # -- expressions ----------------------------------------------------------------------------
    DiagnosticCode(
        "division-by-zero",
        "Division by zero",
        "An expression that is evaluated while the text is read divides by zero.",
        sections=("3.3.3",),
        fix="The divisor is known while the text is read, and must not be zero.",
        example=compositional(
            "y = leaky_relu(x, alpha = 1.0 / 0.0);", "y = leaky_relu(x, alpha = 1.0 / 8.0);"
        ),
    ),
    DiagnosticCode(
        "not-a-number",
        "Power without a real result",
        "A power has no result of the type of its operands: an integer with a negative exponent, "
        "or a negative scalar with a fractional one.",
        sections=("3.3.3",),
        fix="Choose operands for which the result is a real number.",
        example=compositional(
            "y = leaky_relu(x, alpha = (-2.0) ^ 0.5);", "y = leaky_relu(x, alpha = 2.0 ^ 0.5);"
        ),
    ),
    DiagnosticCode(
        "out-of-range",
        "Number out of range",
        "The result of an expression does not fit into 64 bits.",
        sections=("3.3.3",),
        fix="Integers are between -2^63 and 2^63 - 1, scalars up to about 1.8e308.",
        example=compositional(
            "y = leaky_relu(x, alpha = 10.0 ^ 400.0);", "y = leaky_relu(x, alpha = 10.0 ^ 4.0);"
        ),
    ),
    DiagnosticCode(
        "invalid-cast",
        "Invalid cast",
        "A string is cast to a number, but is not written as a literal of that type.",
        sections=("3.3.3",),
        fix="The string must look like a literal of that type in the text.",
        example=compositional("y = x * scalar('one');", "y = x * scalar('1.0');"),
    ),
    DiagnosticCode(
        "index-out-of-range",
        "Index out of range",
        "A subscript is beyond the end of an array, a tuple or a string.",
        sections=("3.3.3",),
        fix="Elements are counted from 0 to the length minus 1; a range may end with the length.",
        example=compositional(
            "y = leaky_relu(x, alpha = [0.1, 0.2][2]);", "y = leaky_relu(x, alpha = [0.1, 0.2][1]);"
        ),
    ),
    DiagnosticCode(
        "tuple-subscript",
        "Tuple subscript that is not a literal",
        "The subscript of a tuple is a range or an expression. Since the elements of a tuple have "
        "different types, it must be an integer literal.",
        sections=("3.3.3",),
        fix="Unpack the tuple instead: a, b = ...",
        example=compositional(
            "y = leaky_relu(x, alpha = (1, 0.1)[2 - 1]);", "y = leaky_relu(x, alpha = (1, 0.1)[1]);"
        ),
    ),
    DiagnosticCode(
        "length-mismatch",
        "Loop over arrays of different lengths",
        "A comprehension iterates over several arrays whose lengths differ.",
        sections=("3.3.3",),
        fix="Iterate over arrays of one length, or shorten the longer one: a[:n].",
        example=compositional(
            "y = softmax(x, axes = [for a in [1, 2], b in [0] yield a + b]);",
            "y = softmax(x, axes = [for a in [1, 2], b in [0, 1] yield a + b]);",
        ),
    ),
    DiagnosticCode(
        "too-long",
        "Expansion that is too large",
        "A loop, a repetition or a recursion would produce more elements or operations than "
        "nnefkit computes. The limit keeps a short text from using unlimited time and memory.",
        sections=("3.3.3",),
        fix="Loops, repetitions and recursions must stay within bounds.",
        example=compositional(
            "y = softmax(x, axes = [1] * 10000000);", "y = softmax(x, axes = [1] * 1);"
        ),
    ),
    DiagnosticCode(
        "unknown-shape",
        "Unknown shape",
        "The shape of a tensor is not known, because it depends on a custom operation without a "
        "shape rule. What depends on it is not checked; where the text itself needs the shape "
        "(`shape_of`), this is an error.",
        sections=("3.3.3", "6"),
        severity="note",
        fix="It depends on errors reported elsewhere, or on operations without a shape rule.",
        example=fragment(
            "fragment custom( x: tensor<scalar> ) -> ( y: tensor<scalar> );",
            _HEADER + "{\n    y = relu(x);\n}",
        ),
    ),
    DiagnosticCode(
        "deprecated-function",
        "Deprecated function",
        "The function `shape_of` is deprecated. It is still evaluated where the shape is known.",
        sections=("3.3.3",),
        severity="warning",
        example=compositional(
            "y = reshape(x, shape = shape_of(x));", "y = reshape(x, shape = [1, 2, 4, 4]);"
        ),
    ),
)
