"""Operations whose formulas changed since 2017 compute what the provisional text specifies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import nnefkit as nk

Array = NDArray[np.float64]
SHAPE = (2, 3, 5, 7)


def box_3x3(x: Array) -> Array:
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    return sliding_window_view(padded, (3, 3), axis=(2, 3)).sum(axis=(-1, -2)) / 9


def local_variance(x: Array) -> Array:
    return x / np.sqrt(box_3x3(x**2) + 0.25)


def local_contrast(x: Array) -> Array:
    return local_variance(x - box_3x3(x))


def response(x: Array) -> Array:
    padded = np.pad(x**2, [(0, 0), (1, 1), (0, 0), (0, 0)])
    energy = sliding_window_view(padded, 3, axis=1).sum(axis=-1) / 3
    return x / (2.0 + 0.5 * energy) ** 0.75


def linear_quantize(x: Array) -> Array:
    r = (2**3 - 1) / (1.5 - -1.0)
    return np.floor((np.clip(x, -1.0, 1.5) - -1.0) * r + 0.5) / r + -1.0


def logarithmic_quantize(x: Array) -> Array:
    most = 2.0 ** np.ceil(np.log2(1.5))
    least = 2.0 ** (np.log2(most) - 3)
    return 2.0 ** np.floor(np.log2(np.clip(x, least, most) / least) + 0.5)


# (section of the provisional text, assignment, its formula)
FORMULAE: list[tuple[str, str, Callable[[Array], Array]]] = [
    ("4.2.4", "rsqr(x)", lambda x: x**-2.0),
    ("4.2.4", "clamp(x, -0.5, 0.5)", lambda x: np.clip(x, -0.5, 0.5)),
    ("4.4", "sum_reduce(x, axes = [1, 7])", lambda x: x.sum(1, keepdims=True)),
    ("4.5.2", "transpose(x, perm = [1, 2, 0])", lambda x: x.transpose(1, 2, 0, 3)),
    ("4.8.1", "elu(x)", lambda x: np.where(x < 0, np.exp(x) - 1, x)),
    ("4.8.1", "softplus(x)", lambda x: np.log(np.exp(x) + 1)),
    ("4.8.1", "tanh(x)", np.tanh),
    (
        "4.8.4",
        "local_response_normalization(x, size = [1, 3], alpha = 0.5, beta = 0.75, bias = 2.0)",
        response,
    ),
    ("4.8.4", "local_mean_normalization(x, size = [1, 1, 3, 3])", lambda x: x - box_3x3(x)),
    ("4.8.4", "local_variance_normalization(x, size = [1, 1, 3, 3], bias = 0.25)", local_variance),
    ("4.8.4", "local_contrast_normalization(x, size = [1, 1, 3, 3], bias = 0.25)", local_contrast),
    (
        "4.8.4",
        "l1_normalization(x, axes = [1], bias = 0.5)",
        lambda x: x / (np.abs(x).sum(1, keepdims=True) + 0.5),
    ),
    (
        "4.8.4",
        "l1_normalization(x, axes = [1, 2, 3], bias = -99.5)",
        lambda x: x / (np.abs(x).sum((1, 2, 3), keepdims=True) - 99.5),
    ),
    (
        "4.8.4",
        "l2_normalization(x, axes = [1], bias = 0.5)",
        lambda x: x / np.sqrt((x**2).sum(1, keepdims=True) + 0.5),
    ),
    ("4.8.5", "linear_quantize(x, min = -1.0, max = 1.5, bits = 3)", linear_quantize),
    ("4.8.5", "logarithmic_quantize(x, max = 1.5, bits = 3)", logarithmic_quantize),
]


@pytest.mark.parametrize(("section", "written", "formula"), FORMULAE)
def test_results_are_those_of_the_provisional_text(
    section: str, written: str, formula: Callable[[Array], Array]
) -> None:
    assert section
    text = (
        "version 1.0\ngraph net( x ) -> ( y )\n"
        f"{{\n    x = external(shape = {[*SHAPE]})\n    y = {written}\n}}\n"
    )
    x = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    found = nk.run(nk.parse(text), {"x": x})["y"]
    np.testing.assert_allclose(found, formula(x.astype(np.float64)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("extent", [4, 5, 6, 7])
@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_an_omitted_trailing_padding_is_computed(extent: int, window: int, stride: int) -> None:
    # Section 4.3: the extent becomes ceil(X / s), and the larger half of the padding comes last.
    text = (
        f"version 1.0\ngraph net( x ) -> ( y )\n{{\n    x = external(shape = [1, 1, {extent}])\n"
        f"    y = box(x, size = [1, 1, {window}], stride = [1, 1, {stride}],"
        " padding = [(0,0), (0,0)])\n}\n"
    )
    x = np.arange(1, extent + 1, dtype=np.float32)
    found = nk.run(nk.parse(text), {"x": x.reshape(1, 1, -1)})["y"].reshape(-1)
    count = -(-extent // stride)
    total = max((count - 1) * stride + window - extent, 0)
    padded = np.concatenate([np.zeros(total // 2), x, np.zeros(total - total // 2)])
    windows = [padded[i * stride : i * stride + window].sum() for i in range(count)]
    np.testing.assert_array_equal(found, windows)


def test_planes_are_convolved_one_by_one() -> None:
    # Section 4.8.2, with two outputs for each plane.
    text = (
        "version 1.0\ngraph net( x ) -> ( y )\n{\n    x = external(shape = [1, 2, 4, 4])\n"
        "    f = constant(shape = [4, 1, 2, 2], value = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0,"
        " 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0])\n"
        "    y = planewise_conv(x, f, padding = [(0,0), (0,0)])\n}\n"
    )
    x = np.random.default_rng(2).normal(size=(1, 2, 4, 4)).astype(np.float32)
    weights = np.arange(1.0, 17.0).reshape(4, 2, 2)
    planes = sliding_window_view(x[0].astype(np.float64), (2, 2), axis=(1, 2))
    expected = [np.einsum("ijkl,kl->ij", planes[c // 2], weights[c]) for c in range(4)]
    found = nk.run(nk.parse(text), {"x": x})["y"][0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_matrices_can_have_trailing_extents_of_1() -> None:
    text = (
        "version 1.0\ngraph net( x ) -> ( y )\n{\n    x = external(shape = [2, 3, 1, 1])\n"
        "    v = constant(shape = [3], value = [1.0, 2.0, 3.0])\n    y = matmul(x, v)\n}\n"
    )
    x = np.arange(6, dtype=np.float32).reshape(2, 3, 1, 1)
    found = nk.run(nk.parse(text), {"x": x})["y"]
    np.testing.assert_array_equal(found, [[8.0], [26.0]])
