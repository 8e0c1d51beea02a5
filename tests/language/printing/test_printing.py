"""Printed graphs are parsed to the same graph."""

from __future__ import annotations

import itertools
import math
import re

import nnef
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit import language
from nnefkit.display import nnef_text
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation
from nnefkit.language.types import ArrayType

SAMPLE = """version 1.0;
extension KHR_enable_fragment_definitions;
extension VENDOR_things;

fragment fast(x: tensor<scalar>, mode: string = 'a') -> (y: tensor<scalar>);

graph net( x, n ) -> ( y, z )
{
    x = external<scalar>(shape = [1, 2, 3]);
    n = external<integer>(shape = [2]);
    w = variable<scalar>(shape = [1, 2], label = 'it\\'s/a\\\\b');
    c = constant<logical>(shape = [1], value = [true]);
    [a, b] = split(x, axis = 1, ratios = [1, 1]);
    m, v = moments(x, axes = [2]);
    s = select(c, x, 0.5);
    k = cast<scalar>(n);
    f = fast(s, mode = 'b');
    p = pad(f, padding = [(0, -1), (1, 2), (0, 0)], border = 'constant', value = 1e-07);
    y = concat([a, b, 1.0], axis = 1);
    z = leaky_relu(p, alpha = 100000000000000000000.0);
}
"""


def _same(a: Graph, b: Graph) -> None:
    assert (a.name, a.inputs, a.outputs) == (b.name, b.inputs, b.outputs)
    assert (a.version, a.extensions, a.declarations) == (b.version, b.extensions, b.declarations)
    assert [_plain(op) for op in a.operations] == [_plain(op) for op in b.operations]
    assert {n: (t.dtype, t.shape, t.label) for n, t in a.tensors.items()} == {
        n: (t.dtype, t.shape, t.label) for n, t in b.tensors.items()
    }


def _plain(op: Operation) -> tuple[object, ...]:
    # repr distinguishes 1, 1.0 and True; identifiers are compared with strings.
    mappings = (op.inputs, op.outputs, op.attribs)
    listed = [[(key, repr(value), _names(value)) for key, value in m.items()] for m in mappings]
    return op.name, op.dtype, listed


def _names(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_names(item) for item in value]
    return type(value).__name__


def test_printing_a_parsed_print_changes_nothing():
    graph, diagnostics = language.parse(SAMPLE)
    assert [d.code for d in diagnostics] == ["unknown-extension"]
    assert graph is not None
    printed = str(graph)
    assert printed == SAMPLE.replace("100000000000000000000.0", "1e+20")
    again, _ = language.parse(printed)
    assert again is not None
    _same(graph, again)


def test_the_khronos_parser_reads_printed_graphs():
    graph, _ = language.parse(SAMPLE)
    # It stops at unknown extensions and at escaped quotes.
    text = str(graph).replace("extension VENDOR_things;", "").replace("it\\'s", "its")
    theirs = nnef.parse_string(text)
    assert [op.name for op in theirs.operations] == [op.name for op in graph.operations]
    for ours, other in zip(graph.operations, theirs.operations, strict=True):
        assert dict(ours.outputs) == dict(other.outputs)
        assert list(ours.attribs) == list(other.attribs)


def test_comments_can_state_shapes():
    graph, _ = language.parse(SAMPLE)
    text = language.print_graph(graph, shapes=True)
    assert "w = variable<scalar>(shape = [1, 2], label = 'it\\'s/a\\\\b');  # [1, 2]\n" in text
    assert "[a, b] = split(x, axis = 1, ratios = [1, 1]);  # ?, ?\n" in text
    again, _ = language.parse(text)
    _same(graph, again)


def test_default_arguments_can_be_omitted():
    body = "w = conv(x, x); a = conv(x, x, 0.5, groups = 1); y = softmax(a); }"
    graph, _ = language.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [1]); " + body)
    text = language.print_graph(graph, defaults=False)
    assert [line.strip() for line in text.splitlines()[5:8]] == [
        "w = conv(x, x);",
        "a = conv(x, x, 0.5);",
        "y = softmax(a);",
    ]
    again, _ = language.parse(text)
    _same(graph, again)


def test_opaque_operations_are_printed_as_they_were_parsed():
    body = (
        "y = magic(x, [x, x], alpha = 1, mask = x);\n    a, [b, c] = more<integer>(y, n = 'q');\n"
    )
    text = (
        "version 1.0;\n\ngraph g( x ) -> ( y )\n{\n    x = external<scalar>(shape = [1]);\n    "
        + body.replace("alpha = 1, mask = x", "mask = x, alpha = 1")
        + "}\n"
    )
    graph, diagnostics = language.parse(text, strict=False)
    assert [d.code for d in diagnostics] == ["unknown-operation"] * 2
    assert graph is not None
    assert str(graph) == text
    assert graph.operations[1].input_names == ("x", "x", "x", "x")
    assert graph.operations[1].attribs == {"alpha": 1}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e300, "1e+300"),
        (0.1, "0.1"),
        (True, "true"),
        (False, "false"),
        ("a'b\\c", r"'a\'b\\c'"),
        (Identifier("a"), "a"),
        ([], "[]"),
        ([1, [2, 3]], "[1, [2, 3]]"),
        ([(1, -2), (0, 0)], "[(1, -2), (0, 0)]"),
        ([Identifier("a"), 1.5], "[a, 1.5]"),
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.bool_(True), "true"),
        ((1, ("a", [])), "(1, ('a', []))"),
    ],
)
def test_literals(value, text):
    assert nnef_text.literal(value, Identifier) == text


def test_deep_values_are_printed():
    value: list[object] = []
    for _ in range(5000):
        value = [value]
    assert nnef_text.literal(value) == "[" * 5001 + "]" * 5001


# -- generated graphs ---------------------------------------------------------------------------

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
STRINGS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
VALUES = {
    "integer": INTEGERS,
    "scalar": FLOATS,
    "logical": st.booleans(),
    "string": STRINGS,
}


def _values(kind):
    if isinstance(kind, ArrayType):
        return st.lists(_values(kind.element), max_size=4)
    if hasattr(kind, "elements"):
        return st.tuples(*map(_values, kind.elements))
    return VALUES[kind.name]


@st.composite
def graphs(draw):
    """Graphs of any operations with any attributes, valid in their types."""
    names = {"scalar": ["x"], "integer": ["i"], "logical": ["b"]}
    operations = [
        Operation(
            "external",
            FrozenDict(),
            FrozenDict(output=Identifier(name)),
            FrozenDict(shape=[2]),
            dtype,
        )
        for dtype, (name,) in names.items()
    ]
    choices = [d for n, d in language.declarations().items() if n not in ("external", "update")]
    count = 0

    def fresh(kind, dtype):
        nonlocal count
        if isinstance(kind, ArrayType):
            return [fresh(kind.element, dtype) for _ in range(draw(st.integers(1, 3)))]
        count += 1
        name = Identifier(f"t{count}")
        produced.append((dtype if kind.generic else kind.element.name, name))
        return name

    def tensor(kind, dtype):
        if isinstance(kind, ArrayType):
            return [tensor(kind.element, dtype) for _ in range(draw(st.integers(1, 3)))]
        wanted = "scalar" if kind.element is None else dtype if kind.generic else kind.element.name
        if draw(st.integers(0, 5)) == 0:
            return draw(VALUES[wanted])
        return Identifier(draw(st.sampled_from(names[wanted])))

    for declaration in draw(st.lists(st.sampled_from(choices), min_size=1, max_size=8)):
        produced: list[tuple[str, str]] = []
        dtype = draw(st.sampled_from(sorted(names))) if declaration.generic else None
        inputs, attribs = {}, {}
        for parameter in declaration.parameters:
            if parameter.is_tensor:
                inputs[parameter.name] = tensor(parameter.type, dtype)
            elif parameter.type.generic:
                attribs[parameter.name] = draw(st.lists(VALUES[dtype], min_size=1, max_size=4))
            else:
                attribs[parameter.name] = draw(_values(parameter.type))
        outputs = {result.name: fresh(result.type, dtype) for result in declaration.results}
        for kind, name in produced:
            names[kind].append(name)
        operations.append(
            Operation(
                declaration.name,
                FrozenDict(inputs),
                FrozenDict(outputs),
                FrozenDict(attribs),
                dtype,
            )
        )
    return Graph("g", ("x", "i", "b"), (operations[-1].output_names[0],), tuple(operations), {})


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_a_printed_graph_is_parsed_to_the_same_graph(graph):
    again, diagnostics = language.parse(str(graph))
    assert [d for d in diagnostics if d.severity == "error"] == []
    assert again is not None
    assert (again.name, again.inputs, again.outputs) == (graph.name, graph.inputs, graph.outputs)
    assert [_plain(op) for op in again.operations] == [_plain(op) for op in graph.operations]
    assert str(again) == str(graph)


@settings(max_examples=200, deadline=None)
@given(FLOATS)
def test_scalars_are_printed_with_all_digits(value):
    head = "version 1.0; graph g(x) -> (y) { x = external(shape = [1]); "
    graph, _ = language.parse(f"{head} y = leaky_relu(x, alpha = {nnef_text.literal(value)}); }}")
    assert graph is not None
    found = graph.operations[1].attribs["alpha"]
    assert (type(found), found) == (float, value)
    assert math.copysign(1, found) == math.copysign(1, value)


BODY = "fragment {}(x: tensor<scalar>) -> (y: tensor<scalar>)\n{{\n    y = relu(x);\n}}\n"
LINE = "fragment {}(x: tensor<scalar>) -> (y: tensor<scalar>) {{ y = relu(x); }}\n"
NONE = "fragment {}(x: tensor<scalar>) -> (y: tensor<scalar>);\n"


@pytest.mark.parametrize("order", list(itertools.product([BODY, LINE, NONE], repeat=3)))
def test_fragments_have_the_same_blank_lines_as_in_formatted_text(order: tuple[str, ...]) -> None:
    """One around each body; declarations without a body follow each other."""
    fragments = "".join(each.format(name) for each, name in zip(order, "pqr", strict=True))
    text = (
        f"version 1.0;\nextension KHR_enable_fragment_definitions;\n{fragments}"
        "graph g(x) -> (y) { x = external(shape = [1]); t = p(x); u = q(t); y = r(u); }"
    )
    printed = nk.to_text(nk.parse(text, expand=False, strict=False))
    formatted = nk.format(text)
    expected = [1, *(int(a != NONE or b != NONE) for a, b in itertools.pairwise(order)), 1]
    assert blank_lines(printed) == blank_lines(formatted) == expected
    assert nk.format(formatted) == formatted
    assert blank_lines(nk.format(printed)) == expected


def blank_lines(text: str) -> list[int]:
    """Numbers of blank lines before each fragment and before the graph."""
    parts = re.split(r"^(?=fragment |graph )", text, flags=re.MULTILINE)[:-1]
    return [len(part) - len(part.rstrip("\n")) - 1 for part in parts]


def test_a_fragment_of_a_text_with_windows_line_ends_is_printed_like_the_rest() -> None:
    text = (
        "version 1.0;\nextension KHR_enable_fragment_definitions;\n"
        + BODY.format("p")
        + "graph g(x) -> (y) { x = external(shape = [1]); y = p(x); }"
    )
    printed = nk.to_text(nk.parse(text.replace("\n", "\r\n"), expand=False))
    assert printed == nk.to_text(nk.parse(text, expand=False))
    assert "\r" not in printed
