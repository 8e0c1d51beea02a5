"""Checks of the arguments of public calls: each returns what it was given, in one form."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nnefkit.arrays import has_masked
from nnefkit.errors import InputError, UnknownNameError, did_you_mean


def wrong_type(argument: str, expected: str, value: object, hint: str = "") -> InputError:
    """Return the error for an argument of another type than `expected`."""
    given = "None" if value is None else f"of type {type(value).__name__}"
    return InputError(f"'{argument}' must be {expected}, not {given}", hint=hint)


class UnknownAttributeError(UnknownNameError, AttributeError):
    """An attribute that an object does not have; the hint names the call that does it.

    Example:
        >>> graph = nk.parse("version 1.0; graph g(x) -> (x) { x = external(shape = [2]); }")
        >>> try:
        ...     graph.save("model.nnef.tgz")
        ... except AttributeError as error:
        ...     print(error.diagnostics[0].hint)
        Use nnefkit.save(graph, path).
    """


def unknown_attribute(
    owner: object, name: str, calls: Mapping[str, str], tensors: Iterable[str] = ()
) -> AttributeError:
    """Return the error for an attribute that `owner` does not have, with what to use instead.

    Args:
        owner: The object.
        name: The attribute.
        calls: What is often looked for in it -> what to call instead.
        tensors: Names of its tensors, which are found by ``owner[name]``.
    """
    kind = type(owner).__name__
    if name.startswith("_"):  # Python and IPython look for these themselves.
        return AttributeError(f"'{kind}' object has no attribute '{name}'")
    if name in calls:
        hint = f"Use {calls[name]}."
    elif name in tensors:
        hint = f"Use {kind.lower()}['{name}'] for the tensor."
    else:
        hint = did_you_mean(name, (each for each in dir(owner) if not each.startswith("_")))
    return UnknownAttributeError(f"a {kind} has no attribute '{name}'", hint=hint)


OTHER_NAMES = {
    "open": "nnefkit.load(path)",
    "read": "nnefkit.load(path)",
    "loads": "nnefkit.parse(text)",
    "write": "nnefkit.save(graph, path)",
    "dump": "nnefkit.save(graph, path)",
    "export": "nnefkit.save(graph, path), nnefkit.to_onnx(graph, path)",
    "check": "nnefkit.validate(model)",
    "predict": "nnefkit.run(graph, inputs)",
    "infer": "nnefkit.run(graph, inputs), nnefkit.infer_shapes(graph)",
    "debug": "nnefkit.step(graph, inputs)",
    "show": "nnefkit.view(graph), or the name of the graph as last line of a cell",
    "allclose": "nnefkit.compare(a, b).ok",
    "from_pytorch": "nnefkit.from_torch(module, example)",
    "to_pytorch": "nnefkit.to_torch(graph)",
    "load_onnx": "nnefkit.from_onnx(path)",
    "save_onnx": "nnefkit.to_onnx(graph, path)",
    "parse_file": "nnefkit.load(path)",
    "parse_string": "nnefkit.parse(text)",
    "load_graph": "nnefkit.load(path)",
    "save_graph": "nnefkit.save(graph, path)",
}
"""What is often looked for in the package, also from other NNEF tools -> what to call instead."""


def unknown_name(name: str, names: Iterable[str]) -> AttributeError:
    """Return the error for an attribute that the package does not have."""
    problem = f"module 'nnefkit' has no attribute '{name}'"
    if name.startswith("_"):
        return AttributeError(problem)
    hint = f"Use {OTHER_NAMES[name]}." if name in OTHER_NAMES else did_you_mean(name, names)
    return UnknownAttributeError(problem, hint=hint)


UNMASK = "array.filled(value) sets them to a value."
"""How to fix arrays with masked elements."""


def refuse_masked(value: object, subject: str) -> None:
    """Check that no elements of an array-like are masked.

    Args:
        value: The array-like.
        subject: Its name, for messages.

    Raises:
        InputError: Some are.
    """
    if has_masked(value):
        raise InputError(f"{subject}: masked elements have no value", hint=UNMASK)


def expected_string(value: object, argument: str) -> str:
    """Return `value` if it is a string.

    Args:
        value: The argument.
        argument: Its name, for messages.

    Raises:
        InputError: It is not.
    """
    if isinstance(value, str):
        return value
    hint = ""
    if isinstance(value, bytes):
        hint = "value.decode() turns bytes into a string."
    elif isinstance(value, os.PathLike):
        hint = "nnefkit.load(path) opens a model, path.read_text() reads a file."
    raise wrong_type(argument, "a str", value, hint)


def expected_names(value: object, argument: str) -> tuple[str, ...]:
    """Return one name or several as a tuple, without repetitions.

    Args:
        value: A string or an iterable of strings.
        argument: The name of the argument, for messages.

    Raises:
        InputError: It is neither.
    """
    if isinstance(value, str):
        return (str(value),)
    if not isinstance(value, Iterable) or isinstance(value, bytes):
        raise wrong_type(argument, "a name or a list of names", value)
    names = tuple(dict.fromkeys(value))
    for name in names:
        if not isinstance(name, str):
            raise wrong_type(argument, "a name or a list of names", name)
    return names


def expected_path(value: object, argument: str = "path") -> Path:
    """Return `value` as a path.

    Args:
        value: A string or a path object.
        argument: The name of the argument, for messages.

    Raises:
        InputError: It is neither, or an empty string.
    """
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise wrong_type(argument, "a path (str or pathlib.Path)", value)
    if not value:
        raise InputError(
            f"'{argument}' is an empty string", hint="Give the path of a file or a folder."
        )
    return Path(value)


def expected_mapping(value: object, argument: str, of: str) -> Mapping[Any, Any]:
    """Return `value` if it is a mapping.

    Args:
        value: The argument.
        argument: Its name, for messages.
        of: What it maps, such as ``"names to arrays"``.

    Raises:
        InputError: It is not a mapping.
    """
    if isinstance(value, Mapping):
        return value
    raise wrong_type(argument, f"a mapping from {of}", value)
