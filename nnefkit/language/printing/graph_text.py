"""Graphs to NNEF text, with the choices that need the declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnefkit.display import nnef_text
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.language.declarations.declaration import declarations


def print_graph(graph: Graph, *, shapes: bool = False, defaults: bool = True) -> str:
    """The NNEF text of a graph.

    Args:
        graph: any graph.
        shapes: whether each assignment is followed by a comment with the shapes of its results.
        defaults: whether arguments that equal their default values are written as well.
    """
    lines: list[str] = []
    opaque = graph.opaque
    for operation in graph.operations:
        inputs, attribs = operation.inputs, operation.attribs
        if not defaults:
            inputs, attribs = _without_defaults(operation)
        line = nnef_text.assignment(
            operation.name,
            inputs,
            operation.outputs,
            attribs,
            operation.dtype,
            Identifier,
            explicit=bool(opaque) and not opaque.isdisjoint(operation.input_names),
        )
        if shapes:
            found = [graph.tensors[name].shape for name in operation.output_names]
            told = ", ".join("?" if shape is None else str([*shape]) for shape in found)
            line += f"  # {told}"
        lines.append(line)
    return nnef_text.document(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        assignments=lines,
        version=graph.version,
        extensions=graph.extensions,
        declarations=graph.declarations,
    )


def _without_defaults(operation: Operation) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    declaration = declarations().get(operation.name)
    if declaration is None:
        return operation.inputs, operation.attribs

    def is_default(name: str, value: Any) -> bool:
        parameter = declaration.by_name.get(name)
        # repr tells 1 from 1.0 and from true.
        return parameter is not None and repr(parameter.default) == repr(value)

    inputs = dict(operation.inputs)
    for name in reversed(list(inputs)):
        # Tensors are positional: only the last ones can be left out.
        if not is_default(name, inputs[name]):
            break
        del inputs[name]
    kept = {n: value for n, value in operation.attribs.items() if not is_default(n, value)}
    if not inputs and not kept:
        return operation.inputs, operation.attribs
    return inputs, kept
