"""The standard operations are those of chapter 4, and are declared as in the Khronos parser."""

from __future__ import annotations

import re
from importlib.resources import files

import nnef
import pytest

from nnefkit.display import nnef_text
from nnefkit.language import declarations, parse
from nnefkit.language.types import ArrayType, PrimitiveType, TensorType

# The Khronos parser declares these beyond the specification.
NOT_IN_THE_SPECIFICATION = {"avg_unpool", "max_unpool", "softabs"}
NOT_IN_KHRONOS: frozenset[str] = frozenset()
"""Operations of the specification that the Khronos parser lacks: a new one, until it has it."""
HEAD = "version 1.0; graph net(x) -> (y) { x = external(shape = [2, 2, 4, 4]); "
LITERALS = {
    "integer": "2",
    "scalar": "0.25",
    "logical": "true",
    "string": "'constant'",
    "integer[]": "[1, 2]",
    "scalar[]": "[0.5]",
    "?[]": "[0.5]",
    "(integer, integer)[]": "[(0, 1), (2, -1)]",
}


def _tensor(kind) -> str:
    if isinstance(kind, ArrayType):
        element = _tensor(kind.element)
        return f"[{element}, {element}]"
    assert isinstance(kind, TensorType)
    name = kind.element.name if kind.element else "scalar"
    return {"integer": "i", "logical": "b"}.get(name, "x")


def _invocation(name: str, *, everything: bool) -> str:
    declaration = declarations()[name]
    arguments = []
    for parameter in declaration.parameters:
        if not everything and parameter not in declaration.required:
            continue
        if parameter.is_tensor:
            is_variable = parameter.name == "variable"
            arguments.append("v" if is_variable else _tensor(parameter.type))
        else:
            arguments.append(f"{parameter.name} = {LITERALS[str(parameter.type)]}")
    generic = "<integer>" if name == "cast" else ""
    results = [
        f"[r{i}, s{i}]" if isinstance(result.type, ArrayType) else f"r{i}"
        for i, result in enumerate(declaration.results)
    ]
    return f"{', '.join(results)} = {name}{generic}({', '.join(arguments)});"


def test_operations_are_those_of_chapter_4_in_its_order():
    assert set(declarations()) >= NOT_IN_KHRONOS
    known = set(declarations()) - NOT_IN_KHRONOS
    assert known == set(nnef.StandardOperations) - NOT_IN_THE_SPECIFICATION
    text = (files("nnefkit.language.declarations") / "standard.nnef").read_text(encoding="utf-8")
    sections = [
        [int(number) for number in section.split(".")]
        for section in re.findall(r"^# (4[.\d]+) ", text, re.MULTILINE)
    ]
    assert sections == sorted(sections)
    assert (sections[0], sections[-1]) == ([4, 1], [4, 9, 6])
    assert list(declarations()) == re.findall(r"^fragment (\w+)", text, re.MULTILINE)


def _document(name: str, *, everything: bool) -> str:
    return (
        HEAD
        + "i = cast<integer>(x); b = lt(x, x); y = copy(x); "
        + "v = variable(shape = [2, 2, 4, 4], label = 'v'); "
        + _invocation(name, everything=everything)
        + "}"
    )


SHARED = [name for name in declarations() if name not in NOT_IN_KHRONOS | {"external"}]


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("everything", [False, True])
def test_parameters_and_defaults_agree_with_the_khronos_parser(name, everything):
    text = _document(name, everything=everything)
    graph, diagnostics = parse(text)
    assert [d.code for d in diagnostics if d.severity == "error"] == []
    assert graph is not None
    ours = graph.operations[-1]
    theirs = nnef.parse_string(text).operations[-1]
    assert ours.name == theirs.name
    assert dict(ours.inputs) == dict(theirs.inputs)
    assert list(ours.inputs) == list(theirs.inputs)
    assert list(ours.attribs) == list(theirs.attribs)
    for key, value in ours.attribs.items():
        other = theirs.attribs[key]
        # It stores scalars as 32-bit numbers.
        same = pytest.approx(other, rel=1e-6) if isinstance(value, float) else other
        assert value == same
    kinds = {k: list if isinstance(v, list) else type(v) for k, v in ours.attribs.items()}
    assert kinds == {k: type(v) for k, v in theirs.attribs.items()}
    assert dict(ours.outputs) == dict(theirs.outputs)
    assert ours.dtype == theirs.dtype


def test_printing_omits_types_that_follow_from_tensors():
    def follows(declaration) -> bool:
        kinds = [p.type for p in declaration.parameters if p.is_tensor]
        return declaration.generic and any(kind.generic for kind in kinds)

    assert {name for name, d in declarations().items() if follows(d)} == nnef_text.DEDUCED


def test_results_are_tensors_and_tensors_come_first():
    for declaration in declarations().values():
        order = [parameter.is_tensor for parameter in declaration.parameters]
        assert order == sorted(order, reverse=True), declaration.name
        for result in declaration.results:
            kind = result.type
            kind = kind.element if isinstance(kind, ArrayType) else kind
            assert isinstance(kind, TensorType)
            assert isinstance(kind.element, PrimitiveType)


@pytest.mark.parametrize("name", SHARED)
def test_compound_operations_are_those_that_the_khronos_parser_lowers(name):
    text = _document(name, everything=True)
    whole, lowered = (
        [op.name for op in nnef.parse_string(text, lowered=chosen).operations]
        for chosen in ([], [name])
    )
    is_compound = lowered.count(name) < whole.count(name)
    assert (declarations()[name].body is not None) == is_compound
