"""The NNEF text of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnefkit.display import nnef_text
from nnefkit.graph import Graph, Identifier, Operation
from nnefkit.graph.dialect import is_of_tract, properties_text, tract_constant
from nnefkit.graph.extents import converted_for
from nnefkit.language.declarations.declaration import declarations


def print_graph(graph: Graph, *, shapes: bool = False, defaults: bool = True) -> str:
    """Return the NNEF text of a graph.

    Args:
        graph: The graph.
        shapes: True to add a comment with the shapes of the results to each assignment.
        defaults: True to write arguments that equal their default values.
    """
    lines: list[str] = []
    opaque = graph.opaque
    of_tract = is_of_tract(graph.extensions)
    for operation in graph.operations:
        inputs, attribs = operation.inputs, operation.attribs
        if not defaults:
            inputs, attribs = _without_defaults(operation)
        line = (of_tract and tract_constant(operation)) or nnef_text.assignment(
            operation.name,
            inputs,
            operation.outputs,
            attribs,
            operation.dtype,
            Identifier,
            explicit=bool(opaque) and not opaque.isdisjoint(operation.input_names),
        )
        if shapes:
            results = [graph.tensors[name].shape for name in operation.output_names]
            listed = ", ".join("?" if shape is None else str([*shape]) for shape in results)
            line += f"  # {listed}"
        lines.append(line)
    return nnef_text.document(
        name=graph.name,
        inputs=graph.inputs,
        outputs=graph.outputs,
        assignments=lines,
        version=graph.version,
        extensions=graph.extensions,
        declarations=graph.declarations,
        comment=converted_for(graph.provenance, graph.operations),
        properties=properties_text(graph.provenance),
    )


def _without_defaults(operation: Operation) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    declaration = declarations().get(operation.name)
    if declaration is None:
        return operation.inputs, operation.attribs

    def is_default(name: str, value: Any) -> bool:
        parameter = declaration.by_name.get(name)
        # repr distinguishes 1, 1.0 and True.
        return parameter is not None and repr(parameter.default) == repr(value)

    inputs = dict(operation.inputs)
    for name in reversed(list(inputs)):
        # Tensors are positional: only trailing ones can be omitted.
        if not is_default(name, inputs[name]):
            break
        del inputs[name]
    attribs = {n: value for n, value in operation.attribs.items() if not is_default(n, value)}
    if not inputs and not attribs:
        return operation.inputs, operation.attribs
    return inputs, attribs
