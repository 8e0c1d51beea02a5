"""The public names and their signatures are those that were promised.

A change of `public_api.txt` is a change of what users rely on: it belongs in the changelog.
`NNEFKIT_WRITE_TABLES=1 pytest tests/test_public_api.py` rewrites the file.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import nnefkit as nk

SNAPSHOT = Path(__file__).with_name("public_api.txt")


def signature(function: object) -> str:
    try:
        text = str(inspect.signature(function))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return "(...)"
    # The types of the fields of named tuples.
    return re.sub(r"ForwardRef\(('[^']*')[^)]*\)", r"\1", text)


def class_lines(name: str, cls: type) -> Iterator[str]:
    bases = [base.__name__ for base in cls.__bases__ if base is not object]
    yield f"class {name}({', '.join(bases)})"
    if not issubclass(cls, BaseException):
        yield f"    {name}{signature(cls)}"
    members = {
        key: value
        for base in reversed(cls.__mro__)
        if base.__module__.startswith("nnefkit")
        for key, value in vars(base).items()
    }
    fields = {key for base in cls.__mro__ for key in inspect.get_annotations(base)}
    for key in sorted({*members, *fields}):
        if key.startswith("_"):
            continue
        member = members.get(key)
        if isinstance(member, (classmethod, staticmethod)):
            yield f"    {type(member).__name__} {key}{signature(member.__func__)}"
        elif inspect.isfunction(member):
            yield f"    {key}{signature(member)}"
        else:
            yield f"    {key}"


def lines() -> Iterator[str]:
    for name in sorted(nk.__all__):
        member = getattr(nk, name)
        if isinstance(member, ModuleType):
            yield f"module {name}"
            for public in sorted(member.__all__):
                value = getattr(member, public)
                yield f"    {public}{signature(value) if callable(value) else ''}"
        elif inspect.isclass(member):
            yield from class_lines(name, member)
        else:
            yield f"{name}{signature(member)}"


def test_the_public_api_is_the_promised_one() -> None:
    current = "\n".join(lines()) + "\n"
    if os.environ.get("NNEFKIT_WRITE_TABLES"):
        SNAPSHOT.write_text(current, encoding="utf-8")
    assert current == SNAPSHOT.read_text(encoding="utf-8"), __doc__
