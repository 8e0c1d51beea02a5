"""NNEF text of plain values: literals, assignments, documents (3.1, 3.2, A.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnefkit.display.numbers import integer, shorten
from nnefkit.display.vocabulary import VOCABULARY

DEDUCED = frozenset(name for name, entry in VOCABULARY.items() if entry.deduced)
"""The generic standard operations whose type follows from their arguments, and may be omitted."""
FRAGMENT_EXTENSION = "KHR_enable_fragment_definitions"


class _Text(str):
    """A finished piece of text among values that are still to be written."""

    __slots__ = ()


def literal(value: Any, identifier: type[str] | tuple[()] = ()) -> str:
    """`value` as NNEF text.

    Args:
        value: An int, float, bool, str or NumPy scalar, or lists and tuples of these.
        identifier: The subclass of str whose instances are identifiers instead of strings.
    """
    if not isinstance(value, (list, tuple)):
        return _atom(value, identifier)
    if isinstance(value, list) and not any(isinstance(item, (list, tuple)) for item in value):
        return f"[{', '.join([_atom(item, identifier) for item in value])}]"
    pieces: list[str] = []
    stack: list[Any] = [value]
    while stack:
        value = stack.pop()
        if isinstance(value, _Text):
            pieces.append(value)
        elif not isinstance(value, (list, tuple)):
            pieces.append(_atom(value, identifier))
        else:
            brackets = "[]" if isinstance(value, list) else "()"
            stack.append(_Text(brackets[1]))
            for index in range(len(value) - 1, -1, -1):
                stack.append(value[index])
                stack.append(_Text(", " if index else ""))
            stack.append(_Text(brackets[0]))
    return "".join(pieces)


def _atom(value: Any, identifier: type[str] | tuple[()]) -> str:
    if isinstance(value, str):
        return value if isinstance(value, identifier) else quoted(value)
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


ELEMENTS = (24, 6, 4, 2)
"""Maximum numbers of elements that `abbreviated` writes of a list, of lists in it, and so on."""
LONGEST = 400
"""Maximum length of a string that it writes."""


def abbreviated(value: Any, depth: int = 0) -> str:
    """`value` as NNEF text for displays: of long lists, of deep ones and of long strings a part.

    Strings are literals, instances of its subclasses are names of tensors.
    """
    if isinstance(value, (list, tuple)):
        brackets = "[]" if isinstance(value, list) else "()"
        if depth == len(ELEMENTS):
            return f"{brackets[0]}…{brackets[1]}"
        most = ELEMENTS[depth]
        listed = ", ".join([abbreviated(element, depth + 1) for element in value[:most]])
        if len(value) > most:
            listed += f", … {len(value) - most:,} more"
        return f"{brackets[0]}{listed}{brackets[1]}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = shorten(value, LONGEST)
        return f"'{text}'" if type(value) is str else text
    if isinstance(value, int):
        return integer(value)
    return shorten(str(value), LONGEST)


def quoted(text: str) -> str:
    """Return a string literal, with quotes and backslashes escaped."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def assignment(
    name: str,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    attribs: Mapping[str, Any],
    dtype: str | None,
    identifier: type[str],
    *,
    explicit: bool = False,
) -> str:
    """Return ``a, b = name<dtype>(inputs, attribs);``: tensors by position, attributes by name.

    Parameters of an operation without a declaration have their positions as names (``"0"``,
    ``"1"``), unless the text named them. `explicit` writes the type even where it usually follows
    from the tensors.
    """
    results = ", ".join([literal(value, identifier) for value in outputs.values()])
    opaque = "0" in outputs
    arguments = [
        f"{key} = {literal(value, identifier)}"
        if opaque and not key.isdigit()
        else literal(value, identifier)
        for key, value in inputs.items()
    ]
    arguments += [f"{key} = {literal(value, identifier)}" for key, value in attribs.items()]
    generic = f"<{dtype}>" if dtype and (explicit or name not in DEDUCED) else ""
    return f"{results} = {name}{generic}({', '.join(arguments)});"


def document(
    *,
    name: str,
    inputs: Sequence[str],
    outputs: Sequence[str],
    assignments: Iterable[str],
    version: str = "1.0",
    extensions: Sequence[str] = (),
    declarations: Sequence[str] = (),
    comment: str = "",
    properties: str = "",
) -> str:
    """Return a whole document, with a line end after its last line.

    A `comment` is a line before the definitions; `properties` are a definition of a dialect that
    does not need an extension.
    """
    enabled = {word for extension in extensions for word in extension.split()}
    if declarations and FRAGMENT_EXTENSION not in enabled:
        extensions = (*extensions, FRAGMENT_EXTENSION)
    lines = [f"version {version};", *(f"extension {extension};" for extension in extensions), ""]
    if comment:
        lines += [comment, ""]
    if properties:
        lines += [properties.replace("\r\n", "\n"), ""]
    if declarations:
        had_body = False
        for text in declarations:
            has_body = text.endswith("}")
            if (has_body or had_body) and lines[-1]:
                lines.append("")
            lines.append(text.replace("\r\n", "\n"))
            had_body = has_body
        lines.append("")
    lines.append(f"graph {name}( {', '.join(inputs)} ) -> ( {', '.join(outputs)} )")
    lines += ["{", *(f"    {text}" for text in assignments), "}", ""]
    return "\n".join(lines)
