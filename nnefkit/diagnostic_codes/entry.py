"""One row of the table of diagnostic codes, and the examples that go with it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

from nnefkit.errors import Severity

FRAGMENTS = "extension KHR_enable_fragment_definitions;"
EXPRESSIONS = "extension KHR_enable_operator_expressions;"
BOTH = f"{FRAGMENTS}\n{EXPRESSIONS}"

ExampleKind = Literal["graph", "quantization", "python", "command"]


@dataclass(frozen=True)
class Example:
    """A text that triggers a code, and the same text fixed."""

    wrong: str
    """Triggers the code."""
    right: str
    """Does not trigger it."""
    kind: ExampleKind = "graph"
    """``"graph"`` is the text of a ``graph.nnef``, ``"quantization"`` that of a ``graph.quant``
    beside `QUANTIZED_GRAPH`, ``"python"`` a script, ``"command"`` a command line."""


@dataclass(frozen=True)
class DiagnosticCode:
    """The documentation of a diagnostic code."""

    code: str
    """The stable name, such as ``"unknown-argument"``."""
    title: str
    """A short noun phrase."""
    explanation: str
    """One to three sentences."""
    sections: tuple[str, ...] = ()
    """The sections of the NNEF 1.0.5 specification that state the rule; may be empty."""
    severity: Severity = "error"
    """How it is usually reported."""
    fix: str = ""
    """The hint of a report that has no more specific one; may be empty."""
    example: Example | None = None
    without_example: str = ""
    """The reason why there is no example, in a sentence; empty if there is one."""


def document(
    body: str,
    *,
    fragments: str = "",
    extensions: str = "",
    header: str = "net( x ) -> ( y )",
    version: str = "version 1.0;",
) -> str:
    """Return the text of a graph whose first assignment, unless written, is the external `x`."""
    if "external" not in body:
        body = "x = external(shape = [1, 2, 4, 4]);\n" + body
    lines = textwrap.indent(body.strip(), "    ")
    top = "\n".join(part for part in (version, extensions) if part)
    parts = [top, fragments.strip(), f"graph {header}\n{{\n{lines}\n}}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def flat(wrong: str, right: str, *, header: str = "net( x ) -> ( y )") -> Example:
    """Return the example of two graph bodies in flat syntax."""
    return Example(document(wrong, header=header), document(right, header=header))


def compositional(wrong: str, right: str) -> Example:
    """Return the example of two graph bodies with expressions (3.2.3)."""
    return Example(document(wrong, extensions=EXPRESSIONS), document(right, extensions=EXPRESSIONS))


def fragment(
    wrong: str,
    right: str,
    call: str = "y = custom(x);",
    *,
    right_call: str = "",
    expressions: bool = False,
) -> Example:
    """Return the example of two fragment definitions (3.2.2) and the graph bodies that call them.

    Both are called by `call`, unless the right one is called by `right_call`.
    """
    extensions = BOTH if expressions else FRAGMENTS
    return Example(
        document(call, fragments=wrong, extensions=extensions),
        document(right_call or call, fragments=right, extensions=extensions),
    )


QUANTIZED_GRAPH = document("y = relu(x);")
"""The graph that the examples of quantization files belong to; its tensors are `x` and `y`."""


def quantization(wrong: str, right: str) -> Example:
    """Return the example of two quantization files (5.3)."""
    return Example(wrong + "\n", right + "\n", "quantization")


DECLARATION = "fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
"""The custom operation of the examples."""

CUSTOM_GRAPH = document("y = twice(x);", fragments=DECLARATION, extensions=FRAGMENTS)


def python(setup: str, wrong: str, right: str) -> Example:
    """Return the example of two scripts with the same first lines."""

    def script(end: str) -> str:
        return f"{setup.strip()}\n{end.strip()}\n".lstrip()

    return Example(script(wrong), script(right), "python")
