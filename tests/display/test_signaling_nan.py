"""Signaling NaN, such as arbitrary bytes may be: shown, stored and run without a warning."""

import warnings

import numpy as np
import pytest

import nnefkit as nk

BITS = {
    np.float16: (np.uint16, 0x7D00),
    np.float32: (np.uint32, 0x7FA00000),
    np.float64: (np.uint64, 0x7FF4000000000000),
}
GRAPH = (
    "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 3, 8, 8]);"
    " w = variable(shape = [4, 3, 3, 3], label = 'w'); c = conv(x, w, 0.0); y = relu(c); }"
)


def signaling(dtype, shape):
    """Return ones of which a third are signaling NaN and a seventh are infinite."""
    unsigned, bits = BITS[dtype]
    array = np.ones(shape, dtype)
    array.reshape(-1)[1::7] = np.inf
    array.view(unsigned).reshape(-1)[::3] = bits
    return array


@pytest.fixture(autouse=True)
def errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("dtype", BITS)
@pytest.mark.parametrize("shape", [(5,), (2, 3, 300, 300), (8, 3, 5, 5), (300_000,)])
def test_cards_and_plots_of_tensors(dtype, shape):
    plt = pytest.importorskip("matplotlib.pyplot")
    array = signaling(dtype, shape)
    nk.compare({"a": array}, {"a": array})._repr_html_()
    drawn = [nk.plot.histogram(array)]
    if len(shape) == 4:
        drawn += [nk.plot.filters(array), nk.plot.feature_maps(array)]
        drawn += [nk.plot.heat_map(array[0, 0])]
    assert all(ax is not None for ax in drawn)
    plt.close("all")


@pytest.mark.parametrize("dtype", BITS)
def test_weights_and_traces(dtype, tmp_path):
    graph = nk.parse(GRAPH).with_data({"w": signaling(dtype, (4, 3, 3, 3))})
    trace = nk.trace(graph, signaling(dtype, (1, 3, 8, 8)))
    trace.save(tmp_path / "trace.npz")
    loaded = nk.Trace.load(tmp_path / "trace.npz")
    for shown in (graph, nk.validate(graph), trace, loaded, nk.compare(trace, loaded)):
        assert "NaN" in shown._repr_html_()
    assert loaded.statistics["x"].nan == 64
    nk.save(graph, tmp_path / "model")
    assert np.isnan(nk.load(tmp_path / "model").tensor("w").data).sum() == 36


def test_colors_of_filters_with_infinite_values_keep_their_scale():
    plt = pytest.importorskip("matplotlib.pyplot")
    filters = np.zeros((1, 3, 2, 2))
    filters[0, :, 0, 0] = [2.0, -1.0, np.inf]
    filters[0, :, 1, 1] = [-np.inf, np.nan, 1.0]
    drawn = np.asarray(nk.plot.filters(filters).images[0].get_array())
    colors = {tuple(color) for color in drawn.reshape(-1, 4).tolist() if color[3] == 255}
    assert colors == {(255, 64, 255, 255), (0, 128, 191, 255), (128, 128, 128, 255)}
    plt.close("all")
