"""Names that nobody should have: every display stays well-formed, visible and of bounded size."""

from __future__ import annotations

import base64
import contextlib
import re
import unicodedata
import warnings
from collections.abc import Callable
from itertools import groupby
from xml.etree import ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

import nnefkit as nk
from nnefkit.analysis import Comparison
from nnefkit.cli import main
from nnefkit.display.diagnostic_text import LONGEST
from nnefkit.display.html import BUDGET
from nnefkit.display.visible_text import MARKS
from nnefkit.errors import Diagnostic, Source, Span
from nnefkit.graph import Graph, Identifier, Operation, Tensor

NAMES = {
    "markup": "<script>alert(1)</script>]]>&<!--",
    "quotes": "\"'\\`><img src=x onerror='alert(1)'>",
    "control": "".join(map(chr, [*range(32), 0x7F, *range(0x80, 0xA0)])),
    "direction": "a\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200fb",
    "no width": "a\u200b\u200c\u200d\u2060\ufeff\u00adb",
    "surrogates": "a\ud800\udfffb\udcff",
    "accents": "a" + "\u0301\u0336" * 400,
    "long": "n" * 1_000_000,
    "long and escaped": "<\u202e" * 500_000,
    "emoji": "🙂👩\u200d👧",
    "blank": "\u3164\u115f\u2800\u034f\ufe0f",
    "tags": "\U000e0041\ufff9",
    "formula": "$\\frac{a}$ $x_$",
    "lines": "a\r\nb\u2028c\u2029d",
    "empty": "",
}
FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def check_text(text: str) -> None:
    """Nothing invisible, nothing that moves other text, within the budget."""
    # Two parts of a cut text, each with its accents, may follow each other.
    most = 2 * MARKS
    assert {unicodedata.category(c) for c in set(text) - {"\n"}}.isdisjoint(FORBIDDEN)
    accents = (unicodedata.category(c) == "Mn" for c in text)
    assert max((len(list(run)) for accent, run in groupby(accents) if accent), default=0) <= most
    assert len(text.encode()) <= BUDGET


def check_page(page: str) -> None:
    """Well-formed, with pictures that are, and nothing that runs."""
    check_text(page)
    # Our HTML is XML but for pictures without an end, and attributes without a value.
    closed = re.sub(r"<img([^>]*)>", r"<img\1/>", page).replace("<details open", '<details open=""')
    names = {element.tag for element in ET.fromstring(f"<page>{closed}</page>").iter()}
    assert names.isdisjoint({"script", "iframe", "object", "svg"})
    assert page.count("<img") == len(re.findall(r'<img src="data:image/', page))
    for content in re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page):
        drawing = base64.b64decode(content).decode()
        check_text(drawing)
        root = ET.fromstring(drawing)
        assert all(e.tag.split("}")[1] not in ("script", "a", "foreignObject") for e in root.iter())


def check_both(shown: object) -> None:
    """Check the text and the HTML of an object."""
    check_text(repr(shown))
    check_page(shown._repr_html_())  # type: ignore[attr-defined]


def graph_of(name: str) -> Graph:
    """A graph in which everything has this name, or begins with it."""
    weight, result, last = (Identifier(name + suffix) for suffix in ("w", "y", "z"))
    operations = (
        Operation("external", {}, {"output": Identifier(name)}, {"shape": [1, 3]}, "scalar"),
        Operation("variable", {}, {"output": weight}, {"shape": [1, 3], "label": name}),
        Operation(
            name or "my_operation",
            {"x": Identifier(name), name + "p": weight},
            {"y": result},
            {name: [name, 1.0], "b": name},
            name,
            (name, name + "inner"),
            Span(0, 2),
        ),
        Operation("add", {"x": result, "y": weight}, {"z": last}),
    )
    values = np.float32([[1, -2, 0.5]])
    entry = {"op-name": name, name: name}
    tensors = {
        name: Tensor(name, "scalar", (1, 3)),
        weight: Tensor(weight, "scalar", (1, 3), values, name, entry, name),
        result: Tensor(result, name, (1, 3)),
        last: Tensor(last, "scalar", (1, 3)),
    }
    provenance = {
        "path": name,
        "source": name,
        "verified": True,
        "engine": name,
        "versions": {name: name},
        "unused_inputs": [name],
    }
    source = Source(f"{name}\n{name}", name)
    extensions = (name,)
    return Graph(
        name, (name,), (last,), operations, tensors, provenance, name, extensions, source=source
    )


def problem(name: str) -> Diagnostic:
    """A diagnostic about a line of such text."""
    return Diagnostic(name or "x", name, "error", name, 2, 3, Span(2, 9), name, name, name)


def comparison_of(name: str) -> Comparison:
    """Two runs: equal, different, of other shapes, and missing tensors."""
    first = {name: np.ones(3), name + "b": np.ones(3), name + "c": np.ones(1)}
    second = {name: np.ones(3), name + "b": np.zeros(3), name + "c": np.ones(2)}
    return nk.compare(first, {**second, name + "d": np.ones(2)}, labels=(name, name + "other"))


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """One of the names."""
    return NAMES[request.param]


def test_graphs_operations_and_tensors(name: str) -> None:
    graph = graph_of(name)
    check_both(graph)
    for operation in graph.operations:
        check_both(operation)
    for tensor in graph.tensors.values():
        check_both(tensor)


def test_comparisons_and_their_tensors(name: str) -> None:
    comparison = comparison_of(name)
    for shown in (comparison, comparison.rows, *comparison):
        check_both(shown)
    check_text(comparison.summary)
    check_text(repr(comparison.missing))
    for compared in comparison:
        check_text(compared.note)


def test_diagnostics_reports_and_errors(name: str) -> None:
    found = problem(name)
    report = nk.ValidationReport(
        name, (found,) * 3, graph_of(name), Source(f"{name}\n{name}", name)
    )
    check_both(report)
    for text in (str(report), str(found), repr(found), str(nk.NnefError([found] * 3))):
        check_text(text)


def test_errors_that_name_what_does_not_exist(name: str) -> None:
    graph = graph_of(name)
    calls: list[Callable[[], object]] = [
        lambda: graph.tensor(name + "?"),
        lambda: graph.with_outputs(name + "?"),
        lambda: nk.Session(graph),
        lambda: comparison_of(name)[name + "?"],
        lambda: nk.load(name + "?"),
        lambda: nk.Trace.load(name + "?"),
    ]
    for call in calls:
        with pytest.raises(nk.NnefError) as caught:
            call()
        check_text(str(caught.value))


def test_runs_and_their_steps(name: str) -> None:
    graph = nk.parse("version 1.0; graph g(x) -> (y) { x = external(shape = [3]); y = exp(x); }")
    exp = graph.operations[1]
    renamed = Operation(exp.name, {"x": Identifier("x")}, {"y": Identifier(name)}, exp.attribs)
    tensors = {"x": graph.tensors["x"], name: Tensor(name, "scalar", (3,))}
    graph = Graph(name, ("x",), (name,), (graph.operations[0], renamed), tensors)
    session = nk.Session(graph)
    check_text(repr(session))
    trace = session.trace([1.0, np.nan, np.inf])
    check_both(trace)
    check_both(trace.tensor(name))
    for step in nk.step(graph, [1.0, 2.0, 3.0]):
        check_both(step)
    browser = nk.widgets.tensor_browser(trace, name)
    check_text(repr(browser))
    check_page(browser._repr_mimebundle_()["text/html"])
    for label, _ in browser.children[0].children[0].options:
        check_text(label)


@pytest.mark.filterwarnings("ignore:Glyph .* missing:UserWarning")
def test_plots_show_names_as_they_are(name: str) -> None:
    trace = {name: 20.0, name + "b": 90.0}
    tensor = Tensor(name, "scalar", (2, 2), np.eye(2))
    for draw in (
        lambda: nk.plot.histogram(tensor),
        lambda: nk.plot.heat_map(tensor),
        lambda: nk.plot.timings(trace),
        lambda: nk.plot.comparison(trace),
    ):
        figure = draw().get_figure()
        figure.canvas.draw()
        words = [each.get_text() for each in figure.findobj(plt.Text)]
        check_text("\n".join(words))
        plt.close(figure)


def test_a_message_that_is_cut_says_where_all_of_it_is() -> None:
    text = str(nk.NnefError("n" * 5_000))
    assert len(text) < LONGEST + 200
    assert text.endswith("the message has 5,000 characters: diagnostic.message")


def test_an_error_of_many_problems_says_where_all_of_them_are() -> None:
    error = nk.NnefError([problem("unknown operation 'x'")] * 1_000)
    assert len(error.diagnostics) == 1_000
    check_text(str(error))
    assert str(error).endswith("\n\n1,000 problems: error.diagnostics has all of them")
    words = ["".join(chr(97 + int(digit)) for digit in str(i)) for i in range(1_000)]
    error = nk.NnefError([problem(f"another one: {word}") for word in words])
    check_text(str(error))
    assert re.search(r"\d+ more problems: error.diagnostics has all of them$", str(error))


@pytest.mark.parametrize("name", ["\x1b]0;owned\x07.nnef", "a\u202eb.nnef", "a\udcffb.nnef"])
def test_the_command_line_sends_no_control_characters_of_file_names(
    name: str, tmp_path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "version 1.0; graph g( x ) -> ( y ) { x = external(shape = [1]); y = exp(x); }"
    (tmp_path / name).write_text(text)
    for command in (
        *(["validate", name], ["info", name], ["format", "--check", name]),
        *(["format", "--in-place", name], ["validate", name + "?"], ["info", f"--{name}"]),
        ["convert", name, "folder"],
    ):
        with contextlib.suppress(SystemExit):  # after the wrong option
            main(command)
        written = capsys.readouterr()
        check_text(written.out)
        check_text(written.err)


def test_pages_raise_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_both(graph_of(NAMES["control"]))
