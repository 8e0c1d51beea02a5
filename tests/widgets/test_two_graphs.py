"""Two graphs in one view: what both have once, and what was added, removed and changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_graphs import residual
from hypothesis import given, settings
from hypothesis import strategies as st

import nnefkit as nk
from nnefkit.pictures.merged_graphs import merged
from nnefkit.pictures.outline import Outline
from nnefkit.widgets.workbench.scene import Scene

TEXT = """version 1.0;
graph g(x) -> (y)
{
    x = external(shape = [1, 3, 16, 16]);
    w = variable(shape = [8, 3, 3, 3], label = 'w');
    c = conv(x, w, padding = [(1, 1), (1, 1)]);
    r = relu(c);
    q = sigmoid(r);
    m = max_pool(q, size = [1, 1, 2, 2], stride = [1, 1, 2, 2], border = 'ignore');
    y = softmax(m);
}
"""


def graph(text: str = TEXT, scale: float = 1.0) -> nk.Graph:
    weights = scale * np.linspace(-1, 1, 8 * 27, dtype=np.float32).reshape(8, 3, 3, 3)
    return nk.parse(text).with_data({"w": weights})


CHANGED = TEXT.replace("r = relu(c);", "r = relu(c);\n    n = tanh(r);").replace(
    "q = sigmoid(r)", "q = sigmoid(n)"
)


def kinds(first: nk.Graph, second: nk.Graph) -> dict[str, str]:
    shown = merged(first, second)
    return {shown.operations[n].outputs[0]: each.kind for n, each in shown.changes.items()}


def test_an_inserted_operation_is_added_and_nothing_else_differs() -> None:
    shown = merged(graph(), graph(CHANGED))
    assert kinds(graph(), graph(CHANGED)) == {"b:n": "added"}
    assert kinds(graph(CHANGED), graph()) == {"n": "removed"}
    added = next(op for op in shown.operations if op.outputs == ["b:n"])
    assert list(added.inputs) == ["r"]
    sigmoid = next(op for op in shown.operations if op.name == "sigmoid")
    assert set(sigmoid.inputs) == {"r", "b:n"}


def test_attributes_and_weights_that_changed() -> None:
    other = graph(TEXT.replace("stride = [1, 1, 2, 2]", "stride = [1, 1, 4, 4]"), 1.5)
    shown = merged(graph(), other)
    words = {shown.operations[n].outputs[0]: each.words for n, each in shown.changes.items()}
    assert set(words) == {"m", "c"}
    assert "stride" in words["m"]
    assert words["c"].startswith("weight w differs (SNR ")


def test_equal_graphs_have_no_changes() -> None:
    shown = merged(graph(), graph())
    assert shown.changes == {}
    assert len(shown.operations) == len(graph().operations)


def test_the_view_shows_changes_with_words_and_both_statements() -> None:
    other = graph(CHANGED.replace("stride = [1, 1, 2, 2]", "stride = [1, 1, 4, 4]"))
    view = nk.view(graph(), other=other, detail="operations")
    message = view.answer({"ask": "hello"})[0]
    assert message["overlay"]["key"] == "changes"
    assert message["overlay"]["legend"]["kinds"] == [[1, "changed"], [2, "added"]]
    assert message["facts"].endswith("1 added, 1 changed")
    steps: list[dict[str, Any]] = []
    for _ in range(2):
        answers = view.answer({"ask": "next"})
        steps += [each["content"] for each in answers if each["kind"] == "inspect"]
    assert [step["name"] for step in steps] == ["b:n", "m"]
    assert steps[0]["verdict"]["title"] == "only in b"
    assert "stride = [1, 1, 4, 4]" in steps[1]["other"][1]
    assert view.operation is not None
    assert view.selection == "m"
    assert "changed" in view.static()


def test_weights_have_the_values_of_both_graphs() -> None:
    view = nk.view(graph(), other=graph(scale=1.5))
    (answer,) = view.answer({"ask": "picture", "tensor": "w", "tab": "values"})
    rows = [np.array(part["rows"], float) for part in answer["parts"]]
    np.testing.assert_allclose(rows[1], 1.5 * rows[0], rtol=1e-2)
    np.testing.assert_allclose(rows[2], 0.5 * np.abs(rows[0]), rtol=2e-2)


def test_the_second_argument_must_be_a_graph() -> None:
    with pytest.raises(nk.NnefError, match=r"nnefkit\.load\(path\)"):
        nk.view(graph(), other="model.nnef")  # type: ignore[arg-type]


def test_calls_of_fragments_are_expanded_in_both() -> None:
    first, second = residual(), residual(lambda values: values * 2)
    assert set(kinds(first, second).values()) == {"changed"}


OPERATIONS = ("relu", "tanh", "exp", "abs", "sigmoid")


@st.composite
def chains(draw: st.DrawFn) -> nk.Graph:
    """Graphs of a few operations with branches."""
    lines, names = [], ["x"]
    for number in range(draw(st.integers(1, 8))):
        operation = draw(st.sampled_from([*OPERATIONS, "add"]))
        sources = draw(st.lists(st.sampled_from(names[-3:]), min_size=2, max_size=2))
        arguments = ", ".join(sources if operation == "add" else sources[:1])
        lines.append(f"t{number} = {operation}({arguments});")
        names.append(f"t{number}")
    return nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [2]);"
        f"{' '.join(lines)} y = neg({names[-1]}); }}"
    )


@given(chains(), chains())
@settings(max_examples=80, deadline=None)
def test_any_two_graphs_make_one_picture(first: nk.Graph, second: nk.Graph) -> None:
    """Each operation of both is there once, in a valid order, and can be laid out."""
    shown = merged(first, second)
    made: set[str] = set()
    for operation in shown.operations:
        assert made.issuperset(operation.inputs)
        assert made.isdisjoint(operation.outputs)
        made.update(operation.outputs)
    count = dict.fromkeys(("added", "removed", "changed"), 0)
    for change in shown.changes.values():
        count[change.kind] += 1
    assert len(shown.operations) == len(first.operations) + count["added"]
    assert len(second.operations) == len(first.operations) + count["added"] - count["removed"]
    outline = Outline(shown.operations, shown.inputs, shown.outputs, "operations")
    assert len(Scene(outline).boxes) >= len(shown.operations)
