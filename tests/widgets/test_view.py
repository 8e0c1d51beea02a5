"""`nk.view` is a widget like others: traits, links, Python both ways, errors with a remedy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import traitlets
from drawn_graphs import compared, image, residual

import nnefkit as nk
import nnefkit.widgets.workbench as room

GRAPH, COMPARISON = compared()
TRACE = nk.trace(GRAPH, image())
OTHER = nk.parse("version 1.0; graph o(p) -> (q) { p = external(shape = [3]); q = exp(p); }")


def test_selection_is_observed() -> None:
    view = nk.view(GRAPH)
    seen: list[str] = []
    view.observe(lambda change: seen.append(change["new"]), "selection")
    view.select("pooled")
    view.selection = "flat"
    view.answer({"ask": "select", "tensor": "output"})
    assert seen == ["pooled", "flat", "output"]


def test_a_click_on_a_block_selects_its_result() -> None:
    view = nk.view(GRAPH)
    view.answer({"ask": "move", "to": "last"})
    assert view.selection == "output"


def test_it_links_to_other_widgets() -> None:
    view = nk.view(GRAPH)
    text = ipywidgets.Text()
    traitlets.link((view, "selection"), (text, "value"))
    view.select("pooled")
    assert text.value == "pooled"
    text.value = "flat"
    assert view.selection == "flat"
    assert view.operation is not None
    assert view.operation.name == "reshape"


def test_a_run_of_kept_fragments_shows_the_tensors_inside_of_them() -> None:
    text = """version 1.0;
    extension KHR_enable_fragment_definitions KHR_enable_operator_expressions;
    fragment centered( x: tensor<scalar> ) -> ( y: tensor<scalar> )
    {
        mean = mean_reduce(x, axes = [0]);
        y = x - mean;
    }
    graph g( a ) -> ( c )
    {
        a = external(shape = [3]);
        c = centered(a);
    }"""
    graph = nk.parse(text, expand=False)
    view = nk.view(graph, trace=nk.trace(graph, np.float32([1, 2, 6])))
    view.select("c_mean")
    np.testing.assert_array_equal(np.asarray(view.tensor), [3])
    assert view.operation is not None
    assert view.operation.name == "mean_reduce"


def test_the_selected_tensor_is_at_hand_with_its_values() -> None:
    view = nk.view(GRAPH, trace=TRACE)
    view.select("pooled")
    np.testing.assert_array_equal(np.asarray(view.tensor), TRACE["pooled"])
    assert view.tensor is not None
    assert "pooled" in view.tensor._repr_html_()
    view.select("filter")
    assert view.tensor is GRAPH.tensors["filter"]
    view.select("")
    assert (view.tensor, view.operation, view.selection) == (None, None, "")


def test_detail_is_a_trait() -> None:
    view = nk.view(GRAPH)
    view.select("pooled")
    view.detail = "operations"
    assert view.answer({"ask": "hello"})[0]["detail"] == "operations"
    assert view.selection == "pooled"
    view.answer({"ask": "detail", "detail": "blocks"})
    assert view.detail == "blocks"


def test_the_overlay_is_what_was_assigned() -> None:
    view = nk.view(GRAPH)
    assert view.overlay is None
    series = pd.Series({"pooled": 1.0})
    view.overlay = series
    assert view.overlay is series
    view.overlay = "macs"
    assert view.overlay == "macs"
    view.overlay = None
    assert view.overlay is None


def test_saved_notebooks_have_the_static_cards() -> None:
    data, _ = nk.view(GRAPH, TRACE, COMPARISON)._repr_mimebundle_() or ({}, {})
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "<img " in data["text/html"]
    assert "fine" in data["text/html"]
    assert "<script" not in data["text/html"]
    assert len(data["text/html"]) <= 100 * 1024
    assert data["text/plain"] == "<View of graph 'residual', 13 operations>"


def test_the_state_of_a_widget_is_enough_for_a_picture_without_a_kernel() -> None:
    state = nk.view(GRAPH).get_state()
    assert state["_first"]["tiles"]["tiles"][0]["boxes"]
    assert "export default" in state["_esm"]
    assert ".nk-workbench" in state["_css"]


def test_nothing_is_fetched_from_a_network() -> None:
    state = nk.view(GRAPH).get_state()
    # The name of SVG is not an address.
    module = state["_esm"].replace('"http://www.w3.org/2000/svg"', "")
    for text in (module, state["_css"]):
        for word in (
            "http:",
            "https:",
            "import ",
            "@import",
            "url(",
            "fetch(",
            "innerHTML",
            "eval(",
        ):
            assert word not in text


CALLS: dict[str, tuple[Any, str]] = {
    "graph": (lambda: nk.view("model.nnef"), "nnefkit.load(path)"),
    "none": (lambda: nk.view(None), "'graph' must be a Graph, not None"),
    "trace-type": (lambda: nk.view(GRAPH, {"x": 1}), "nnefkit.trace(...)"),
    "trace-other": (lambda: nk.view(OTHER, TRACE), "which has no tensor 'input'"),
    "trace-hint": (lambda: nk.view(OTHER, TRACE), "nk.view(trace.graph, trace=trace)"),
    "trace-shape": (
        lambda: nk.view(nk.infer_shapes(GRAPH, input=(2, 3, 16, 16)), TRACE),
        "its tensor 'input' has the shape [1, 3, 16, 16], not [2, 3, 16, 16]",
    ),
    "comparison-type": (lambda: nk.view(GRAPH, comparison=TRACE), "nnefkit.compare(...)"),
    "comparison-other": (lambda: nk.view(OTHER, comparison=COMPARISON), "no tensor 'input'"),
    "blame-type": (lambda: nk.view(GRAPH, blame=COMPARISON), "nnefkit.blame(...)"),
    "cost-type": (lambda: nk.view(GRAPH, cost=3), "nnefkit.profile(...)"),
    "cost-other": (lambda: nk.view(OTHER, cost=nk.cost(GRAPH)), "which has no tensor"),
    "detail": (lambda: nk.view(GRAPH, detail="block"), "Did you mean 'blocks'?"),
    "height": (lambda: nk.view(GRAPH, height=3), "from 200 to 4000"),
    "select": (lambda: nk.view(GRAPH).select("poled"), "Did you mean 'pooled'?"),
    "select-type": (lambda: nk.view(GRAPH).select(3), "'tensor' must be a str"),
    "selection": (lambda: setattr(nk.view(GRAPH), "selection", "poled"), "Did you mean 'pooled'?"),
    "overlay": (lambda: setattr(nk.view(GRAPH), "overlay", "mac"), "Did you mean 'macs'?"),
    "overlay-error": (
        lambda: setattr(nk.view(GRAPH), "overlay", "error"),
        "nk.view(graph, comparison=nk.compare(a, b))",
    ),
    "overlay-type": (lambda: setattr(nk.view(GRAPH), "overlay", 3), "a pandas Series of numbers"),
    "overlay-name": (
        lambda: setattr(nk.view(GRAPH), "overlay", pd.Series({"poled": 1.0})),
        "Did you mean 'pooled'?",
    ),
    "overlay-number": (
        lambda: setattr(nk.view(GRAPH), "overlay", pd.Series([1.0], index=[999])),
        "the overlay has operation 999",
    ),
    "overlay-words": (
        lambda: setattr(nk.view(GRAPH), "overlay", pd.Series({"pooled": "slow"})),
        "which is not a number",
    ),
    "overlay-empty": (
        lambda: setattr(nk.view(GRAPH), "overlay", pd.Series(dtype=float)),
        "the overlay has no numbers",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_ends_in_an_error_with_a_remedy(name: str) -> None:
    call, words = CALLS[name]
    with pytest.raises(nk.NnefError) as raised:
        call()
    assert words in str(raised.value)


def test_a_failed_assignment_leaves_the_view_as_it_was() -> None:
    view = nk.view(GRAPH, trace=TRACE)
    view.select("pooled")
    view.overlay = "macs"
    for name, value in (("selection", "x9"), ("detail", "all"), ("overlay", "no")):
        with pytest.raises(nk.NnefError):
            setattr(view, name, value)
    assert (view.selection, view.detail, view.overlay) == ("pooled", "blocks", "macs")


def test_a_profile_has_times() -> None:
    view = nk.view(GRAPH, cost=nk.profile(GRAPH, image(), repeat=2, progress=False))
    assert view.overlay == "time"
    coarse = residual()
    assert nk.view(coarse, cost=nk.cost(coarse)).overlay is None


def test_the_module_works_wherever_anywidget_does() -> None:
    """VS Code and Colab load it from a blob, into a page of their own: the rules of anywidget."""
    folder = Path(room.__file__).parent
    source = (folder / "workbench.js").read_text("utf-8")
    code = re.sub(r"^ *(//.*|/?\*.*)$", "", source, flags=re.MULTILINE)
    assert not re.search(r"^\s*import\b|\bimport\(|\brequire\(", code, flags=re.MULTILINE)
    assert re.findall(r"^export .*", code, flags=re.MULTILINE) == ["export default {"]
    assert re.search(
        r"^export default \{\n  render\(\{ model, el \}\) \{", code, flags=re.MULTILINE
    )
    # Elements are found below `el`; ids have the prefix of their view.
    assert not re.search(r"document\.(getElementById|querySelector|write)|innerHTML|\beval\(", code)
    assert not re.search(
        r"\bfetch\(|XMLHttpRequest|WebSocket|localStorage|https?://(?!www\.w3)", code
    )
    ids = re.findall(r"(?:\bid:|\.id =) *(.*?)[,;}]", code)
    assert ids
    assert [each for each in ids if not each.startswith(("`${", "list", "`nk${Math.random"))] == []
    style = (folder / "workbench.css").read_text("utf-8")
    assert not re.search(r"@import|url\(|@font-face|:root|\bbody\b|\bhtml\b", style)
    selectors = re.findall(r"^([^\s/@}][^{]*)\{", style, flags=re.MULTILINE)
    assert selectors
    every = [one.strip() for selector in selectors for one in selector.split(",")]
    assert [one for one in every if not one.startswith(".nk-")] == []
