"""Pictures of graphs: SVG documents, and files that need no other program."""

import io
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import nnefkit as nk
from nnefkit.display.svg.themes import DARK, LIGHT

SVG = "{http://www.w3.org/2000/svg}"
TEXT = """
version 1.0;
graph net(input) -> (output)
{
    input = external(shape = [1, 3, 16, 16]);
    filter = variable(shape = [8, 3, 3, 3], label = "conv1/filter");
    conv1 = conv(input, filter);
    act1 = relu(conv1);
    pooled = max_pool(act1, size = [1, 1, 2, 2], stride = [1, 1, 2, 2]);
    filter2 = variable(shape = [4, 8, 1, 1], label = "conv2/filter");
    conv2 = conv(pooled, filter2);
    output = softmax(conv2);
}
"""
GRAPH = nk.parse(TEXT).with_data(
    {
        "filter": np.linspace(-1, 1, 8 * 27, dtype=np.float32).reshape(8, 3, 3, 3),
        "filter2": np.linspace(-1, 1, 32, dtype=np.float32).reshape(4, 8, 1, 1),
    }
)
INPUT = np.linspace(-1, 1, 768, dtype=np.float32).reshape(1, 3, 16, 16)
OTHER = nk.parse("version 1.0; graph o( a ) -> ( b ) { a = external(shape = [2]); b = exp(a); }")
HOSTILE = 'x"><script>alert(1)</script>&\x00\x1b[31m\u202egpj\ud800]]>'


def faulty() -> nk.Graph:
    tensor = GRAPH.tensor("filter2")
    return GRAPH.with_data({"filter2": np.asarray(tensor.data) * 1.01})


def boxes(svg: str) -> list[ET.Element]:
    """The groups of boxes, without the one of the legend."""
    return [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.find(f"{SVG}title") is not None]


def titles(svg: str) -> list[str]:
    return [g.findtext(f"{SVG}title") or "" for g in boxes(svg)]


def words(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def fills(svg: str) -> dict[str, str]:
    """First tensor of each box -> the color of its frame."""
    return {
        (g.findtext(f"{SVG}title") or "").split(":")[0]: next(g.iter(f"{SVG}rect")).get("fill", "")
        for g in boxes(svg)
    }


# -- what is in a picture ------------------------------------------------------------------------


@pytest.mark.parametrize("detail", ["blocks", "operations"])
def test_every_box_names_its_tensor(detail):
    svg = GRAPH.svg(detail=detail)
    frames = [g for g in ET.fromstring(svg).iter(f"{SVG}g") if g.get("transform")]
    named = titles(svg)
    assert len(named) == len(frames) - 1  # the legend
    for name in ("input", "pooled", "output"):
        assert any(re.search(rf"\b{name}\b", title) for title in named), name
    if detail == "operations":
        for operation in GRAPH.computations:
            assert sum(t.startswith(f"{operation.output_names[0]}: ") for t in named) == 1
            assert operation.output_names[0] in words(svg)


def test_an_overlay_is_written_and_colored():
    svg = GRAPH.svg("macs", detail="operations")
    macs = {op.output_names[0]: op.macs for op in GRAPH.computations}
    assert macs["conv1"] == 8 * 27 * 16 * 16
    assert "55.3 k" in words(svg)
    colors = fills(svg)
    assert colors["conv1"] == LIGHT.levels[5]
    assert colors["conv2"] == LIGHT.levels[1]
    assert "MACs:" in words(svg)


@pytest.mark.parametrize("key", ["parameters", "bytes"])
def test_overlays_have_the_values_of_the_cost(key):
    rows = {row.tensor: row for row in nk.cost(GRAPH).operations}
    drawn = " ".join(words(GRAPH.svg(key, detail="operations")))
    wanted = {"parameters": str(rows["conv1"].parameters), "bytes": "KiB"}
    assert wanted[key] in drawn


def test_a_series_of_ones_own_colors_the_boxes():
    series = pd.Series({"conv1": 1.0, "conv2": 5.0}, name="sensitivity")
    svg = GRAPH.svg(series, detail="operations")
    assert "sensitivity:" in words(svg)
    assert fills(svg)["conv2"] == LIGHT.levels[5]
    assert fills(svg)["act1"] not in LIGHT.levels


def test_a_comparison_colors_errors_and_marks_what_introduces_them():
    comparison = nk.compare(nk.trace(GRAPH, INPUT), nk.trace(faulty(), INPUT))
    svg = GRAPH.svg(comparison=comparison, detail="operations")
    ratio = next(row for row in comparison if row.name == "conv2").metrics.snr
    assert any(word.endswith(" dB") for word in words(svg))
    assert ratio == pytest.approx(40, abs=0.5)
    marked = [w for w in words(svg) if w.startswith("introduces a difference")]
    assert marked == [] or "conv2" in marked[0]


def test_a_blame_marks_what_is_guilty():
    blame = nk.blame(GRAPH, INPUT, suspect=faulty())
    assert [each.tensor for each in blame.guilty] == ["conv2"]
    assert "guilty: conv2" in words(GRAPH.svg(blame=blame))
    assert "guilty: conv2" not in words(GRAPH.svg("none", blame=blame))


def test_times_and_nan_have_overlays():
    bad = INPUT.copy()
    bad[0, 0, 0, 0] = np.nan
    assert any("NaN" in w for w in words(GRAPH.svg("nan", trace=nk.trace(GRAPH, bad))))
    profile = nk.profile(GRAPH, INPUT)
    assert any(w.endswith(("s", "ms")) for w in words(GRAPH.svg(cost=profile)))


@pytest.mark.parametrize("mark", ["conv2", GRAPH.producers["conv2"], ["conv2", "act1"]])
def test_marked_operations_are_outlined_with_their_name(mark):
    svg = GRAPH.svg(mark=mark)
    assert any("conv2" in word for word in words(svg))
    outlined = [r for r in ET.fromstring(svg).iter(f"{SVG}rect") if r.get("stroke-width") == "2"]
    assert len(outlined) == (2 if isinstance(mark, list) else 1)


def test_a_marked_weight_marks_its_reader():
    svg = GRAPH.svg(mark="filter2", detail="operations")
    (title,) = [t for t in titles(svg) if "filter2" in t]
    assert title.startswith("conv2: ")


@pytest.mark.parametrize(("theme", "paper"), [("light", LIGHT.paper), ("dark", DARK.paper)])
def test_a_theme_has_its_background(theme, paper):
    root = ET.fromstring(GRAPH.svg(theme=theme))
    background = root.find(f"{SVG}rect")
    assert background is not None
    assert background.get("fill") == paper
    assert background.get("width") == root.get("width")


# -- hostile and large graphs ----------------------------------------------------------------------


def hostile() -> nk.Graph:
    shape = nk.Tensor(HOSTILE, "scalar", (2,))
    result = nk.Tensor("y" + HOSTILE, "scalar", (2,))
    operations = (
        nk.Operation("external", {}, {"output": nk.Identifier(HOSTILE)}, {"shape": [2]}, "scalar"),
        nk.Operation(
            "relu" + HOSTILE,
            {"x": nk.Identifier(HOSTILE)},
            {"y": nk.Identifier("y" + HOSTILE)},
            {},
        ),
    )
    tensors = {shape.name: shape, result.name: result}
    return nk.Graph(HOSTILE, (HOSTILE,), ("y" + HOSTILE,), operations, tensors)


@pytest.mark.parametrize("overlay", [None, {"y" + HOSTILE: 1.0}])
def test_hostile_names_stay_words(tmp_path, overlay):
    graph = hostile()
    svg = graph.svg(overlay, mark="y" + HOSTILE)
    root = ET.fromstring(svg)
    assert not [e for e in root.iter() if "script" in e.tag]
    assert "<script" not in svg
    assert "\u202e" not in svg
    assert "\x00" not in svg
    svg.encode()
    for ending in ("svg", "png", "pdf"):
        graph.save_picture(tmp_path / f"hostile.{ending}", overlay, mark="y" + HOSTILE)


def chain(count: int) -> nk.Graph:
    lines = ["x0 = external(shape = [1, 4, 8, 8]);"]
    lines += [f"x{i + 1} = {['relu', 'exp', 'tanh'][i % 7 % 3]}(x{i});" for i in range(count)]
    return nk.parse(f"version 1.0; graph g( x0 ) -> ( x{count} ) {{ {' '.join(lines)} }}")


def test_a_graph_of_ten_thousand_operations_has_a_small_picture(tmp_path):
    graph = chain(10_000)
    start = time.process_time()
    svg = graph.svg("macs")
    assert time.process_time() - start < 20
    assert len(svg.encode()) < 250 * 1024
    assert "10,000 operations" in svg
    graph.save_picture(tmp_path / "large.png")
    with pytest.raises(nk.InputError, match="more than 1,000") as caught:
        graph.svg(detail="operations")
    assert "detail='blocks'" in caught.value.diagnostics[0].hint


# -- files ---------------------------------------------------------------------------------------


def test_an_svg_file_is_the_document(tmp_path):
    GRAPH.save_picture(tmp_path / "model.svg", "macs")
    assert (tmp_path / "model.svg").read_text(encoding="utf-8") == GRAPH.svg("macs")


@pytest.mark.parametrize(("theme", "colors"), [("light", LIGHT), ("dark", DARK)])
def test_a_png_file_has_the_colors_of_the_boxes_where_the_svg_has_them(tmp_path, theme, colors):
    svg = GRAPH.svg("macs", theme=theme, detail="operations")
    GRAPH.save_picture(tmp_path / "model.png", "macs", theme=theme, detail="operations")
    image = Image.open(tmp_path / "model.png").convert("RGB")
    root = ET.fromstring(svg)
    left, top, width, height = map(float, (root.get("viewBox") or "").split())
    assert image.size == pytest.approx((2 * width, 2 * height), abs=1)

    def at(x: float, y: float) -> tuple[int, ...]:
        return image.getpixel((round(2 * (x - left)), round(2 * (y - top))))  # type: ignore[return-value]

    def near(pixel: tuple[int, ...], color: str) -> bool:
        wanted = [round(255 * c) for c in to_rgb(color)]
        return max(abs(a - b) for a, b in zip(pixel, wanted, strict=True)) <= 3

    assert near(at(left + 1, top + 1), colors.paper)
    found = 0
    for group in boxes(svg):
        place = re.match(r"translate\((\S+) (\S+)\)", group.get("transform", ""))
        frame = next(group.iter(f"{SVG}rect"))
        fill = frame.get("fill", "")
        if place and fill in colors.levels[1:]:
            x, y = float(place[1]), float(place[2])
            assert near(at(x + 8, y + float(frame.get("height", 0)) - 4), fill)
            found += 1
    assert found >= 2


def test_a_pdf_file_has_one_page_of_the_size_of_the_picture(tmp_path):
    GRAPH.save_picture(tmp_path / "model.pdf")
    content = (tmp_path / "model.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", content)
    root = ET.fromstring(GRAPH.svg())
    assert box is not None
    assert float(box[1]) == pytest.approx(0.75 * float(root.get("width", 0)), abs=0.1)
    assert float(box[2]) == pytest.approx(0.75 * float(root.get("height", 0)), abs=0.1)
    GRAPH.save_picture(tmp_path / "again.pdf")
    assert (tmp_path / "again.pdf").read_bytes() == content


def test_pyplot_is_not_touched(tmp_path):
    code = f"""
import sys, numpy as np, nnefkit as nk
graph = nk.parse({TEXT!r})
assert "nnefkit.pictures" not in sys.modules
graph.svg()
assert not {{"matplotlib", "anywidget", "ipywidgets"}} & set(sys.modules)
graph.save_picture({str(tmp_path / "a.png")!r})
graph.save_picture({str(tmp_path / "a.pdf")!r})
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_of_matplotlib_do_not_change_a_picture(tmp_path):
    GRAPH.save_picture(tmp_path / "before.png")
    with mpl.rc_context(
        {"savefig.bbox": "tight", "savefig.dpi": 30, "text.color": "red", "path.sketch": (9, 9, 9)}
    ):
        GRAPH.save_picture(tmp_path / "after.png")
    assert (tmp_path / "before.png").read_bytes() == (tmp_path / "after.png").read_bytes()


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.png"
    path.write_bytes(b"old")
    with pytest.raises(nk.UnknownNameError):
        GRAPH.save_picture(path, mark="nowhere")
    assert path.read_bytes() == b"old"
    GRAPH.save_picture(path)
    assert Image.open(io.BytesIO(path.read_bytes())).format == "PNG"
    assert [each.name for each in tmp_path.iterdir()] == ["model.png"]
    with pytest.raises(nk.StorageError, match="does not exist"):
        GRAPH.save_picture(tmp_path / "no" / "model.svg")


# -- wrong arguments ------------------------------------------------------------------------------


WRONG = {
    "ending": (lambda: GRAPH.save_picture("model.gif"), nk.InputError, "model.svg"),
    "no-ending": (lambda: GRAPH.save_picture("model"), nk.InputError, "model.svg"),
    "path": (lambda: GRAPH.save_picture(3), nk.InputError, "must be a path"),
    "mark": (lambda: GRAPH.svg(mark="conv3"), nk.UnknownNameError, "conv2"),
    "mark-type": (lambda: GRAPH.svg(mark=3), nk.InputError, "the name of a tensor"),
    "mark-types": (lambda: GRAPH.svg(mark=[3]), nk.InputError, "'mark' must be a str"),
    "overlay": (lambda: GRAPH.svg("mac"), nk.UnknownNameError, "macs"),
    "no-data": (lambda: GRAPH.svg("error"), nk.InputError, "graph.svg(comparison="),
    "no-time": (lambda: GRAPH.svg("time"), nk.InputError, "graph.svg(cost=nk.profile"),
    "series": (lambda: GRAPH.svg(pd.Series({"nothing": 1.0})), nk.UnknownNameError, "nothing"),
    "series-words": (lambda: GRAPH.svg({"conv1": "a"}), nk.InputError, "not a number"),
    "series-empty": (lambda: GRAPH.svg({}), nk.InputError, "no numbers"),
    "series-number": (lambda: GRAPH.svg({99: 1.0}), nk.InputError, "operation 99"),
    "overlay-type": (lambda: GRAPH.svg(3), nk.InputError, "pandas Series"),
    "theme": (lambda: GRAPH.svg(theme="drak"), nk.InputError, "'light' or 'dark'"),
    "detail": (lambda: GRAPH.svg(detail="all"), nk.InputError, "'blocks' or 'operations'"),
    "width": (lambda: GRAPH.svg(width=10), nk.InputError, "from 320"),
    "trace": (
        lambda: OTHER.svg(trace=nk.trace(GRAPH, INPUT)),
        nk.InputError,
        "trace.graph.svg(trace=trace)",
    ),
    "comparison": (lambda: GRAPH.svg(comparison=3), nk.InputError, "nnefkit.compare"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_are_refused_with_a_remedy(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, error, words_ = WRONG[case]
    with pytest.raises(error) as caught:
        call()
    assert words_ in str(caught.value)
    assert not list(Path().iterdir())
