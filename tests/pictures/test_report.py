"""Reports: one page that opens from the disk, needs nothing else, and says what displays say."""

import base64
import hashlib
import json
import re
import time

import numpy as np
import pytest
from report_page import Page, addresses, graph_of
from test_saved_picture import GRAPH, HOSTILE, INPUT, chain, faulty, hostile

import nnefkit as nk
from nnefkit.pictures.folding_picture import BOXES

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def results():
    """A graph, and everything that is known about it."""
    suspect = faulty()
    runs = nk.trace(GRAPH, INPUT), nk.trace(suspect, INPUT)
    return {
        "graph": GRAPH,
        "trace": runs[0],
        "comparison": nk.compare(*runs),
        "blame": nk.blame(GRAPH, INPUT, suspect=suspect),
        "diff": nk.diff(GRAPH, suspect),
        "cost": nk.cost(GRAPH),
        "profile": nk.profile(GRAPH, INPUT),
        "validation": nk.validate(GRAPH),
    }


def written(obj, tmp_path, **options) -> str:
    nk.report(obj, tmp_path / "report.html", **options)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def overlays(text: str) -> list[str]:
    return [a["value"] for a in Page(text).attributes("option")]


def boxes(text: str) -> dict[str, list[list]]:
    """First tensor of each box -> its values by overlay, of single operations only."""
    found = {}
    for group in graph_of(text).iter(f"{SVG}g"):
        if "data-v" in group.attrib and "data-key" not in group.attrib:
            title = group.findtext(f"{SVG}title") or ""
            found[title.split(":")[0]] = json.loads(group.attrib["data-v"])
    return found


def test_a_report_of_a_graph_has_its_picture_validation_and_costs(tmp_path):
    page = Page(written(GRAPH, tmp_path))
    for words in ("net", "Graph", "Validation", "Costs", "valid", "55.3 k", "conv2"):
        assert words in page.text, words


def test_a_report_shows_everything_that_it_is_given(tmp_path, results):
    text = written([*results.values()], tmp_path, title="Before and after")
    page = Page(text)
    assert page.text.count("Before and after") == 2
    for heading in ("Graph", "Validation", "Differences", "Comparison", "Blame", "Costs", "Times"):
        assert f">{heading}</h2>" in text
    assert overlays(text)[1:6] == ["changes", "error", "own error", "time", "macs"]
    assert "guilty: conv2" in text


@pytest.mark.parametrize("kind", ["trace", "comparison", "blame", "diff", "cost", "profile"])
def test_a_result_alone_draws_its_own_graph(kind, tmp_path, results):
    text = written(results[kind], tmp_path)
    assert "conv2" in boxes(text)
    if kind == "comparison":
        assert "error" in overlays(text)


def test_the_values_of_boxes_are_those_of_the_cost(tmp_path):
    text = written(GRAPH, tmp_path)
    index = overlays(text).index("macs") - 1
    level, words = boxes(text)["conv1"][index]
    assert words == "55.3 k"
    assert level == 5


def test_other_objects_are_shown_as_in_a_notebook(tmp_path):
    text = written([nk.engines(), GRAPH.tensor("filter"), GRAPH.operations[2]], tmp_path)
    assert 'class="graph"' not in text
    for words in ("numpy", "filter", "conv"):
        assert words in Page(text).text


def test_an_invalid_model_has_a_report(tmp_path):
    checked = nk.validate("version 1.0; graph g( x ) -> ( y ) { x = external(shape = [2]); }")
    assert not checked.ok
    text = written(checked, tmp_path)
    assert 'class="graph"' not in text
    assert checked.errors[0].message.split("'")[0].strip() in Page(text).text


def test_evidence_of_another_graph_is_shown_without_coloring_this_one(tmp_path, results):
    other = nk.parse(
        "version 1.0; graph o( a ) -> ( b ) { a = external(shape = [2]); b = exp(a); }"
    )
    text = written([other, results["comparison"]], tmp_path)
    assert "error" not in overlays(text)
    assert ">Comparison</h2>" in text


# -- one page, from the disk ---------------------------------------------------------------------


def test_a_page_needs_nothing_but_itself(tmp_path, results):
    text = written([*results.values()], tmp_path)
    page = Page(text)
    assert addresses(page) == []
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|import\(", text)
    assert not [a for _, a in page.elements if any(name.startswith("on") for name in a)]


def test_the_script_is_the_one_that_the_policy_allows(tmp_path):
    text = written(GRAPH, tmp_path)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    (policy,) = [a["content"] for a in Page(text).attributes("meta") if "http-equiv" in a]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_boxes_that_open_have_the_focus_and_a_panel(tmp_path):
    root = graph_of(written(chain(60), tmp_path))
    opening = [g for g in root.iter(f"{SVG}g") if "data-key" in g.attrib]
    assert opening
    panels = {g.attrib["data-for"]: g for g in root.iter(f"{SVG}g") if "data-for" in g.attrib}
    for box in opening:
        assert box.attrib["tabindex"] == "0"
        assert box.attrib["aria-expanded"] == "false"
        assert panels[box.attrib["data-key"]].attrib["display"] == "none"


# -- hostile and large models ---------------------------------------------------------------------


def test_hostile_names_stay_words(tmp_path):
    graph = hostile()
    text = written([graph, nk.trace(GRAPH, INPUT)], tmp_path, title=HOSTILE)
    page = Page(text)
    graph_of(text)
    assert len(page.attributes("script")) == 1
    for character in ("\x00", "\x1b", "\u202e", "\ud800"):
        assert character not in text
    assert "alert(1)" in page.text


def test_a_report_of_ten_thousand_operations_is_small_and_quick(tmp_path):
    graph = chain(10_000)
    start = time.process_time()
    text = written(graph, tmp_path)
    assert time.process_time() - start < 40
    assert len(text.encode()) < 4_000_000
    drawn = [g for g in graph_of(text).iter(f"{SVG}g") if "data-v" in g.attrib]
    assert len(drawn) <= BOXES


def test_blocks_that_do_not_open_are_counted(tmp_path):
    text = written(chain(10_000), tmp_path)
    assert "do not open in this page" in text


# -- files ---------------------------------------------------------------------------------------


def test_a_failed_report_leaves_the_old_file(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(nk.InputError):
        nk.report([GRAPH, 3], path)
    assert path.read_text() == "old"
    with pytest.raises(nk.StorageError, match="does not exist"):
        nk.report(GRAPH, tmp_path / "no" / "report.html")
    nk.report(GRAPH, path)
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


WRONG = {
    "ending": ((GRAPH, "report.pdf"), "report.html"),
    "path": ((GRAPH, 3), "must be a path"),
    "model": (("model.nnef", "report.html"), "nnefkit.load(path)"),
    "none": ((None, "report.html"), "a graph or a result of nnefkit"),
    "array": ((np.ones(3), "report.html"), "a graph or a result of nnefkit"),
    "empty": (([], "report.html"), "nothing to report"),
    "many": (([nk.parse(str(GRAPH)) for _ in range(61)], "report.html"), "at most 60"),
    "list": (([GRAPH, "x"], "report.html"), "a graph or a result of nnefkit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_refused_with_a_remedy(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, words = WRONG[case]
    with pytest.raises(nk.InputError) as caught:
        nk.report(*arguments)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())
