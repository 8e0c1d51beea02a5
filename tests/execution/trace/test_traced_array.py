"""What a trace returns by name is an array, and shows itself as the card of its tensor."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import weakref

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

import nnefkit as nk

GRAPH = nk.parse(
    "version 1.0; graph net(x) -> (z) { x = external(shape = [1, 2, 3, 3]);"
    " w = variable(shape = [1, 2, 1, 1], label = 'w'); y = mul(x, w); z = relu(y); }"
).with_data({"w": np.array([[[[2.0]], [[-1.0]]]], np.float32)})
X = np.arange(18, dtype=np.float32).reshape(1, 2, 3, 3)


@pytest.fixture
def trace() -> nk.Trace:
    return nk.trace(GRAPH, X)


@pytest.mark.parametrize("name", ["x", "w", "y", "z"])
def test_a_notebook_shows_the_card_of_the_tensor(trace: nk.Trace, name: str) -> None:
    assert trace[name]._repr_html_() == trace.tensor(name)._repr_html_()
    assert f">{name}<" in trace[name]._repr_html_()
    for each in (trace.inputs, trace.outputs, dict(trace.items())):
        if name in each:
            assert each[name]._repr_html_() == trace.tensor(name)._repr_html_()


def test_a_terminal_shows_the_array(trace: nk.Trace) -> None:
    plain = np.maximum(X * np.array([2.0, -1.0], np.float32).reshape(1, 2, 1, 1), 0)
    assert repr(trace["z"]) == repr(plain)
    assert str(trace["z"]) == str(plain)


def test_it_is_an_array_for_numpy_and_others(trace: nk.Trace) -> None:
    y = trace["y"]
    assert isinstance(y, np.ndarray)
    assert not y.flags.writeable
    assert np.shares_memory(y, trace["y"])
    np.testing.assert_array_equal(torch.from_numpy(y.copy()).numpy(), y)
    np.testing.assert_array_equal(torch.tensor(y).numpy(), y)
    assert pd.Series(y.ravel()).sum() == y.sum()
    assert onnxruntime.OrtValue.ortvalue_from_numpy(y).numpy().tolist() == y.tolist()
    file = io.BytesIO()
    np.save(file, y)
    file.seek(0)
    assert type(np.load(file)) is np.ndarray
    assert nk.run(GRAPH, trace["x"])["z"].tolist() == trace["z"].tolist()
    assert nk.compare(trace, dict(trace)).equal


@pytest.mark.parametrize(
    "compute",
    [
        lambda y: y + 1,
        lambda y: y == y,
        lambda y: np.exp(y),
        lambda y: y.mean(axis=1),
        lambda y: np.add.reduce(y, axis=0),
        lambda y: y @ np.ones((3, 3)),
        lambda y: pickle.loads(pickle.dumps(y)),
        lambda y: pickle.loads(pickle.dumps(y, protocol=2)),
        lambda y: np.asarray(y),
    ],
)
def test_what_is_computed_from_it_is_a_plain_array(trace: nk.Trace, compute) -> None:
    expected = compute(np.array(trace["y"]))
    found = compute(trace["y"])
    assert type(found) is np.ndarray
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("compute", [np.sum, np.max, lambda y: y.mean(), lambda y: y[0, 0, 0, 0]])
def test_single_numbers_are_single_numbers(trace: nk.Trace, compute) -> None:
    found = compute(trace["y"])
    assert type(found) is np.float32
    assert found == compute(np.array(trace["y"]))


def test_a_part_is_shown_as_a_part(trace: nk.Trace) -> None:
    for part in (trace["y"][0], trace["y"].reshape(-1), trace["y"].copy(), trace["y"].T):
        assert part._repr_html_() is None
        assert isinstance(part, np.ndarray)
        assert repr(part).startswith("array(")
    assert isinstance(copy.deepcopy(trace["y"]), np.ndarray)


def test_an_array_does_not_keep_the_trace_alive() -> None:
    trace = nk.trace(GRAPH, X)
    y, gone = trace["y"], weakref.ref(trace)
    card = y._repr_html_()
    del trace
    gc.collect()
    assert gone() is None
    assert ">y<" in y._repr_html_()
    assert len(y._repr_html_()) > len(card) / 2


def test_a_trace_draws_tensors_and_times() -> None:
    trace = nk.trace(GRAPH, X)
    assert "in total" in trace.plot().get_title(loc="left")
    assert trace.plot("y").get_title(loc="left") == "y"
    given = trace.plot().figure.subplots()
    assert trace.plot("y", given, title="mine") is given
    with pytest.raises(nk.UnknownNameError, match="Did you mean"):
        trace.plot("yy")


@pytest.mark.parametrize(
    ("shape", "function"),
    [
        ((1, 3, 8, 8), "feature_maps"),
        ((3, 8, 8), "feature_maps"),
        ((8, 9), "heat_map"),
        ((1, 9), "histogram"),
        ((9,), "histogram"),
        ((), "histogram"),
        ((1, 8, 1, 1), "histogram"),
        ((1, 2, 3, 4, 5), "histogram"),
    ],
)
def test_each_shape_has_a_picture(shape, function) -> None:
    from nnefkit.plot.tensors import picture_of

    assert picture_of(shape) is getattr(nk.plot, function)
    picture_of(shape)(np.ones(shape))


def test_other_names_lead_to_the_call() -> None:
    trace = nk.trace(GRAPH, X)
    with pytest.raises(AttributeError, match=r"nnefkit.compare\(trace, other\)"):
        trace.compare  # noqa: B018
    with pytest.raises(AttributeError, match=r"Use trace\['y'\]"):
        trace.y  # noqa: B018
    with pytest.raises(AttributeError, match="Did you mean 'statistics'"):
        trace.statistic  # noqa: B018
    assert list(copy.copy(trace)) == list(trace)
