"""The workbench answers the messages of the browser, in proportion to what is seen."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn_graphs import compared, image, long_graph, residual

import nnefkit as nk
from nnefkit.display.images import LEVELS
from nnefkit.widgets import View
from nnefkit.widgets.workbench.tensor_pictures import largest_difference

GRAPH, COMPARISON = compared()
TRACE = nk.trace(GRAPH, image())


def first(view: View) -> dict[str, Any]:
    """The message that a page starts with."""
    return view.get_state()["_first"]


def scene(view: View) -> dict[str, Any]:
    return view.answer({"ask": "hello"})[0]


def tiles(view: View, message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All boxes of a scene by key."""
    size = message["tile"]
    columns = range(int(message["width"] // size) + 1)
    rows = range(int(message["height"] // size) + 1)
    places = [[i, j] for i in columns for j in rows]
    (answer,) = view.answer({"ask": "tiles", "version": message["version"], "places": places})
    return {box["key"]: box for tile in answer["tiles"] for box in tile["boxes"]}


def inspected(answers: list[dict[str, Any]]) -> dict[str, Any]:
    return next(each["content"] for each in answers if each["kind"] == "inspect")


def test_the_first_message_has_all_that_a_first_picture_needs() -> None:
    message = first(nk.view(GRAPH))
    boxes = {box["key"]: box for tile in message["tiles"]["tiles"] for box in tile["boxes"]}
    assert len(boxes) == message["scene"]["boxes"]
    assert message["scene"]["title"] == "residual"
    assert any(
        edge["label"] for t in message["tiles"]["tiles"] for edge in t["edges"] if "label" in edge
    )
    assert json.loads(json.dumps(message)) == message


def test_a_block_opens_in_place_and_folds_again() -> None:
    view = nk.view(GRAPH)
    before = scene(view)
    boxes = tiles(view, before)
    key = next(key for key, box in boxes.items() if box["kind"] == "block")
    after, selected = view.answer({"ask": "toggle", "key": key})
    assert after["anchor"][0] == key
    opened = tiles(view, after)
    assert opened[key]["kind"] == "open"
    assert [k for k in opened if k.startswith(f"{key}.")]
    assert selected["cursor"]["key"] == key
    folded, _ = view.answer({"ask": "toggle", "key": key})
    assert tiles(view, folded) == boxes


def test_all_blocks_open_and_fold() -> None:
    view = nk.view(GRAPH)
    folded = tiles(view, view.answer({"ask": "all", "open": False})[0])
    opened = tiles(view, view.answer({"ask": "all", "open": True})[0])
    assert len(opened) > len(folded)
    assert tiles(view, view.answer({"ask": "all", "open": False})[0]) == folded


def test_a_graph_of_few_blocks_begins_with_some_open() -> None:
    boxes = tiles(nk.view(GRAPH), scene(nk.view(GRAPH))).values()
    assert "open" in {box["kind"] for box in boxes}
    many = nk.view(long_graph(400))
    assert "open" not in {box["kind"] for box in tiles(many, scene(many)).values()}


def test_detail_shows_every_operation() -> None:
    view = nk.view(GRAPH, detail="operations")
    kinds = [box["kind"] for box in tiles(view, scene(view)).values()]
    drawn = [op for op in GRAPH.operations if not op.is_source]
    assert kinds.count("operation") == len(drawn)


def test_the_inspector_shows_the_source_statement_with_its_line() -> None:
    content = inspected(nk.view(GRAPH).answer({"ask": "select", "tensor": "pooled"}))
    assert content["statement"].startswith("pooled = avg_pool(b, size = [1, 1, 16, 16]")
    line = GRAPH.line(GRAPH.producers["pooled"])
    assert f"line {line}" in content["where"]


def test_the_inspector_dims_defaults() -> None:
    content = inspected(nk.view(GRAPH).answer({"ask": "select", "tensor": "pooled"}))
    defaults = {name: is_default for name, _, is_default in content["attributes"]}
    assert defaults["border"] is True
    assert defaults["padding"] is False


def test_the_inspector_leads_to_what_an_operation_reads_and_feeds() -> None:
    content = inspected(nk.view(GRAPH).answer({"ask": "select", "tensor": "pooled"}))
    assert [one["tensor"] for one in content["reads"]] == ["b"]
    assert [one["tensor"] for one in content["feeds"]] == ["flat"]
    output = inspected(nk.view(GRAPH).answer({"ask": "select", "tensor": "output"}))
    assert [one["words"] for one in output["feeds"]] == ["output output"]


def test_the_inspector_names_both_sides_and_who_introduces_the_difference() -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    guilty = COMPARISON.introducing[0].name
    content = inspected(view.answer({"ask": "select", "tensor": guilty}))
    assert content["verdict"]["tone"] == "wrong"
    assert "filter" in " ".join(content["verdict"]["lines"])
    (answer,) = view.answer({"ask": "picture", "tensor": guilty, "tab": "values"})
    assert [part["label"] for part in answer["parts"]] == ["fine", "coarse", "|a − b|"]
    assert "μ" in answer["parts"][0]["line"]


def test_own_and_inherited_errors_of_a_blame() -> None:
    coarse = residual(lambda values: np.round(values * 8) / 8)
    blame = nk.blame(GRAPH, image(), suspect=coarse)
    view = nk.view(GRAPH, blame=blame)
    guilty = blame.guilty[0]
    content = inspected(view.answer({"ask": "select", "tensor": guilty.tensor}))
    assert "own error SNR" in content["verdict"]["lines"][0]
    assert view.overlay == "error"
    view.overlay = "own error"
    assert scene(view)["overlay"]["key"] == "own error"


# -- tensors --------------------------------------------------------------------------------------


def shown(view: View, tensor: str, tab: str, **where: Any) -> dict[str, Any]:
    (answer,) = view.answer({"ask": "picture", "tensor": tensor, "tab": tab, **where})
    return answer


def test_values_are_those_of_the_tensor() -> None:
    view = nk.view(GRAPH, trace=TRACE)
    answer = shown(view, "input", "values", index=[0, 2], row=12)
    values = TRACE["input"][0, 2, 12:16, :6]
    found = np.array(answer["parts"][0]["rows"], float)
    np.testing.assert_allclose(found, values, rtol=6e-3)
    assert answer["row"] == 12


def test_both_sides_and_their_difference_are_shown() -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    name = COMPARISON.introducing[0].name
    for tab in ("channels", "heat map", "histogram", "values"):
        labels = [part["label"] for part in shown(view, name, tab)["parts"]]
        assert labels == ["fine", "coarse", "|a − b|"]
    runs = COMPARISON.values(name)
    assert runs is not None
    rows = shown(view, name, "values")["parts"][2]["rows"]
    np.testing.assert_allclose(
        np.array(rows, float), np.abs(runs[0] - runs[1])[0, 0, :12, :6], rtol=6e-3
    )


def test_the_largest_difference_is_that_of_the_whole_tensor() -> None:
    draw = np.random.default_rng(2)
    first = draw.normal(size=(3, 1_500_000)).astype(np.float32)
    second = first.copy()
    second[2, -1] += 4
    second[0, 0] = np.nan
    expected = np.nanmax(np.abs(first.astype(float) - second.astype(float)))
    assert largest_difference(first, second) == expected
    both = np.float32([np.inf, -np.inf])
    assert largest_difference(both, both) == 0
    assert math.isnan(largest_difference(both, -both))


def test_pages_of_channels() -> None:
    values = np.arange(30 * 16, dtype=np.float32).reshape(1, 30, 4, 4)
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 30, 4, 4]); y = relu(x); }"
    )
    view = nk.view(graph, trace=nk.trace(graph, values))
    pages = [shown(view, "y", "channels", page=page) for page in (0, 2, 99)]
    assert [page["page"] for page in pages] == [0, 2, 2]
    assert [page["where"] for page in pages[:2]] == ["channels 0–11 of 30", "channels 24–29 of 30"]
    assert pages[0]["parts"][0]["image"] != pages[1]["parts"][0]["image"]


def test_weights_have_their_values_without_a_run() -> None:
    content = inspected(nk.view(GRAPH).answer({"ask": "select", "tensor": "filter"}))
    assert "channels" in content["tabs"]


def test_weights_of_both_graphs_of_a_comparison() -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    labels = [part["label"] for part in shown(view, "filter", "values")["parts"]]
    assert labels == ["fine", "coarse", "|a − b|"]


def test_an_image_is_shown_as_one() -> None:
    view = nk.view(GRAPH, trace=TRACE)
    content = inspected(view.answer({"ask": "select", "tensor": "input"}))
    assert "image" in content["tabs"]
    answer = shown(view, "input", "image")
    assert answer["note"] == "0 is black, 1 is white"


def test_without_a_run_the_inspector_says_how_to_get_one() -> None:
    content = inspected(nk.view(GRAPH).answer({"ask": "select", "tensor": "pooled"}))
    assert content["tabs"] == []
    assert "nk.trace(graph, inputs)" in content["note"]


@pytest.mark.parametrize(
    "values",
    [
        np.full((1, 3, 8, 8), np.nan, np.float32),
        np.float32([[np.inf, -np.inf, 0, np.nan]]),
        np.zeros((1, 3, 8, 8), np.float32),
        np.float32(7.0).reshape(()),
        np.arange(5, dtype=np.float32),
        np.full((2, 2), 3e38, np.float32),
        np.ones((1, 1, 1, 1), np.float32),
    ],
    ids=["nan", "infinite", "zeros", "scalar", "vector", "huge", "ones"],
)
def test_every_tensor_has_all_its_views(values: np.ndarray) -> None:
    shape = list(values.shape)
    graph = nk.parse(
        f"version 1.0; graph g(x) -> (y) {{ x = external(shape = {shape}); y = copy(x); }}"
    )
    view = nk.view(graph, comparison=nk.compare({"y": values}, {"y": values}, graph=graph))
    content = inspected(view.answer({"ask": "select", "tensor": "y"}))
    assert content["tabs"]
    for tab in content["tabs"]:
        answer = shown(view, "y", tab)
        assert answer["parts"]
        assert json.dumps(answer)


# -- search ---------------------------------------------------------------------------------------


def found(view: View, text: str) -> list[str]:
    (answer,) = view.answer({"ask": "search", "text": text})
    assert answer["text"] == text
    return [name for name, _ in answer["matches"]]


def test_the_blocks_around_a_selection_are_named_once() -> None:
    """A repeated block has its number, each repetition its place; equal titles are not repeated."""
    lines = ["x = external(shape = [1, 4, 8, 8]);"]
    last = "x"
    for i in range(6):
        lines += [f"a{i} = relu({last});", f"b{i} = tanh(a{i});", f"c{i} = sigmoid(b{i});"]
        lines += [f"d{i} = exp(c{i});", f"e{i} = mul(d{i}, a{i});", f"f{i} = add(e{i}, {last});"]
        last = f"f{i}"
    view = nk.view(nk.parse(f"version 1.0; graph g(x) -> (y) {{ {' '.join(lines)} y = neg(f5); }}"))
    crumbs = inspected(view.answer({"ask": "select", "tensor": "c4"}))["crumbs"]
    titles = [title for _, title in crumbs]
    assert titles[0].endswith(" × 5")
    assert titles[1].endswith(" of 5")
    assert len(set(titles)) == len(titles)
    for key, _ in crumbs:
        assert inspected(view.answer({"ask": "select", "key": key}))["name"]


def test_search_by_name_operation_shape_attribute_and_line() -> None:
    view = nk.view(GRAPH)
    assert found(view, "pooled")[0] == "pooled"
    assert found(view, "POOL")[0] == "pooled"
    convolutions = {op.output_names[0] for op in GRAPH.operations if op.name == "conv"}
    assert set(found(view, "conv")) == convolutions
    assert "flat" in found(view, "1x3")
    assert "pooled" in found(view, "size=[1, 1, 16, 16]".replace(" ", "")) or "pooled" in found(
        view, "16, 16]"
    )
    line = GRAPH.line(GRAPH.producers["flat"])
    assert found(view, str(line))[0] == "flat"
    assert found(view, "relu block") == [
        n for n in found(view, "relu") if "block" in str(GRAPH.producers[n].scope)
    ]
    assert found(view, "nothing of that name") == []
    assert found(view, "   ") == []


def test_a_search_of_ten_thousand_operations_lists_some_and_counts_all() -> None:
    view = nk.view(long_graph(3_000))
    (answer,) = view.answer({"ask": "search", "text": "relu"})
    assert answer["total"] > 800
    assert len(answer["matches"]) == 200


# -- overlays -------------------------------------------------------------------------------------


def test_overlays_that_there_is_data_for() -> None:
    keys = [key for key, _ in scene(nk.view(GRAPH))["overlays"]]
    assert keys == ["macs", "parameters", "bytes"]
    keys = [key for key, _ in scene(nk.view(GRAPH, TRACE, COMPARISON))["overlays"]]
    assert keys == ["error", "time", "macs", "parameters", "bytes", "nan"]


def test_a_block_has_the_sum_of_its_operations() -> None:
    view = nk.view(GRAPH)
    view.overlay = "macs"
    view.answer({"ask": "all", "open": False})
    total = nk.cost(GRAPH).macs
    blocks = [b for b in tiles(view, scene(view)).values() if b.get("value")]
    shares = [float(b["value"].split()[0]) for b in blocks]
    units = {"k": 1e3, "M": 1e6}
    sums = [s * units.get(b["value"].split()[-1], 1) for s, b in zip(shares, blocks, strict=True)]
    assert sum(sums) == pytest.approx(total, rel=0.01)


def test_a_block_has_the_worst_error_of_its_operations() -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    worst = min(row.metrics.snr for row in COMPARISON if row.metrics and not row.weight)
    values = [b["value"] for b in tiles(view, scene(view)).values() if b.get("value")]
    assert min(float(v.split()[0]) for v in values) == pytest.approx(worst, rel=0.01)


def test_a_series_by_tensor_colors_the_boxes() -> None:
    view = nk.view(GRAPH, detail="operations")
    view.overlay = pd.Series({"pooled": 3.0, "flat": 12.0, "output": np.nan}, name="latency")
    message = scene(view)
    assert message["overlay"]["title"] == "latency"
    boxes = {box["title"]: box for box in tiles(view, message).values()}
    assert (boxes["pooled"]["value"], boxes["flat"]["value"]) == ("3", "12")
    assert boxes["flat"]["level"] == 5
    assert 0 < boxes["pooled"]["level"] < 5
    assert "value" not in boxes["output"]


def test_a_series_by_number_as_in_a_table_of_operations() -> None:
    view = nk.view(GRAPH, detail="operations")
    frame = GRAPH.to_frame()
    view.overlay = frame["macs"].astype("Float64")
    assert scene(view)["overlay"]["title"] == "macs"


def test_not_finite_values_are_found_where_they_begin() -> None:
    graph = nk.parse(
        "version 1.0; graph g(x) -> (z) { x = external(shape = [4]); y = log(x); z = exp(y); }"
    )
    view = nk.view(graph, trace=nk.trace(graph, np.float32([1, -1, 2, -2])))
    view.overlay = "nan"
    boxes = [b for b in tiles(view, scene(view)).values() if b.get("level")]
    assert boxes
    content = inspected(view.answer({"ask": "next"}))
    assert content["tensor"] == "y"


def test_the_strip_follows_the_depth() -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    strip = scene(view)["overlay"]["strip"]
    assert strip["numbers"] == sorted(strip["numbers"])
    assert len(strip["values"]) == len(strip["numbers"])
    assert min(v for v in strip["values"] if v is not None) < 60
    answer = inspected(view.answer({"ask": "select", "number": strip["numbers"][-1]}))
    assert answer["tensor"] == "output"


def test_next_error_steps_through_and_begins_again() -> None:
    view = nk.view(GRAPH, comparison=COMPARISON)
    names = [row.name for row in COMPARISON.introducing]
    steps = [inspected(view.answer({"ask": "next"}))["tensor"] for _ in range(len(names) + 1)]
    assert steps == [*names, names[0]]
    back = [inspected(view.answer({"ask": "next", "back": True}))["tensor"]]
    assert back == [names[-1]]
    same = nk.view(GRAPH, comparison=nk.compare(TRACE, TRACE))
    assert "Nothing here differs" in same.answer({"ask": "next"})[0]["text"]


# -- moving and paths -----------------------------------------------------------------------------


def test_arrows_walk_along_the_edges() -> None:
    view = nk.view(GRAPH, detail="operations")
    view.select("pooled")
    names = [inspected(view.answer({"ask": "move", "to": "next"}))["name"] for _ in range(3)]
    assert names == ["flat", "output", "output"]
    assert view.answer({"ask": "move", "to": "next"})[0]["kind"] == "status"
    view.select("pooled")
    back = inspected(view.answer({"ask": "move", "to": "previous"}))
    assert back["tensor"] == "b"


def test_every_box_is_reached_by_the_keyboard() -> None:
    view = nk.view(GRAPH, detail="operations")
    keys = set(tiles(view, scene(view)))
    reached: set[str] = set()
    for to in ("next", "down", "up"):
        view.answer({"ask": "move", "to": "first"})
        for _ in range(len(keys)):
            message = view.answer({"ask": "move", "to": to})
            reached |= {m["cursor"]["key"] for m in message if m["kind"] == "inspect"}
    view.answer({"ask": "move", "to": "next"})
    first = view.answer({"ask": "move", "to": "first"})[0]
    assert reached | {first["cursor"]["key"]} == keys


def test_the_path_to_and_from_a_tensor() -> None:
    graph = nk.parse(
        "version 1.0; graph g(x, z) -> (y, v) { x = external(shape = [4]);"
        " z = external(shape = [4]); a = exp(x); b = tanh(z); c = add(a, b); y = neg(c);"
        " v = sqr(b); }"
    )
    view = nk.view(graph, detail="operations")
    message = scene(view)
    boxes = tiles(view, message)
    key = next(key for key, box in boxes.items() if box["title"] == "a")
    where = {"version": message["version"], "key": key, "places": [[0, 0]]}
    (answer,) = view.answer({"ask": "path", **where})
    assert {boxes[each]["title"] for each in answer["boxes"]} == {"x", "c", "y"}
    (tile,) = view.answer({"ask": "tiles", **where})[0]["tiles"]
    lit = [edge["names"][0] for edge in tile["edges"] if edge["id"] in answer["edges"]]
    assert sorted(lit) == ["a", "c", "x", "y"]


# -- messages -------------------------------------------------------------------------------------


def test_messages_are_in_proportion_to_what_is_seen() -> None:
    view = nk.view(long_graph(10_000))
    assert len(json.dumps(first(view))) < 80_000
    (message,) = [
        m for m in view.answer({"ask": "detail", "detail": "operations"}) if m["kind"] == "scene"
    ]
    assert message["boxes"] > 9_000
    assert len(json.dumps(message)) < 40_000
    version = message["version"]
    (near,) = view.answer({"ask": "tiles", "version": version, "places": [[0, 0], [1, 0]]})
    assert 1 < len(near["tiles"][0]["boxes"]) < 400
    assert len(json.dumps(near)) < 120_000
    (far,) = view.answer({"ask": "tiles", "version": version, "level": 4, "places": [[0, 0]]})
    assert len(json.dumps(far)) < 40_000


@pytest.mark.parametrize(
    "message",
    [
        None,
        7,
        {},
        {"ask": "unknown"},
        {"ask": "tiles"},
        {"ask": "tiles", "version": -1, "places": [[0, 0]]},
        {"ask": "tiles", "version": 1, "places": "a"},
        {"ask": "tiles", "version": 1, "places": [[1e400, 0]]},
        {"ask": "tiles", "version": 1, "level": 99, "places": [[10**9, -5]]},
        {"ask": "toggle", "key": "99.9"},
        {"ask": "select", "key": ["a"]},
        {"ask": "select", "x": "a", "y": None},
        {"ask": "select", "number": 10**9},
        {"ask": "picture", "tensor": "input", "tab": "image", "item": "x"},
        {"ask": "picture", "tensor": "<b>", "tab": "channels"},
        {"ask": "picture", "tensor": "input", "tab": "values", "index": [10**9, "a"], "row": -4},
        {"ask": "search", "text": "\x00" * 10_000},
        {"ask": "move", "to": "sideways"},
        {"ask": "detail", "detail": "everything"},
        {"ask": "path", "version": 1, "key": "0", "places": [[None]]},
    ],
)
def test_messages_of_another_version_do_no_harm(message: Any) -> None:
    view = nk.view(GRAPH, trace=TRACE)
    for answer in view.answer(message):
        assert json.dumps(answer)
    assert view.detail == "blocks"


def test_a_fault_of_ours_is_not_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    view = nk.view(GRAPH, trace=TRACE)

    def broken(*_: Any, **__: Any) -> Any:
        raise TypeError("a fault")

    monkeypatch.setattr("nnefkit.widgets.workbench.tensor_pictures.picture", broken)
    with pytest.raises(TypeError, match="a fault"):
        view.answer({"ask": "picture", "tensor": "input", "tab": "image"})


def test_an_unknown_overlay_of_a_page_is_reported_there() -> None:
    (answer,) = nk.view(GRAPH).answer({"ask": "overlay", "key": "eror"})
    assert answer["kind"] == "status"
    assert "Did you mean 'error'?" in answer["text"]


def test_names_that_look_like_markup_stay_text() -> None:
    """The page sets them as text; no message contains markup of our own."""
    origin = "<img src=x onerror=alert(1)>"
    view = nk.view(with_origin("pooled", origin))
    content = inspected(view.answer({"ask": "select", "tensor": "pooled"}))
    assert ["from", origin] in content["facts"]
    assert origin not in view.static()
    assert found(view, "onerror=alert(1)") == ["pooled"]


def with_origin(name: str, origin: str) -> nk.Graph:
    tensors = dict(GRAPH.tensors)
    tensors[name] = replace(tensors[name], origin=origin)
    return replace(GRAPH, tensors=tensors)


def test_hidden_characters_are_visible_in_messages() -> None:
    origin = "a\u202eb\x07"
    view = nk.view(with_origin("pooled", origin))
    content = inspected(view.answer({"ask": "select", "tensor": "pooled"}))
    (shown_origin,) = [value for key, value in content["facts"] if key == "from"]
    assert "\u202e" not in shown_origin


def test_levels_of_the_color_scale_are_stated_in_words() -> None:
    assert LEVELS % 2 == 1
    view = nk.view(GRAPH)
    view.overlay = "macs"
    legend = scene(view)["overlay"]["legend"]
    assert legend["ends"][0] == "0"
    assert legend["note"] == "blocks: sum"
    assert math.isfinite(scene(view)["overlay"]["strip"]["range"][1])
