"""NNEF text of the parts of a draft, laid out as the Khronos package does it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import Any

import numpy as np

from nnefkit.compat.errors import WrongTypeError, expect
from nnefkit.display import nnef_text
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.graph import Identifier


def format_version(version: tuple[int, int]) -> str:
    """Return the version statement of a document.

    Example:
        >>> nk.compat.format_version((1, 0))
        'version 1.0;'
    """
    expect(version, (tuple, list), "the version", "a pair of integers")
    if len(version) != 2:
        raise InputError(f"the version must be a pair of integers, not {version}")
    major, minor = version
    return f"version {major}.{minor};"


def format_extensions(extensions: Iterable[str]) -> str:
    """Return the extension statements of a document, one on each line.

    Example:
        >>> nk.compat.format_extensions(["KHR_enable_operator_expressions"])
        'extension KHR_enable_operator_expressions;'
    """
    return "\n".join(f"extension {name};" for name in _names(extensions, "extensions"))


def format_argument(value: Any) -> str:
    """Return the text of an argument: an `Identifier`, a literal, or lists and tuples of these.

    Raises:
        Error: It holds something else (also a `TypeError`), or a number that is not finite (also a
            `ValueError`), for which NNEF has no text.

    Example:
        >>> nk.compat.format_argument([nk.compat.Identifier("x"), "x", True, (1, 2.0)])
        "[x, 'x', true, (1, 2.0)]"
    """
    _check_atoms(
        value,
        (str, bool, int, float, np.generic),
        "arguments consist of int, float, bool, str, Identifier, and lists and tuples of these",
    )
    return nnef_text.literal(value, Identifier)


def format_result(value: Any) -> str:
    """Return the text of a result: an `Identifier`, or lists and tuples of identifiers.

    Raises:
        Error: It holds something else; also a `TypeError`.

    Example:
        >>> nk.compat.format_result([nk.compat.Identifier("a"), nk.compat.Identifier("b")])
        '[a, b]'
    """
    _check_results(value)
    return nnef_text.literal(value, Identifier)


def format_shapes(result: Any, tensors: Mapping[str, Any]) -> str:
    """Return the shapes of a result as text, in the structure of the result.

    Raises:
        Error: It does not consist of identifiers (also a `TypeError`), or there is no such tensor
            (also a `KeyError`).

    Example:
        >>> tensors = {"x": nk.compat.Tensor("x", "scalar", shape=[1, 3])}
        >>> nk.compat.format_shapes(nk.compat.Identifier("x"), tensors)
        '[1, 3]'
    """
    _check_results(result)
    return _shapes_text(result, tensors)


def format_invocation(
    name: str,
    attribs: Mapping[str, Any],
    inputs: Iterable[Any],
    outputs: Iterable[Any] | None = None,
    dtype: str | None = None,
) -> str:
    """Return the text of an invocation, without a semicolon.

    Args:
        name: The operation.
        attribs: Values by attribute, written by name.
        inputs: Inputs, written by position.
        outputs: Results; None for the right-hand side alone.
        dtype: The type argument of a generic operation.

    Raises:
        Error: A value has no text; see `format_argument` and `format_result`.

    Example:
        >>> x, y = nk.compat.Identifier("x"), nk.compat.Identifier("y")
        >>> nk.compat.format_invocation("elu", {"alpha": 1.0}, [x], [y])
        'y = elu(x, alpha = 1.0)'
    """
    expect(name, str, "the name of an operation", "a str")
    expect(attribs, Mapping, f"the attributes of '{name}'", "a dictionary")
    expect(inputs, Iterable, f"the inputs of '{name}'", "values in order")
    arguments = [format_argument(value) for value in inputs]
    arguments += [f"{key} = {format_argument(value)}" for key, value in attribs.items()]
    left = "" if outputs is None else f"{', '.join(map(format_result, outputs))} = "
    generic = "" if dtype is None else f"<{dtype}>"
    return f"{left}{name}{generic}({', '.join(arguments)})"


def format_graph(
    name: str,
    inputs: Collection[str],
    outputs: Collection[str],
    operations: Iterable[Any],
    tensors: Mapping[str, Any],
    annotate_shapes: bool = False,
) -> str:
    """Return the text of a graph, without the version and the extensions.

    Args:
        name: Its name.
        inputs: Names of its inputs.
        outputs: Names of its outputs.
        operations: Its operations, in order.
        tensors: Its tensors by name; only their shapes are used.
        annotate_shapes: Whether a comment after each assignment states the shapes of its results.

    Raises:
        Error: A value has no text; see `format_argument` and `format_result`.

    Example:
        >>> graph = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
        ...                                " x = external(shape = [1, 3]); y = relu(x); }")
        >>> print(nk.compat.format_graph(*[graph.name, graph.inputs, graph.outputs],
        ...                              graph.operations, graph.tensors).expandtabs(4), end="")
        graph net( x ) -> ( y )
        {
            x = external<scalar>(shape = [1, 3]);
            y = relu(x);
        }
    """
    expect(name, str, "the name of the graph", "a str")
    expect(tensors, Mapping, "'tensors'", "a dictionary")
    header = " -> ".join(
        f"( {', '.join(_names(names, subject))} )"
        for names, subject in ((inputs, "'inputs'"), (outputs, "'outputs'"))
    )
    lines = [f"graph {name}{header}", "{"]
    for operation in expect(operations, Iterable, "'operations'", "a list of operations"):
        arguments, results = _arguments(operation)
        line = format_invocation(
            operation.name, operation.attribs, arguments, results, operation.dtype
        )
        comment = ""
        if annotate_shapes:
            comment = f"\t# {', '.join([format_shapes(result, tensors) for result in results])}"
        lines.append(f"\t{line};{comment}")
    return "\n".join([*lines, "}", ""])


def _names(names: Iterable[str], subject: str) -> list[str]:
    listed = [*expect(names, Iterable, subject, "a list of names")]
    for name in listed:
        expect(name, str, f"each of {subject}", "a name")
    return listed


def _arguments(operation: Any) -> tuple[Iterable[Any], Iterable[Any]]:
    """Return the inputs and the outputs of an operation, which any class may represent."""
    missing = [
        field
        for field in ("name", "attribs", "inputs", "outputs", "dtype")
        if not hasattr(operation, field)
    ]
    if missing:
        raise WrongTypeError(
            f"each of 'operations' must be an Operation, not of type {type(operation).__name__}"
        )
    inputs = expect(operation.inputs, Mapping, f"the inputs of '{operation.name}'", "a dictionary")
    results = expect(
        operation.outputs, Mapping, f"the outputs of '{operation.name}'", "a dictionary"
    )
    return inputs.values(), results.values()


def _check_results(value: Any) -> None:
    _check_atoms(
        value, (Identifier,), "results consist of Identifier, and lists and tuples of these"
    )


def _check_atoms(value: Any, allowed: tuple[type, ...], rule: str) -> None:
    stack = [value]
    while stack:
        part = stack.pop()
        if isinstance(part, (list, tuple)):
            stack += part
        elif not isinstance(part, allowed):
            raise WrongTypeError(
                f"{rule}, not of {type(part).__name__}",
                hint="Identifier(name) refers to a tensor, array.tolist() is a list of numbers.",
                section="3.1",
            )
        elif isinstance(part, (float, np.floating)) and not isfinite(part):
            raise InputError(f"NNEF text has no number {part}", section="3.1")


def _shapes_text(result: Any, tensors: Mapping[str, Any]) -> str:
    if isinstance(result, (list, tuple)):
        brackets = "[]" if isinstance(result, list) else "()"
        parts = ", ".join([_shapes_text(part, tensors) for part in result])
        return f"{brackets[0]}{parts}{brackets[1]}"
    if result not in tensors:
        raise UnknownNameError(
            f"there is no tensor '{result}'", hint=did_you_mean(result, list(tensors))
        )
    shape = tensors[result].shape
    return str(shape if shape is None else [*map(int, shape)])
