"""The fast path for plain arrays reads each array, and each fault in one, as the grammar does."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from nnefkit import language
from nnefkit.language.syntax.plain_arrays import PlainArrays
from nnefkit.operations.shape_inference import known_shapes

DOCUMENTS = sorted((Path(__file__).parents[1] / "documents").glob("*/*.nnef"))
HEAD = "version 1.0; extension KHR_enable_operator_expressions; graph net( x ) -> ( y ) {"
ITEMS = [
    "0",
    "1",
    "-1",
    "- 1",
    "1.5",
    "-2e3",
    "true",
    "'a'",
    "x",
    "w",
    "y",
    "(0, 1)",
    "(0,0)",
    "[]",
]
ITEMS += ["[1, 2]", "1 + 1", "x + 1.0", "0.0", "(1)", "if", "1.", "'", "#\n", "1 2", "relu(x)"]
CALLS = [
    "y = conv(x, w, stride = {});",
    "y = conv(x, w, padding = {}, dilation = {});",
    "y = concat({}, axis = 1);",
    "y = reshape(x, shape = {});",
    "y = transpose(x, axes = {}); z = transpose(x, axes = {});",
    "c = constant(shape = {}, value = {}); y = add(x, c);",
    "y = add_n({}); {} = split(x, axis = 1, ratios = {});",
]
CHANGES = [",,", "", "]", "[", ", ]", "[,", " ", "#,\n"]


def _array(chance: Random) -> str:
    kinds = chance.choice((ITEMS[:3], ITEMS[:7], ITEMS[8:11], ITEMS[11:15], ITEMS))
    items = [chance.choice(kinds) for _ in range(chance.choice((0, 1, 2, 2, 2, 4, 4, 40)))]
    text = "[" + chance.choice((",", ", ", " , ")).join(items) + "]"
    if chance.random() < 0.3:
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(CHANGES) + text[at + chance.randrange(2) :]
    return text


def _document(chance: Random) -> str:
    arrays = [_array(chance) for _ in range(3)]
    call = chance.choice(CALLS)
    while "{}" in call:
        # Arrays occur again and again, as they do in networks.
        call = call.replace("{}", chance.choice(arrays), 1)
    body = "x = external(shape = [1, 4, 6, 6]); w = variable(shape = [4, 4, 3, 3], label = 'w');"
    return f"{HEAD} {body} {call} {chance.choice(('', call.replace('y', 'v')))} }}"


def _read(text: str) -> tuple[str, list[tuple[object, ...]]]:
    graph, diagnostics = language.parse(text, infer=known_shapes)
    seen = [(d.code, d.message, d.hint, d.span, d.severity) for d in diagnostics]
    return str(graph), seen


def _assert_same_without_fast_path(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = _read(text)
    with monkeypatch.context() as patch:
        patch.setattr(PlainArrays, "constant", lambda self, index: None)
        patch.setattr(PlainArrays, "names", lambda self, index: None)
        assert _read(text) == quick, text


def test_drawn_arrays_are_read_as_by_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(1)
    for _ in range(200):
        _assert_same_without_fast_path(_document(chance), monkeypatch)


@pytest.mark.slow
def test_many_drawn_arrays_are_read_as_by_the_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = Random(2)
    for _ in range(4_000):
        _assert_same_without_fast_path(_document(chance), monkeypatch)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_documents_are_read_as_by_the_grammar(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _assert_same_without_fast_path(path.read_bytes().decode(), monkeypatch)
