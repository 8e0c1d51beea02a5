"""The content of a graph that NNEF text cannot express (3.1)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nnefkit.errors import Diagnostic
from nnefkit.graph import Graph, Identifier
from nnefkit.language.syntax.lexer import KEYWORDS, LOGICALS

SECTION = "3.1"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HINTS = {
    "number": "NNEF has literals for finite numbers only; compute the value in the graph, or store "
    "it as the data of a variable.",
    "integer": "Integers have 64 bits; write a larger number as a scalar.",
    "string": "Strings consist of printable ASCII characters.",
    "value": "Arguments consist of int, float, bool, str, lists and tuples.",
    "name": "Names consist of ASCII letters, digits and _, do not begin with a digit, and are not "
    "keywords.",
}


def inexpressible(graph: Graph) -> list[Diagnostic]:
    """Return an error for each argument or name of a graph that its text cannot express."""
    problems = [*_names(graph), *_repeated(graph)]
    for operation in graph.operations:
        arguments = {**operation.inputs, **operation.attribs}
        owner = f"{operation.name} of {', '.join(map(repr, operation.output_names))}"
        problems += _arguments(arguments, owner)
    for tensor in graph.tensors.values():
        if tensor.quantization:
            problems += _arguments(tensor.quantization, f"the quantization of '{tensor.name}'")
    return problems


def _arguments(arguments: Mapping[str, Any], owner: str) -> Iterator[Diagnostic]:
    for name, value in arguments.items():
        problem = _wrong(value)
        if problem is not None:
            hint, description = problem
            message = f"{owner}: argument '{name}' {description}"
            yield Diagnostic("not-expressible", message, hint=_HINTS[hint], section=SECTION)


def _wrong(value: Any) -> tuple[str, str] | None:
    """Return the key of the hint and the description of the first element that is not a literal."""
    stack = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, Identifier) or type(value) is bool:
            continue
        if isinstance(value, (list, tuple)):
            stack.extend(reversed(value))
            continue
        if hasattr(value, "item") and getattr(value, "size", 0) == 1:
            value = value.item()
        if isinstance(value, str):
            if not (value.isascii() and value.isprintable()):
                return "string", f"is the string {value!r:.60}, which NNEF cannot express"
        elif isinstance(value, float):
            if not math.isfinite(value):
                return "number", f"is {value}, which NNEF cannot express"
        elif isinstance(value, int):
            if not -(2**63) <= value < 2**63:
                return "integer", "is an integer of more than 64 bits"
        else:
            return "value", f"is of type {type(value).__name__}, which NNEF does not have"
    return None


def _repeated(graph: Graph) -> Iterator[Diagnostic]:
    """Yield an error for each input and output that is listed twice."""
    for role, names in (("input", graph.inputs), ("output", graph.outputs)):
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            yield Diagnostic(
                "not-expressible",
                f"the graph lists its {role} {name!r} twice",
                hint=f"Give each {role} a different name; copy a tensor to return it twice.",
                section="3.3.2",
            )


def _names(graph: Graph) -> Iterator[Diagnostic]:
    tensors: Iterable[str] = dict.fromkeys(
        [*graph.inputs, *graph.outputs, *(n for op in graph.operations for n in op.output_names)]
    )
    operations = dict.fromkeys(op.name for op in graph.operations)
    for role, names in (("graph", (graph.name,)), ("operation", operations), ("tensor", tensors)):
        for name in names:
            if _IDENTIFIER.fullmatch(name) and name not in KEYWORDS and name not in LOGICALS:
                continue
            proposal = re.sub(r"[^A-Za-z0-9_]", "_", name)
            if not _IDENTIFIER.fullmatch(proposal) or proposal == name:
                proposal = f"_{proposal}"
            yield Diagnostic(
                "not-expressible",
                f"{name!r:.60} is not a valid {role} name",
                hint=f"{_HINTS['name']} For example: {proposal:.60}",
                section=SECTION,
            )
