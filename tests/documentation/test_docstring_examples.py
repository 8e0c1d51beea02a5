"""Every public name has an example in its docstring, and every example does what it shows."""

from __future__ import annotations

import doctest
import inspect
import sys
from types import ModuleType

import numpy as np
import pytest

import nnefkit as nk

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def _objects() -> dict[str, object]:
    found: dict[str, object] = {}
    for name in nk.__all__:
        member = getattr(nk, name)
        if isinstance(member, ModuleType):
            found |= {
                f"{name}.{public}": getattr(member, public)
                for public in member.__all__
                if callable(getattr(member, public))
            }
        else:
            found[name] = member
    return found


OBJECTS = _objects()


@pytest.mark.parametrize("name", OBJECTS)
def test_public_names_have_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(OBJECTS[name]) or ""), f"nk.{name} has no example"


@pytest.mark.parametrize("name", OBJECTS)
def test_examples_do_what_they_show(
    name: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # type: ignore[arg-type]
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    output: list[str] = []
    for test in finder.find(OBJECTS[name], name, globs={"nk": nk, "np": np}):
        runner.run(test, out=output.append)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")  # the figures of the examples
    assert runner.failures == 0, "".join(output)
