"""The diagnostic codes that the package can report, read from its syntax trees.

A code is a literal that a call passes as the parameter `code` of a function or class of the
package, the default of such a parameter, or the attribute `code` of an error class.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import nnefkit

CODE = re.compile(r"[a-z]+(-[a-z]+)*")


def raised_codes() -> dict[str, set[str]]:
    """Return each code with the places (``file:line``) that report it."""
    package = Path(nnefkit.__file__).parent
    trees = {
        path.relative_to(package): ast.parse(path.read_text()) for path in package.rglob("*.py")
    }
    positions: dict[str, set[int | None]] = {"Diagnostic": {0}}
    for tree in trees.values():
        for name, position in _functions_with_code(tree):
            positions.setdefault(name, set()).add(position)
    codes: dict[str, set[str]] = {}
    for path, tree in trees.items():
        constants = _constants(tree)
        for node in ast.walk(tree):
            for value in _codes(node, positions):
                code = constants.get(value.id) if isinstance(value, ast.Name) else _text(value)
                if code is not None and CODE.fullmatch(code):
                    codes.setdefault(code, set()).add(f"{path}:{value.lineno}")
    return codes


def _functions_with_code(tree: ast.Module) -> Iterator[tuple[str, int | None]]:
    """Names of functions (or of classes, by their ``__init__``), and the position of `code`."""
    for owner in ast.walk(tree):
        for node in (
            getattr(owner, "body", ()) if isinstance(owner, (ast.Module, ast.ClassDef)) else ()
        ):
            if not isinstance(node, ast.FunctionDef):
                continue
            names = [argument.arg for argument in node.args.args]
            name = (
                owner.name
                if node.name == "__init__" and isinstance(owner, ast.ClassDef)
                else node.name
            )
            if "code" in names:
                yield name, names.index("code") - (names[0] in ("self", "cls"))
            elif "code" in [argument.arg for argument in node.args.kwonlyargs]:
                yield name, None


def _codes(node: ast.AST, positions: dict[str, set[int | None]]) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from _of_call(node, positions)
    elif isinstance(node, ast.FunctionDef):
        arguments = node.args
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if argument.arg == "code" and default is not None:
                yield default
    elif isinstance(node, ast.ClassDef) and any(_name(b).endswith("Error") for b in node.bases):
        for part in node.body:
            if isinstance(part, ast.Assign) and _name(part.targets[0]) == "code":
                yield part.value


def _of_call(call: ast.Call, positions: dict[str, set[int | None]]) -> Iterator[ast.expr]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    places = positions.get(_name(call.func), set())
    for place in places:
        if place is None or place >= len(call.args):
            continue
        value = call.args[place]
        # Where only some functions of a name take the code by position (and sets have a method
        # `add`, too), a single word can be anything.
        if None not in places or isinstance(value, ast.Name) or "-" in (_text(value) or ""):
            given.append(value)
    for value in given:
        yield from (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)


def _constants(tree: ast.Module) -> dict[str, str]:
    """The strings that a module assigns to names in capitals."""
    return {
        _name(node.targets[0]): text
        for node in tree.body
        if isinstance(node, ast.Assign) and (text := _text(node.value)) is not None
    }


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _name(node: ast.expr) -> str:
    return getattr(node, "attr", getattr(node, "id", ""))
