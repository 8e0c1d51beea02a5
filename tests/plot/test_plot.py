"""Plots take and return axes, leave pyplot alone, and draw all values."""

from __future__ import annotations

import base64
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from nnefkit import parse, plot, trace
from nnefkit.errors import InputError, UnknownNameError

ARRAY = np.random.default_rng(0).normal(size=(1, 6, 8, 8)).astype(np.float32)
SECONDS = {f"conv{i}": (i + 1) * 1e-3 for i in range(30)}
RATIOS = {f"conv{i}": 120.0 if i < 5 else 12.0 for i in range(20)}

PLOTS: dict[str, tuple[Any, Any]] = {
    "histogram": (plot.histogram, ARRAY),
    "heat_map": (plot.heat_map, ARRAY[0, 0]),
    "feature_maps": (plot.feature_maps, ARRAY),
    "filters": (plot.filters, ARRAY.reshape(6, 1, 8, 8)),
    "color filters": (plot.filters, ARRAY.reshape(2, 3, 8, 8)),
    "comparison": (plot.comparison, RATIOS),
    "timings": (plot.timings, SECONDS),
}


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    plt.close("all")  # of tests that ran before in the same process
    yield
    plt.close("all")


@pytest.mark.parametrize("name", PLOTS)
def test_given_axes_are_used_and_returned_without_pyplot(name: str) -> None:
    draw, data = PLOTS[name]
    ax = Figure().subplots()
    assert draw(data, ax) is ax
    assert ax.has_data()
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", PLOTS)
def test_without_axes_a_figure_is_made_that_pyplot_does_not_know(name: str) -> None:
    draw, data = PLOTS[name]
    before = dict(mpl.rcParams)
    mine = plt.figure()
    ax = draw(data)
    assert plt.get_fignums() == [mine.number]
    assert plt.gcf() is mine
    assert dict(mpl.rcParams) == before
    ax.figure.canvas.draw()
    assert ax.figure.get_facecolor()[3] == 0  # the page shows through, white or black
    assert all(part.get_facecolor()[3] == 0 for part in ax.figure.axes)


@pytest.mark.parametrize("interactive", [True, False])
def test_pyplot_stays_interactive_or_not_and_resolves_no_backend(interactive: bool) -> None:
    code = (
        "import matplotlib as mpl, numpy as np; mpl.interactive({on}); "
        "import nnefkit as nk; nk.plot.heat_map(np.eye(3)).figure.canvas.draw(); import sys; "
        "assert 'matplotlib.pyplot' not in sys.modules; assert mpl.is_interactive() is {on}; "
        "assert mpl.get_backend(auto_select=False) is None"
    )
    env = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    subprocess.run([sys.executable, "-c", code.format(on=interactive)], check=True, env=env)


NOISE = np.random.default_rng(0).normal(size=(1, 64, 112, 112))


@pytest.mark.parametrize(
    ("draw", "values", "target"),
    [
        (plot.heat_map, NOISE.reshape(-1, 784), "path"),
        (plot.feature_maps, NOISE, "path"),
        (plot.feature_maps, NOISE, "string"),
        (plot.feature_maps, NOISE, "without an ending"),
        (plot.feature_maps, NOISE, "file"),
        (plot.filters, NOISE.ravel()[: 64 * 3 * 64 * 64].reshape(64, 3, 64, 64), "path"),
        (plot.filters, NOISE.reshape(64, 64, 14, 14), "path"),
    ],
)
def test_saved_figures_are_small(draw: Any, values: Any, target: str, tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    figure = draw(values).figure
    if target == "file":
        with path.open("wb") as file:
            figure.savefig(file)
    else:
        names = {"path": path, "string": str(path), "without an ending": str(path)[:-4]}
        figure.savefig(names[target])
    assert 10_000 < path.stat().st_size < 300 * 1024
    saved = mpl.image.imread(path)
    assert saved.shape[:2] == tuple(figure.canvas.get_width_height()[::-1])


def test_a_resolution_is_obeyed_whatever_the_size(tmp_path: Path) -> None:
    figure = plot.heat_map(NOISE.reshape(-1, 784)).figure
    figure.savefig(tmp_path / "figure.png", dpi=50)
    assert mpl.image.imread(tmp_path / "figure.png").shape[:2] == (300, 300)
    figure.savefig(tmp_path / "figure.svg", dpi=200)
    assert (tmp_path / "figure.svg").stat().st_size > 400 * 1024


LARGE: dict[str, Any] = {
    "heat_map": lambda: plot.heat_map(NOISE.reshape(-1, 784)),
    "feature_maps": lambda: plot.feature_maps(NOISE),
    "tall maps": lambda: plot.feature_maps(NOISE.reshape(1, 64, 224, 56)),
    "filters": lambda: plot.filters(NOISE.reshape(64, 64, 14, 14)),
    "bars": lambda: plot.histogram(NOISE, bins=20_000),
    "line": lambda: plot.comparison(dict(enumerate(np.abs(10 * NOISE.ravel()[:200_000])))),
    "many times": lambda: plot.timings({f"operation{i}" * 3: i for i in range(500)}, limit=500),
}


@pytest.mark.parametrize("ending", ["svg", "pdf", "png"])
@pytest.mark.parametrize("name", LARGE)
def test_figures_of_noise_are_small_in_every_format(name: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"figure.{ending}"
    LARGE[name]().figure.savefig(path)
    assert 5_000 < path.stat().st_size < 300 * 1024


def test_an_svg_file_has_fewer_colors_but_all_points() -> None:
    figure = plot.heat_map(NOISE.reshape(-1, 784)).figure
    whole, small = io.BytesIO(), io.StringIO()
    figure.savefig(whole, format="svg", dpi=figure.dpi)
    figure.savefig(small, format="svg")
    assert len(whole.getvalue()) > 400 * 1024
    sizes, colors = [], []
    for text in (whole.getvalue().decode(), small.getvalue()):
        images = re.findall(r"data:image/png;base64,([^\"]+)", text)
        pictures = [Image.open(io.BytesIO(base64.b64decode(image))) for image in images]
        sizes.append([picture.size for picture in pictures])
        found = pictures[0].convert("RGBA").getcolors(1_000_000) or []
        colors.append(len(found))
    assert sizes[0][0] == sizes[1][0]
    assert colors[0] > 100 > colors[1] > 10


def test_files_of_other_kinds_are_written_by_matplotlib(tmp_path: Path) -> None:
    figure = plot.heat_map(np.eye(4)).figure
    with PdfPages(tmp_path / "pages.pdf") as pages:
        pages.savefig(figure)
        figure.savefig(pages, format="pdf")
    assert (tmp_path / "pages.pdf").read_bytes().startswith(b"%PDF")
    figure.savefig(tmp_path / "figure.jpg")
    assert (tmp_path / "figure.jpg").read_bytes().startswith(b"\xff\xd8")
    with mpl.rc_context({"savefig.format": "svg"}):
        figure.savefig(tmp_path / "named")
    assert (tmp_path / "named.svg").read_text().startswith("<?xml")


TENSORS = {"x": ARRAY, "w": ARRAY.reshape(6, 1, 8, 8)}
GRAPH = parse(
    "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 1, 8, 8]);"
    " w = variable(shape = [6, 1, 3, 3], label = 'w'); y = conv(x, w); }"
).with_data({"w": ARRAY.reshape(-1)[:54].reshape(6, 1, 3, 3)})
DRAWS = [plot.histogram, plot.heat_map, plot.feature_maps, plot.filters]


@pytest.mark.parametrize("draw", DRAWS)
def test_a_mapping_a_trace_or_a_graph_goes_with_the_name_of_a_tensor(draw: Any) -> None:
    run = trace(GRAPH, ARRAY[:, :1])
    for tensors, name in ((TENSORS, "w"), (run, "y"), (run, "w"), (GRAPH, "w")):
        ax = draw(tensors, name)
        assert ax.get_title(loc="left").startswith(name)
        given = Figure().subplots()
        assert draw(tensors, name, given) is given
        assert draw(tensors, name, ax=given, title="mine") is given
        assert given.get_title(loc="left").startswith("mine")


@pytest.mark.parametrize("draw", DRAWS)
def test_a_tensor_that_cannot_be_picked_is_refused(draw: Any) -> None:
    run = trace(GRAPH, ARRAY[:, :1])
    for tensors in (TENSORS, run, GRAPH):
        with pytest.raises(InputError, match="pass the name of one"):
            draw(tensors)
        with pytest.raises(UnknownNameError, match=r"no tensor 'ww'[^?]*Did you mean 'w'"):
            draw(tensors, "ww")
    with pytest.raises(InputError, match="'w' names no part of an array"):
        draw(ARRAY, "w")
    with pytest.raises(InputError, match=r"'ax' must be the axes.*\n.*axes\[0\]"):
        draw(ARRAY, ax=[1, 2])
    with pytest.raises(InputError, match="'ax' must be the axes of a figure, not of type Figure"):
        draw(TENSORS, "x", Figure())


def test_color_bars_and_maps_have_the_color_of_the_page() -> None:
    """Zero is transparent, large magnitudes are opaque: no white glare on a dark page."""
    values = np.array([[-1.0, 0.0, 1.0]] * 3)
    image = plot.heat_map(values).images[0]
    colors = image.cmap(image.norm(values[0]))
    np.testing.assert_array_equal(np.rint(colors[:, 3]), [1, 0, 1])
    assert colors[0, 2] > colors[0, 0]
    assert colors[2, 0] > colors[2, 2]
    for page in ("#ffffff", "#111111"):
        for color in (colors[0], colors[2]):
            assert contrast(color, page) >= 4


@pytest.mark.parametrize("name", PLOTS)
def test_text_is_legible_on_white_and_on_black(name: str) -> None:
    draw, data = PLOTS[name]
    ax = draw(data)
    ax.figure.canvas.draw()
    words = [text for text in ax.figure.findobj(mpl.text.Text) if text.get_text()]
    colors = [text.get_color() for text in words]
    for color in colors:
        for page in ("#ffffff", "#111111"):
            assert contrast(color, page) >= 3


def contrast(a: Any, b: Any) -> float:
    """The contrast of two colors by WCAG 2."""

    def luminance(color: Any) -> float:
        channels = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for c in mpl.colors.to_rgb(color)
        ]
        return float(np.dot(channels, [0.2126, 0.7152, 0.0722]))

    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def test_tensors_bring_their_values_and_names() -> None:
    tensor = SimpleNamespace(name="conv1", data=ARRAY)
    for draw in (plot.histogram, plot.heat_map, plot.feature_maps):
        assert "conv1" in draw(tensor, Figure().subplots()).get_title(loc="left")
    assert "mine" in plot.histogram(tensor, title="mine").get_title(loc="left")


@pytest.mark.parametrize("draw", [plot.histogram, plot.heat_map, plot.feature_maps, plot.filters])
@pytest.mark.parametrize(
    "data", [SimpleNamespace(name="x", data=None), np.array([]), np.array(["a", "b"])]
)
def test_tensors_without_numbers_are_refused(draw: Any, data: Any) -> None:
    with pytest.raises(InputError, match=r"no (values|numbers)"):
        draw(data)
    assert plt.get_fignums() == []


def test_nan_and_inf_are_counted_and_drawn() -> None:
    array = ARRAY.copy()
    array[0, 0, 0, :3] = [np.nan, np.inf, -np.inf]
    assert "3 NaN or Inf" in plot.histogram(array).get_title(loc="left")
    for draw in (plot.heat_map, plot.feature_maps):
        draw(array).figure.canvas.draw()


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5)),
        np.full((4, 5), 7.0),
        np.full((4, 5), np.nan),
        np.ones((4, 5), bool),
        np.arange(20, dtype=np.uint8).reshape(4, 5),
        np.array([3.0]),
        np.float32(2.0),
        [[1, 2], [3, 4]],
    ],
    ids=repr,
)
def test_odd_values_are_drawn(array: Any) -> None:
    plot.histogram(array).figure.canvas.draw()
    plot.heat_map(array).figure.canvas.draw()


def test_all_bars_together_count_every_finite_value() -> None:
    (patch,) = plot.histogram(ARRAY, bins=11).patches
    assert patch.get_data().values.sum() == ARRAY.size
    assert len(patch.get_data().values) == 11


def test_feature_maps_take_channels_from_any_axis() -> None:
    first = plot.feature_maps(ARRAY).images[0].get_array()
    nhwc = plot.feature_maps(ARRAY.transpose(0, 2, 3, 1), axis=-1).images[0].get_array()
    without_batch = plot.feature_maps(ARRAY[0]).images[0].get_array()
    np.testing.assert_array_equal(first, nhwc)
    np.testing.assert_array_equal(first, without_batch)


def test_feature_maps_state_how_many_they_leave_out() -> None:
    assert "channels 0–3 of 6" in plot.feature_maps(ARRAY, limit=4).get_title(loc="left")
    assert "of" not in plot.feature_maps(ARRAY).get_title(loc="left")


def test_a_channel_retains_its_pattern() -> None:
    maps = np.zeros((1, 2, 4, 4))
    maps[0, 0, :, :2], maps[0, 1, :, :2] = 1, -1
    image = plot.feature_maps(maps, columns=2).images[0].get_array()
    height, width = image.shape[:2]
    orange, blue = image[height // 2, width // 8], image[height // 2, width // 2 + width // 8]
    zero = image[height // 2, width // 2 - width // 16]
    assert orange[0] > orange[2]  # more red than blue
    assert blue[2] > blue[0]
    assert zero[3] == 0  # the color of the page


def test_large_maps_make_no_large_pictures() -> None:
    image = plot.feature_maps(np.ones((1, 2, 1500, 1500), np.float32)).images[0].get_array()
    assert image.size < 2_000_000
    drawn = plot.heat_map(np.ones((9000, 3), np.float32)).images[0]
    assert drawn.get_array().shape[0] <= 2000
    assert drawn.get_extent() == [-0.5, 2.5, 8999.5, -0.5]


@pytest.mark.parametrize("shape", [(4,), (1, 2, 3, 4, 5)])
def test_maps_need_two_to_four_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="2 to 4 axes"):
        plot.feature_maps(np.ones(shape))


def test_filters_need_four_axes() -> None:
    with pytest.raises(InputError, match="4 axes"):
        plot.filters(np.ones((3, 3)))


def test_comparison_marks_the_first_difference() -> None:
    ax = plot.comparison(RATIOS)
    assert [text.get_text() for text in ax.texts] == ["conv5"]
    line = ax.lines[0].get_ydata()
    assert list(line) == [80.0] * 5 + [12.0] * 15
    assert [t.get_text() for t in plot.comparison(RATIOS, first="conv9").texts] == ["conv9"]
    assert plot.comparison(dict.fromkeys("abc", np.inf)).texts[:] == []


def test_comparison_takes_the_rows_of_a_comparison() -> None:
    rows = [
        SimpleNamespace(name="a", metrics=SimpleNamespace(snr=np.inf)),
        SimpleNamespace(name="b", metrics=None),
        SimpleNamespace(name="c", metrics=SimpleNamespace(snr=31.0)),
    ]
    ax = plot.comparison(SimpleNamespace(judged=rows, first_divergence=rows[2]))
    line = ax.lines[0].get_ydata()
    assert line[0] == 80
    assert np.isnan(line[1])
    assert line[2] == 31
    assert [text.get_text() for text in ax.texts] == ["c"]


def test_timings_show_the_slowest_and_sum_up_the_others() -> None:
    ax = plot.timings(SimpleNamespace(seconds=SECONDS | {"x": float("nan")}), limit=4)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["conv29", "conv28", "conv27", "conv26", "26 others"]
    widths = [bar.get_width() for bar in ax.patches]
    assert sum(widths) == pytest.approx(1e3 * sum(SECONDS.values()))
    assert list(SECONDS.items())  # rows do as well as a mapping
    rows = plot.timings(list(SECONDS.items()), limit=4)
    assert [bar.get_width() for bar in rows.patches] == widths


def test_timings_have_at_most_100_bars_and_all_times() -> None:
    ax = plot.timings({f"t{i}": i for i in range(1, 1_001)}, limit=900)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 101
    assert names[-1] == "900 others"
    assert sum(bar.get_width() for bar in ax.patches) == pytest.approx(1e3 * 1_000 * 1_001 / 2)


@pytest.mark.parametrize("draw", [plot.comparison, plot.timings])
def test_nothing_to_draw_is_refused(draw: Any) -> None:
    with pytest.raises(InputError, match="there are no"):
        draw({})


def test_matplotlib_is_not_imported_before_something_is_drawn() -> None:
    code = "import sys, nnefkit.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
