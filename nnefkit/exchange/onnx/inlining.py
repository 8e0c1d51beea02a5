"""Functions of a model, put in the places where they are called."""

from __future__ import annotations

from typing import Any

from nnefkit.errors import InputError

_MOST = 200_000
"""Nodes that a model may have with its functions expanded: small files can ask for any number."""


def inlined(model: Any, path: str = "") -> Any:
    """The model without functions of its own.

    Raises:
        InputError: its functions call themselves, or make too much of it.
    """
    from onnx import inliner

    if not model.functions:
        return model
    count = _count(model, path)
    if count > _MOST:
        raise InputError(
            f"with its functions expanded, the model has {count:,} nodes; {_MOST:,} are the most",
            file=path,
        )
    try:
        return inliner.inline_local_functions(model, True)
    except Exception as error:
        raise InputError(
            f"the functions of the model cannot be expanded: {error}", file=path
        ) from error


def _count(model: Any, path: str) -> int:
    """How many nodes there are once all functions are expanded."""
    functions = {(f.domain, f.name, f.overload): f for f in model.functions}
    sizes: dict[tuple[str, str, str], int] = {}

    def called(nodes: Any) -> list[tuple[str, str, str]]:
        found = []
        for node in nodes:
            key = node.domain, node.op_type, node.overload
            if key in functions:
                found.append(key)
            for attribute in node.attribute:
                for graph in (attribute.g, *attribute.graphs):
                    found += called(graph.node)
        return found

    # Those first that call none but those that are counted already.
    calls = {key: called(function.node) for key, function in functions.items()}
    while len(sizes) < len(functions):
        ready = [
            key for key in functions if key not in sizes and all(k in sizes for k in calls[key])
        ]
        if not ready:
            left = sorted(key[1] for key in functions if key not in sizes)
            raise InputError(
                f"functions of the model call themselves: {', '.join(left)}", file=path
            )
        for key in ready:
            sizes[key] = len(functions[key].node) + sum(sizes[k] for k in calls[key])
    return len(model.graph.node) + sum(sizes[key] for key in called(model.graph.node))
