"""Pictures of arrays show their values, as decoded by Pillow."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from nnefkit.display import charts, images
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.elements import Figure
from nnefkit.graph import Tensor

MAGENTA, GREEN = (230, 0, 200), (0, 160, 60)


def pixels(uri):
    """(height, width, RGBA) of a picture."""
    content = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def colors(values, scale, page=(255, 255, 255)):
    """The colors that values have on a page."""
    return on(page, pixels(images.png_uri(images.levels(np.atleast_2d(values), scale))))


def on(page, picture):
    opacity = picture[..., 3:] / 255
    return np.rint(opacity * picture[..., :3] + (1 - opacity) * np.array(page)).astype(int)


@pytest.mark.parametrize("page", [(255, 255, 255), (17, 17, 17)])
def test_signs_have_their_colors_and_zero_that_of_the_page(page):
    (row,) = colors([-2.0, -1.0, 0.0, 1.0, 2.0], images.Scale(-1, 1), page)
    assert tuple(row[2]) == page
    blue, orange = row[1], row[3]
    assert blue[2] > blue[0] + 60
    assert orange[0] > orange[2] + 60
    # Beyond the scale as at its ends.
    assert (row[0] == row[1]).all()
    assert (row[4] == row[3]).all()


def test_nan_and_inf_have_colors_that_no_number_has():
    (row,) = colors([np.nan, np.inf, -np.inf], images.Scale(-1, 1))
    assert [tuple(color) for color in row] == [MAGENTA, GREEN, GREEN]
    (numbers,) = colors(np.linspace(-1, 1, 500), images.Scale(-1, 1))
    for special in (MAGENTA, GREEN):
        assert abs(numbers - special).sum(axis=1).min() > 100


@pytest.mark.parametrize(("page", "sign"), [((255, 255, 255), -1), ((17, 17, 17), 1)])
@pytest.mark.parametrize("scale", [images.Scale(0, 1), images.Scale(-1, 0)])
def test_larger_magnitudes_stand_out_from_the_page(page, sign, scale):
    (row,) = colors(np.linspace(0, scale.low + scale.high, 50), scale, page)
    light = sign * (row @ [0.299, 0.587, 0.114])
    assert (np.diff(light) >= 0).all()
    assert light[-1] > light[0] + 80


def test_one_outlier_does_not_spoil_the_scale():
    values = np.random.default_rng(0).standard_normal(10_000)
    values[5] = 1e6
    scale = images.robust_scale(values)
    assert scale.high == pytest.approx(2.58, abs=0.2)
    assert scale.low == -scale.high
    assert "99 %" in scale.text


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.zeros(5), 0, 1),
        (np.full(5, np.nan), 0, 1),
        (np.linspace(0, 100, 101), 0, 99),
        (np.linspace(50, 60, 101), 50.1, 59.9),
        (-np.linspace(0, 100, 101), -99, 0),
    ],
)
def test_numbers_of_one_sign_have_half_of_the_colors(values, low, high):
    scale = images.robust_scale(values)
    assert (scale.low, scale.high) == (pytest.approx(low), pytest.approx(high))


@given(
    hnp.arrays("f8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)),
    st.integers(1, 12),
    st.integers(1, 12),
)
@settings(deadline=None)
def test_reduced_pictures_retain_nan_and_inf(values, height, width):
    small = images.reduced(values, height, width)
    assert small.shape == (min(height, values.shape[0]), min(width, values.shape[1]))
    assert np.isfinite(small).all() <= np.isfinite(values).all()
    finite = values[np.isfinite(values)]
    if finite.size == values.size and abs(values).max() < 1e200:
        slack = 1e-9 * abs(values).max()
        assert (small >= values.min() - slack).all()
        assert (small <= values.max() + slack).all()
        if values.shape[0] % small.shape[0] == 0 and values.shape[1] % small.shape[1] == 0:
            assert small.mean() == pytest.approx(values.mean(), abs=1e-7 * abs(values).max())


def figure(values, **more):
    """The picture of a tensor, and its caption."""
    card = tensor_card(Tensor("t", "scalar", values.shape, values), **more)
    (found,) = [block for block in card.blocks if isinstance(block, Figure)]
    return found.picture, "".join(phrase.text for phrase in found.caption)


@pytest.mark.parametrize(
    ("shape", "more", "caption"),
    [
        ((1, 24, 32, 32), {}, "channels 0–23 of 24"),
        ((1, 300, 8, 8), {}, "channels 0–23 of 300"),
        ((5, 24, 32, 32), {}, "item 0 of 5, channels 0–23 of 24"),
        ((1, 1, 32, 40), {}, "32 rows, 40 columns"),
        ((1, 32, 40, 3), {}, "channels (last axis) 0–2 of 3"),
        ((24, 3, 5, 5), {"label": "w"}, "slices of filters 0–23 of 72"),
        ((24, 1, 5, 5), {"label": "w"}, "filters 0–23 of 24"),
        ((24, 5, 5, 3), {"label": "w"}, "slices of filters (last axis) 0–23 of 72"),
        ((2, 3, 4, 5, 6), {}, "item 0 of 2, slices 0–11 of 12"),
        ((7, 1000), {}, "7 rows, 1,000 columns"),
        ((1, 1280, 1, 1), {}, "values in order"),
    ],
)
def test_captions_say_what_is_shown(shape, more, caption):
    values = np.random.default_rng(0).standard_normal(shape)
    picture, words = figure(values, **more)
    assert words.startswith(caption)
    assert picture.width <= 800
    assert len(picture.make()) < 70_000


def test_a_grid_holds_each_channel_in_its_place():
    values = np.zeros((1, 4, 50, 50))
    values[0, 1], values[0, 3] = 1.0, -1.0
    picture, _ = figure(values)
    grid = on((255, 255, 255), pixels(picture.make()))
    middle = grid.shape[0] // 2
    quarter = grid.shape[1] // 4
    seen = [grid[middle, quarter * k + quarter // 2, :3] for k in range(4)]
    assert tuple(seen[0]) == tuple(seen[2]) == (255, 255, 255)
    assert seen[1][0] > seen[1][2]
    assert seen[3][2] > seen[3][0]


def test_a_single_nan_in_a_large_map_is_visible():
    values = np.zeros((2000, 1500), np.float32)
    values[::2] = 1
    values[777, 333] = np.nan
    picture, words = figure(values)
    assert (pixels(picture.make())[..., :3] == MAGENTA).all(axis=-1).any()
    assert "magenta NaN" in words


@given(
    hnp.arrays(
        st.sampled_from(["f2", "f4", "f8", "i8", "?"]),
        hnp.array_shapes(min_dims=1, max_dims=5, max_side=6),
    )
)
@settings(deadline=None)
def test_every_array_has_a_card(values):
    card = tensor_card(Tensor("t", "scalar", values.shape, values))
    for block in card.blocks:
        if isinstance(block, Figure):
            assert block.picture.make().startswith("data:image/")
            assert block.picture.width > 0


@given(st.lists(st.integers(0, 1000), max_size=40))
def test_bars_in_characters_follow_the_counts(counts):
    bars = charts.bars(counts, most=40)
    assert len(bars) == len(counts)
    for count, bar in zip(counts, bars, strict=True):
        assert (bar == " ") == (count == 0)
    if any(counts):
        assert bars[counts.index(max(counts))] == "█"
        assert charts.bars(counts, most=12).count("█") >= 1


def test_a_curve_retains_the_peak_of_a_long_vector():
    values = np.zeros(100_000)
    values[54_321] = 5.0
    svg = base64.b64decode(charts.curve(values, "#000000").make().split(",")[1]).decode()
    bars = [part.split("V") for part in svg.split("d='")[-1].split("'")[0].split("M")[1:]]
    tall = [(start, end) for start, end in bars if end == "8"]
    assert len(tall) == 1
    assert float(tall[0][0].split()[0]) == pytest.approx(62 + 534 * 0.54321, abs=3)
    assert ">5<" in svg


def test_a_chart_of_ratios_retains_the_worst_and_names_the_first_difference():
    ratios = [float("inf")] * 5000 + [3.0] + [float("nan")] * 10 + [None] + [60.0] * 5000
    picture = charts.snr_chart(ratios, 5000, "conv<8>")
    svg = base64.b64decode(picture.make().split(",")[1]).decode()
    assert "conv&lt;8&gt;" in svg
    assert "conv<8>" in picture.alt
    assert len(svg) < 20_000
    (point,) = re.findall(r"<circle cx='[\d.]+' cy='([\d.]+)' r='4.5'", svg)
    assert f" {point}" in re.search(r"stroke-width='1.5' d='([^']*)'", svg)[1]


def test_a_break_in_the_ratios_is_a_break_in_the_line():
    svg = charts.snr_chart([80.0, None, 20.0, 10.0], 2, "x").make()
    drawn = base64.b64decode(svg.split(",")[1]).decode()
    assert drawn.count("stroke-width='1.5'") == 2
