"""Codes of the grammar, of the document as a whole and of the identifiers in it (3.1, 3.2)."""

from __future__ import annotations

from nnefkit.diagnostic_codes.entry import (
    BOTH,
    FRAGMENTS,
    DiagnosticCode,
    Example,
    compositional,
    document,
    flat,
    python,
)

CODES = (
    DiagnosticCode(
        "syntax",
        "Syntax error",
        "The text does not follow the grammar at this place. Parsing goes on after the next "
        "semicolon or closing brace, so one call reports all syntax errors of a document.",
        sections=("3.1", "3.2.1", "3.2.2", "3.2.3", "3.2.4", "5.3"),
        example=flat("y = relu(x)", "y = relu(x);"),
    ),
    DiagnosticCode(
        "byte-order-mark",
        "Byte order mark",
        "The text begins with a Unicode byte order mark, as some editors on Windows write it. "
        "nnefkit skips it; other NNEF parsers may refuse the document.",
        sections=("3.1",),
        severity="warning",
        fix="Save the file as ASCII, or as UTF-8 without a byte order mark.",
        example=python(
            'text = "version 1.0; graph net( x ) -> ( x ) { x = external(shape = [2]); }"',
            'nk.validate("\\N{BYTE ORDER MARK}" + text)',
            "nk.validate(text)",
        ),
    ),
    DiagnosticCode(
        "unsupported-version",
        "Unsupported version",
        "The document declares a major version of NNEF other than 1, whose rules are not known.",
        sections=("3.2.4",),
        fix="Versions 1.x are supported; their documents begin with: version 1.0;",
        example=Example(document("y = relu(x);", version="version 2.0;"), document("y = relu(x);")),
    ),
    DiagnosticCode(
        "unknown-version",
        "Unknown minor version",
        "The document or the tensor file declares a minor version that nnefkit does not know. It "
        "is read by the rules of version 1.0.",
        sections=("3.2.4", "5.2"),
        severity="warning",
        example=Example(document("y = relu(x);", version="version 1.7;"), document("y = relu(x);")),
    ),
    DiagnosticCode(
        "version-without-semicolon",
        "Version without a semicolon",
        "The version does not end with a semicolon, as in documents of 2017, but the rest follows "
        "version 1.0. nnefkit reads it; other NNEF parsers may refuse the document.",
        sections=("3.2.4",),
        severity="warning",
        fix="The document begins with: version 1.0;",
        example=Example(document("y = relu(x);", version="version 1.0"), document("y = relu(x);")),
    ),
    DiagnosticCode(
        "unknown-extension",
        "Unknown extension",
        "The document enables an extension that nnefkit does not know. What the extension means "
        "is ignored, and the rest of the document is read as usual.",
        sections=("3.2.4",),
        severity="warning",
        example=Example(
            document("y = relu(x);", extensions="extension VENDOR_fast_math;"),
            document("y = relu(x);"),
        ),
    ),
    DiagnosticCode(
        "tract-document",
        "Document in tract's dialect",
        "The document declares an extension of tract, as tract and torch-to-nnef write it. Inputs, "
        "constants and operations that mean the same in the standard are read as such; "
        "operations of tract are shown and saved, but not run.",
        sections=("3.2.4",),
        severity="note",
        example=Example(
            document("y = relu(x);", extensions="extension tract_registry tract_core;"),
            document("y = relu(x);"),
        ),
    ),
    DiagnosticCode(
        "tract-difference",
        "Different meaning in tract's dialect",
        "The document is in tract's dialect, in which an operation, a type or an extent does not "
        "mean what it means in the standard. It is refused, since its numbers would be others.",
        sections=("3.2.4", "4", "5.3"),
        example=Example(
            document("y = softplus(x);", extensions="extension tract_registry tract_core;"),
            document("y = softplus(x);"),
        ),
    ),
    DiagnosticCode(
        "comma-between-extensions",
        "Comma between extensions",
        "A statement separates its extensions by commas, as converters of 2018 wrote it. The "
        "grammar separates them by spaces. nnefkit enables all of them; other NNEF parsers may "
        "refuse the document.",
        sections=("3.2.4",),
        severity="warning",
        example=Example(
            document(
                "y = x + x;",
                extensions="extension KHR_enable_fragment_definitions, "
                "KHR_enable_operator_expressions;",
            ),
            document("y = x + x;", extensions=BOTH),
        ),
    ),
    DiagnosticCode(
        "extension-not-enabled",
        "Extension not enabled",
        "Fragment definitions need `extension KHR_enable_fragment_definitions;`, and operators, "
        "nested invocations, comprehensions and other expressions need `extension "
        "KHR_enable_operator_expressions;` after the version.",
        sections=("3.2.2", "3.2.3"),
        example=Example(
            document(
                "y = double(x);",
                fragments="fragment double( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
                "{\n    y = add(x, x);\n}",
            ),
            document(
                "y = double(x);",
                fragments="fragment double( x: tensor<scalar> ) -> ( y: tensor<scalar> )\n"
                "{\n    y = add(x, x);\n}",
                extensions=FRAGMENTS,
            ),
        ),
    ),
    DiagnosticCode(
        "too-many-problems",
        "Too many problems",
        "The text has so many problems that the report lists only the first ones and counts the "
        "rest. Usually one early mistake causes most of them.",
        severity="note",
        example=python(
            "",
            'text = "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]); "\n'
            'nk.validate(text + "y = relu(z); " * 2000 + "}")',
            'text = "version 1.0; graph net( x ) -> ( y ) { x = external(shape = [2]); "\n'
            'nk.validate(text + "y = relu(x); " + "}")',
        ),
    ),
    # -- identifiers of the graph ----------------------------------------------------------------
    DiagnosticCode(
        "redefined-identifier",
        "Identifier assigned twice",
        "An identifier is on the left-hand side of two assignments. Each identifier of a graph or "
        "a fragment body is assigned exactly once.",
        sections=("3.3.2",),
        fix="Each identifier is assigned once; give this one another name.",
        example=flat("y = relu(x);\ny = tanh(x);", "z = relu(x);\ny = tanh(z);"),
    ),
    DiagnosticCode(
        "undefined-identifier",
        "Undefined identifier",
        "An argument names a tensor that no earlier assignment defines. Assignments are in the "
        "order of execution, so a tensor must be assigned before it is used.",
        sections=("3.3.2",),
        fix="An identifier must be on the left-hand side of an assignment before it is used.",
        example=flat("z = relu(x);\ny = tanh(w);", "z = relu(x);\ny = tanh(z);"),
    ),
    DiagnosticCode(
        "duplicate-parameter",
        "Duplicate parameter name",
        "A name occurs twice among the parameters and results of a graph or a fragment.",
        sections=("3.3.2",),
        fix="Give each parameter and each result its own name.",
        example=Example(
            document("y = relu(x);", header="net( x, x ) -> ( y )"), document("y = relu(x);")
        ),
    ),
    DiagnosticCode(
        "undefined-parameter",
        "Undefined graph parameter",
        "The header of the graph lists a parameter that the body does not define. Each parameter "
        "is the result of an `external` operation.",
        sections=("3.3.2",),
        fix="Write: name = external(shape = [...]);",
        example=flat(
            "x = external(shape = [1, 2]);\ny = add(x, 1.0);",
            "x = external(shape = [1, 2]);\nz = external(shape = [1, 2]);\ny = add(x, z);",
            header="net( x, z ) -> ( y )",
        ),
    ),
    DiagnosticCode(
        "parameter-not-external",
        "Graph parameter that is not external",
        "A parameter of the graph is the result of an operation other than `external`.",
        sections=("3.3.2",),
        fix="Write: name = external(shape = [...]);",
        example=Example(
            document(
                "x = external(shape = [1, 2]);\nz = variable(shape = [1, 2], label = 'z');\n"
                "y = add(x, z);",
                header="net( x, z ) -> ( y )",
            ),
            document(
                "x = external(shape = [1, 2]);\nz = variable(shape = [1, 2], label = 'z');\n"
                "y = add(x, z);",
                header="net( x ) -> ( y )",
            ),
        ),
    ),
    DiagnosticCode(
        "external-not-parameter",
        "External tensor that is not a graph parameter",
        "An `external` operation defines a tensor that the header of the graph does not list as "
        "a parameter.",
        sections=("3.3.2",),
        fix="Assign each external to one of the graph's parameters.",
        example=Example(
            document(
                "x = external(shape = [1, 2]);\nz = external(shape = [1, 2]);\ny = add(x, z);"
            ),
            document(
                "x = external(shape = [1, 2]);\nz = external(shape = [1, 2]);\ny = add(x, z);",
                header="net( x, z ) -> ( y )",
            ),
        ),
    ),
    DiagnosticCode(
        "undefined-result",
        "Undefined graph result",
        "The header of the graph lists a result that the body does not define.",
        sections=("3.3.2",),
        fix="Assign every result of the graph in its body.",
        example=Example(
            document("y = relu(x);", header="net( x ) -> ( z )"),
            document("y = relu(x);", header="net( x ) -> ( y )"),
        ),
    ),
    DiagnosticCode(
        "not-a-tensor",
        "Identifier that is not a tensor",
        "An assignment in the graph defines an identifier whose value is a number, a string, an "
        "array or a tuple. All identifiers of a graph are tensors.",
        sections=("3.3.2",),
        fix="Compute attributes in fragments, or write them where they are used.",
        example=compositional(
            "parts = [x, x];\ny = concat(parts, axis = 1);", "y = concat([x, x], axis = 1);"
        ),
    ),
    DiagnosticCode(
        "result-mismatch",
        "Left-hand side that does not match the result",
        "The left-hand side of an assignment does not have the structure of the value: one name "
        "for a tensor, `[a, b]` for an array of tensors, `a, b` for several results.",
        sections=("3.3.2",),
        fix="The left-hand side must have the structure of the result: one name for a tensor, "
        "[a, b] for an array, a, b for a tuple.",
        example=flat("y = moments(x, axes = [1]);", "y, variance = moments(x, axes = [1]);"),
    ),
)
