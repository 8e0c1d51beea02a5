"""Repeated assignments are replayed, with the result that parsing them again would have."""

from __future__ import annotations

import pathlib
import pickle
import random
import re

import pytest

import nnefkit as nk
from nnefkit import language
from nnefkit.language.replay.replay import Replay

DOCUMENTS = sorted((pathlib.Path(__file__).parents[1] / "documents").glob("*/*.nnef"))
BOTH = "extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;"


def _content(graph):
    if graph is None:
        return None
    operations = [
        [
            *(op.name, [*op.inputs.items()], [*op.outputs.items()], repr(dict(op.attribs))),
            *(op.dtype, op.scope, op.span, op.macs),
        ]
        for op in graph.operations
    ]
    tensors = [
        (key, t.name, t.dtype, t.shape, t.label, repr(t.data)) for key, t in graph.tensors.items()
    ]
    return graph.name, graph.inputs, graph.outputs, graph.declarations, operations, tensors


def _read_both_ways(text, monkeypatch, **options):
    """Read with and without replay, and count the assignments that were replayed."""
    count = 0
    replayed = Replay.replayed

    def counted(self, first):
        nonlocal count
        following = replayed(self, first)
        count += following > 0
        return following

    with monkeypatch.context() as patch:
        patch.setattr(Replay, "replayed", counted)
        with_replay = language.parse(text, **options)
    without_replay = language.parse(text, replay=False, **options)
    return with_replay, without_replay, count


def _assert_same(text, monkeypatch, **options):
    replayed, read, count = _read_both_ways(text, monkeypatch, **options)
    assert replayed[1] == read[1]
    assert _content(replayed[0]) == _content(read[0])
    return count


def _document(lines, fragments="", head=BOTH):
    body = "\n".join(lines)
    return (
        f"version 1.0; {head}\n{fragments}\ngraph net(x) -> (y)\n"
        "{\nx = external(shape = [1, 4, 8, 8]); k = variable(shape = [4, 4, 3, 3], label = 'k');\n"
        f"{body}\n}}\n"
    )


FRAGMENTS = """
fragment block( x: tensor<scalar>, w: tensor<scalar>, n: integer = 2 ) -> ( y: tensor<scalar> )
{ t = relu(conv(x, w, padding = [(1, 1)] * n) * 2.0 + 1.0) * 3.0; y = t + x; }
fragment same( x: tensor<scalar> ) -> ( y: tensor<scalar> ) { y = x; }
fragment pair( x: tensor<scalar> ) -> ( y: tensor<scalar>, z: tensor<scalar> )
{ y = -x; z = relu(x) - x; }
fragment outer( x: tensor<scalar>, w: tensor<scalar> ) -> ( y: tensor<scalar> )
{ a, b = pair(block(x, w)); y = same(select(a < b, a, b)); }
fragment tall<?>( x: tensor<?> ) -> ( y: tensor<?> ) { y = copy(x) if length_of([1]) > 0 else x; }
"""

# Lines with {i} and {j} for the numbers of this repetition and of the one before.
PATTERNS = {
    "flat": ["v{i} = relu(v{j});"],
    "attributes": ["v{i} = conv(v{j}, k, 0.5, stride = [1, 1], padding = [(1, 1), (1, 1)]);"],
    "variables": ["w{i} = variable(shape = [1, 4], label = 'w{i}');", "v{i} = add(v{j}, w{i});"],
    "extents": [
        "w{i} = variable(shape = [1, 4, {i}], label = 'w{i}');",
        "u{i} = variable<integer>(label = 'u{i}', shape = [{i}]);",
        "t{i} = variable(shape = [], label = 't{i}');",
        "v{i} = relu(v{j});",
    ],
    "one label": ["w{i} = variable(shape = [1, 4], label = 'w');", "v{i} = add(v{j}, w{i});"],
    "repeated": ["a{i} = add(v{j}, v{j});", "v{i} = add(a{i}, v{j});"],
    "arrays": ["[a{i}, b{i}] = split(v{j}, axis = 1, ratios = [1, 1]);",
               "v{i} = concat([a{i}, b{i}], axis = 1);"],
    "several results": ["m{i}, d{i} = moments(v{j}, axes = [2, 3]);", "v{i} = sub(v{j}, m{i});"],
    "constants": ["k{i} = constant(shape = [1, 4], value = [0.5]);", "v{i} = mul(v{j}, k{i});"],
    "types": ["c{i} = lt(v{j}, 0.0);", "v{i} = select(c{i}, v{j}, x);",
              "d{i} = select(c{i}, c{i}, c{i});"],
    "expressions": ["v{i} = -v{j} * 2.0 + relu(v{j} - 1.0);"],
    "names taken": ["v{i} = relu(v{j} * 2.0) * 2.0;", "v{i}_mul = relu(v{i});"],
    "blocks": ["v{i} = block(v{j}, k);"],
    "names of blocks": ["v{i} = block(v{j}, k);", "v{i}_t_conv = relu(v{j});"],
    "deep blocks": ["v{i} = outer(v{j}, k);"],
    "renamed": ["v{i} = same(relu(v{j}));"],
    "renamed variables": [
        "w{i} = same(variable(shape = [1, 4], label = 'w{i}'));",
        "v{i} = add(v{j}, w{i});",
    ],
    "tuples": ["v{i}, v{i}_a = pair(v{j});"],
    "prefixes": ["v{i}, v{i}a = pair(v{j});"],
    "generic": ["c{i} = lt(v{j}, 0.0);", "d{i} = tall(c{i});", "v{i} = tall(v{j});"],
    "comprehensions": ["v{i} = concat([for k in [v{j}, v{j}] yield k * 2.0], axis = 0);",
                       "s{i} = slice(v{i}, axes = [0], begin = [0], end = [1]);"],
    "shapes": ["v{i} = reshape(v{j}, shape = shape_of(v{j}));"],
    "choices": ["v{i} = relu(v{j}) if {k} > 2 else v{j};"],
    "varying": ["v{i} = leaky_relu(v{j}, alpha = 0.{i});"],
}  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_repeated_assignments_are_replayed_with_the_same_result(pattern, monkeypatch):
    lines = ["v0 = copy(x);"]
    for i in range(1, 9):
        lines += [
            line.replace("{i}", str(i)).replace("{j}", str(i - 1)).replace("{k}", str(i % 2 + 2))
            for line in PATTERNS[pattern]
        ]
    text = _document([*lines, "y = copy(v8);"], FRAGMENTS)
    count = _assert_same(text, monkeypatch)
    graph = nk.parse(text)
    assert str(nk.parse(str(graph))) == str(graph)
    none = {"tuples", "shapes", "varying"}  # the effect may differ from one to the next
    assert bool(count) == (pattern not in none)


# Assignments like those before, but with an error or another meaning.
VARIATIONS = {
    "defined twice": "v3 = relu(x);",
    "not defined": "w = relu(nowhere);",
    "defined later": "w = relu(z); z = relu(x);",
    "another type": "w = lt(x, x); u = relu(w);",
    "no extent": "w = variable(shape = [0], label = 'w'); v = variable(shape = [-1], label = 'v');",
    "no ints": "w = variable(shape = [1.], label = 'w'); v = variable(shape = [a], label = '');",
    "a huge extent": "w = variable(shape = [99999999999999999999], label = 'w');",
    "no label": "w = variable(shape = [1, 2]); v = variable(shape = [1, 2], label = 3);",
    "a label elsewhere": "w = relu(x, label = 'w'); v = relu(x, shape = [1, 2], label = 'v');",
    "no semicolon": "w = relu(x)\nz = relu(w);",
    "no end": "w = relu(x",
    "another parameter": "w = relu(y = x);",
    "an unknown operation": "w = rellu(x); u = rellu(w); t = rellu(u);",
    "a misspelled attribute": "w = conv(x, 1.0, strid = [1]); u = conv(x, 1.0, strid = [1]);",
    "a minus that is not a sign": "w = leaky_relu(x, alpha = - 0.5);",
    "nothing": ";;;;",
    "half": "= relu(x); = relu(x); = relu(x);",
    "a string without an end": "w = variable(shape = [1], label = 'w);\nu = relu(x);",
}


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("variation", VARIATIONS)
def test_errors_among_repeated_assignments_are_reported(variation, flat, monkeypatch):
    lines = [
        "v0 = copy(x);",
        *(f"v{i} = relu(v{i - 1});" for i in range(1, 9)),
        VARIATIONS[variation],
    ]
    lines += ["a = leaky_relu(x, alpha = -0.5);", "b = leaky_relu(x, alpha =  -0.5);"]
    lines += [
        "c = leaky_relu(x, alpha = -0.5);",
        VARIATIONS[variation].replace("w", "w2"),
        "y = copy(v8);",
    ]
    text = _document(lines, head="" if flat else BOTH)
    assert _assert_same(text, monkeypatch) > 0
    assert _assert_same(text, monkeypatch, strict=False) > 0


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_documents_have_the_same_result_without_replay(path, monkeypatch):
    _assert_same(path.read_bytes().decode(), monkeypatch)


def _pieces(text):
    return re.findall(r"\s+|\w+|->|[<>=]=|.", text, re.DOTALL)


def test_mutated_repetitions_have_the_same_result_without_replay(monkeypatch):
    chance = random.Random(1)
    total = 0
    for _ in range(200):
        lines = ["v0 = copy(x);"]
        pattern = PATTERNS[chance.choice(list(PATTERNS))]
        for i in range(1, 7):
            turn = {"{i}": str(i), "{j}": str(i - 1), "{k}": str(i % 2 + 2)}
            lines += [re.sub(r"\{\w\}", lambda m, turn=turn: turn[m[0]], line) for line in pattern]
        head, graph, body = _document([*lines, "y = copy(v6);"], FRAGMENTS).partition("graph")
        pieces = _pieces(body)
        for _ in range(chance.choice((1, 1, 2, 4))):
            at, other = chance.randrange(len(pieces)), chance.choice(pieces)
            length = chance.choice((0, 1, 1, 5))
            pieces[at : at + length] = [other] * chance.choice((0, 1, 1, 2))
        total += _assert_same(head + graph + "".join(pieces), monkeypatch)
    assert total > 300


def test_unexpanded_calls_are_replayed_too(monkeypatch):
    lines = [f"v{i} = block({f'v{i - 1}' if i else 'x'}, k);" for i in range(9)]
    text = _document([*lines, "y = same(v8);"], FRAGMENTS)
    assert _assert_same(text, monkeypatch, expand=False) == 6
    assert _assert_same(text, monkeypatch, expand=["same"]) == 6


def test_repetitions_cannot_ask_for_endless_work():
    many = "fragment f( x: tensor<scalar> ) -> ( y: tensor<scalar> )"
    many += "{ y = x" + " + 1.0" * 900 + "; }"
    lines = [f"v{i} = f({f'v{i - 1}' if i else 'x'});" for i in range(400)]
    _, diagnostics = language.parse(_document([*lines, "y = copy(v399);"], many))
    assert "too-long" in [d.code for d in diagnostics]


def test_shared_attributes_cannot_be_changed():
    graph = nk.parse(_document([f"{n} = conv(x, k, stride = [1, 1]);" for n in "abcdy"], head=""))
    for op in graph.operations[2:]:
        for change in (
            lambda op=op: op.attribs["stride"].append(3),
            lambda op=op: op.attribs["stride"].__setitem__(0, 3),
            lambda op=op: op.attribs["stride"].sort(),
            lambda op=op: op.attribs["padding"].extend([1]),
        ):
            with pytest.raises(nk.NnefError, match="cannot be changed in place"):
                change()
    again = pickle.loads(pickle.dumps(graph.operations[2].attribs["stride"]))
    assert again == [1, 1] == graph.operations[5].attribs["stride"]
    assert graph.operations[2].attribs["stride"] + [2] == [1, 1, 2]
    assert graph.operations[2].attribs["stride"].copy().__class__ is list
