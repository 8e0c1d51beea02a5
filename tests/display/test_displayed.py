"""Graphs, operations and tensors have representations: text, HTML, and a table."""

import numpy as np
import pytest

from nnefkit.display import html, text
from nnefkit.display.colors import BLUE
from nnefkit.display.displayed import Displayed
from nnefkit.display.elements import Card, Cell, Column, Paragraph, Phrase, Table
from nnefkit.display.html import BUDGET
from nnefkit.errors import Source, Span
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor

TEXT = "version 1.0;\ngraph net(x) -> (y)\n{\n    x = external();\n    y = conv(x, w);\n}\n"


@pytest.fixture
def net():
    """A variable, transposed before a convolution reads it."""
    weights = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
    name = Identifier
    operations = (
        Operation("external", {}, {"output": name("x")}, {"shape": [1, 3, 8, 8]}, "scalar"),
        Operation("variable", {}, {"output": name("w")}, {"shape": [2, 3, 3, 3], "label": "c/w"}),
        Operation(
            "transpose", {"input": name("w")}, {"output": name("wt")}, {"axes": [0, 1, 2, 3]}
        ),
        Operation(
            "conv",
            FrozenDict(input=name("x"), filter=name("wt"), bias=0.0),
            FrozenDict(output=name("y")),
            FrozenDict(border="constant", padding=[(1, 1), (1, 1)], stride=[], groups=1),
            scope=("stem", "unit"),
            span=Span(TEXT.index("y = conv"), len(TEXT) - 3),
            macs=3456,
        ),
    )
    tensors = {
        "x": Tensor("x", "scalar", (1, 3, 8, 8)),
        "w": Tensor("w", "scalar", (2, 3, 3, 3), weights, "c/w"),
        "wt": Tensor("wt", "scalar", (2, 3, 3, 3)),
        "y": Tensor("y", "scalar", None, quantization=FrozenDict({"op-name": "linear_quantize"})),
    }
    return Graph("net", ("x",), ("y",), operations, FrozenDict(tensors), source=Source(TEXT))


def test_a_graph_states_its_facts_in_text_and_html(net):
    for shown in (repr(net), net._repr_html_()):
        for fact in ("net", "NNEF 1.0", "2 operations", "54 parameters", "216 B", "3.46 k MACs"):
            assert fact in shown
        for fact in ("1×3×8×8", "1 tensor quantized", "c/w", "0 NaN · 0 Inf", "stem/unit"):
            assert fact in shown


def test_the_picture_of_a_graph_has_a_description(net):
    page = net._repr_html_()
    assert page.count("data:image/svg+xml;base64,") >= 2
    assert "the operations of net from x to y" in page


def test_parameters_belong_to_the_operation_that_combines_them_with_data(net):
    frame = net.to_frame()
    assert frame["operation"].tolist() == ["external", "variable", "transpose", "conv"]
    assert frame["parameters"].tolist() == [0, 0, 0, 54]
    assert frame["macs"].sum() == 3456
    assert frame.loc[3, "line"] == 5
    assert frame.loc[3, "scope"] == "stem/unit"
    assert frame.loc[0, "shape"] == (1, 3, 8, 8)
    assert frame["shape"].isna().tolist() == [False, False, False, True]


def test_variables_of_one_label_are_counted_once(net):
    first = net.operations[1]
    twin = Operation("variable", {}, {"output": Identifier("v")}, first.attribs)
    tensors = FrozenDict(net.tensors, v=Tensor("v", "scalar", (2, 3, 3, 3), None, "C/W"))
    double = Graph("net", ("x",), ("y",), (*net.operations, twin), tensors)
    assert "54 parameters" in repr(double)


def test_an_operation_is_one_line_with_all_arguments(net):
    text = repr(net.operations[3])
    assert "\n" not in text
    for fact in ("y = conv(", "filter = wt", "bias = 0.0", "border = 'constant'"):
        assert fact in text
    for fact in ("[(1, 1), (1, 1)]", "groups = 1", "3.46 k MACs", "stem/unit"):
        assert fact in text
    page = net.operations[3]._repr_html_()
    for fact in ("wt", "0.0", "&#x27;constant&#x27;", "[(1, 1), (1, 1)]", "3.46 k MACs"):
        assert fact in page


def test_a_tensor_is_one_line_with_its_statistics(net):
    text = repr(net.tensors["w"])
    assert "\n" not in text
    for fact in (
        "w",
        "2×3×3×3",
        "54 elements",
        "float32",
        "c/w",
        "[0 ",
        " 53]",
        "μ 26.5",
        "finite",
    ):
        assert fact in text
    assert "image/png" in net.tensors["w"]._repr_html_()
    assert "no values" in repr(net.tensors["y"])
    assert "linear_quantize" in net.tensors["y"]._repr_html_()


def test_values_are_not_read_beyond_the_budget():
    values = np.ones(3_000_000, np.float32)
    assert "in a sample of" in repr(Tensor("t", "scalar", values.shape, values))


def test_an_operation_with_very_long_arguments_stays_short():
    values = list(range(100_000))
    operation = Operation("constant", {}, {"output": Identifier("c")}, {"value": values})
    assert len(repr(operation)) < 300
    assert len(operation._repr_html_()) < 3000


def test_incomplete_graphs_are_shown_too():
    empty = Graph("empty", (), (), (), FrozenDict())
    assert "0 operations" in repr(empty)
    assert "0 operations" in empty._repr_html_()
    assert empty.to_frame().empty
    # Names that nothing defines, as in a document with errors.
    lost = Graph("lost", ("x",), ("y",), (Operation("relu", {}, {}, {}),), FrozenDict())
    assert "lost" in repr(lost)
    assert len(lost.to_frame()) == 1


class Greeting(Displayed):
    """All that a class needs for its displays: a card."""

    def _card(self, *, brief):
        rows = ((Cell("row"),),) * (1 if brief else 3)
        return Card("hello", BLUE, ("world",), (Table((Column("head"),), rows),))


def test_a_class_has_text_and_html_from_its_card():
    assert repr(Greeting()) == "hello  world\n  head\n  row"
    page = Greeting()._repr_html_()
    assert "hello" in page
    assert page.count(">row<") == 3


def test_html_over_the_budget_is_that_of_a_smaller_card():
    small = Card("small", BLUE)
    lines = (Paragraph((Phrase("w" * 1_000, limit=0),)),) * (BUDGET // 1_000)
    medium = Card("medium", BLUE, (), lines, smaller=lambda: small)
    large = Card("large", BLUE, (), lines * 2, smaller=lambda: medium)
    assert html.write(large) == html.write(small)
    assert len(html.write(Card("large", BLUE, (), lines))) > BUDGET


def test_the_parts_of_a_card_are_bounded():
    long = "l" * BUDGET
    card = Card(long, BLUE, (long,), (Paragraph((Phrase(long, limit=0),)),))
    for document in (html.write(card), text.write(card)):
        assert len(document) < 4_000
