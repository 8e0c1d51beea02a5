"""A trace holds the tensors of a run, or those that were asked for."""

import gc
import json
import math
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest

from nnefkit import io
from nnefkit.arrays import mapped_files
from nnefkit.display.statistics import all_finite, statistics
from nnefkit.errors import InputError, StorageError, UnknownNameError
from nnefkit.execution import Session, Trace, trace
from nnefkit.execution.trace import trace as trace_module

TEXT = """
version 1.0;
graph net(image) -> (scores)
{
    image = external<scalar>(shape = [1, 3, 8, 8]);
    kernel = variable<scalar>(shape = [4, 3, 3, 3], label = 'kernel');
    limit = constant<scalar>(value = [0.5], shape = []);
    turned = transpose(kernel, axes = [0, 1, 3, 2]);
    conv1 = conv(image, turned);
    relu1 = relu(conv1);
    clamp1 = clamp(relu1, 0.0, limit);
    [left, right] = split(clamp1, axis = 1, ratios = [1, 3]);
    pooled = mean_reduce(right, axes = [2, 3]);
    scores = softmax(pooled);
}
"""
FLOWING = [
    "image",
    "turned",
    "conv1",
    "relu1",
    "clamp1",
    "left",
    "right",
    "pooled",
    "scores",
]


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(1)
    return io.parse(TEXT).with_data({"kernel": rng.standard_normal((4, 3, 3, 3)).astype("f")})


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(2).standard_normal((1, 3, 8, 8)).astype(np.float32)


def test_a_trace_is_a_mapping_in_the_order_of_the_graph(graph, image):
    traced = trace(graph, image)
    assert list(traced) == FLOWING
    assert len(traced) == len(FLOWING)
    assert {name: array.shape for name, array in traced.items()} == {
        name: graph.tensors[name].shape for name in FLOWING
    }
    np.testing.assert_array_equal(traced["relu1"], np.maximum(traced["conv1"], 0))
    np.testing.assert_array_equal(traced["clamp1"], np.clip(traced["conv1"], 0, 0.5))
    assert traced.graph is graph
    assert traced.engine == "numpy"
    assert list(traced.inputs) == ["image"]
    assert list(traced.outputs) == ["scores"]


def test_weights_can_be_looked_up_but_do_not_flow(graph, image):
    traced = trace(graph, image)
    assert "kernel" in traced
    assert "kernel" not in list(traced)
    np.testing.assert_array_equal(traced["kernel"], graph.tensors["kernel"].data)


def test_the_arrays_of_a_trace_cannot_be_changed(graph, image):
    mine = image.copy()
    traced = trace(graph, mine)
    for array in traced.values():
        assert not array.flags.writeable
    mine[:] = 0
    np.testing.assert_array_equal(traced["image"], image)


def test_an_earlier_trace_keeps_its_values_when_the_session_runs_again(graph, image):
    session = Session(graph)
    first = session.trace(image)
    copies = {name: array.copy() for name, array in first.items()}
    one = session.trace(image * 2)["conv1"]
    kept = one.copy()
    gc.collect()
    session.trace(image * 3)
    session.run(image * 4)
    np.testing.assert_array_equal(one, kept)
    for name, array in first.items():
        np.testing.assert_array_equal(array, copies[name])


def test_unknown_names_are_refused_with_the_nearest(graph, image):
    traced = trace(graph, image)
    with pytest.raises(UnknownNameError, match="Did you mean 'conv1'"):
        traced["cnov1"]
    with pytest.raises(KeyError):
        traced.statistics["nothing_like_it"]
    with pytest.raises(UnknownNameError, match="Did you mean 'relu1'"):
        trace(graph, image, keep=["rleu1"])
    with pytest.raises(UnknownNameError, match=r"graph\.tensors"):
        trace(graph, image, keep=["kernel"])
    assert "cnov1" not in traced
    assert traced.get("cnov1") is None


def test_every_operation_that_ran_was_timed(graph, image):
    traced = trace(graph, image)
    timed = {"turned", "conv1", "relu1", "clamp1", "left", "pooled", "scores"}
    assert set(traced.seconds) == timed
    assert traced.seconds["turned"] == 0
    assert all(traced.seconds[name] > 0 for name in timed - {"turned"})
    assert sum(traced.seconds.values()) < traced.run.total


KEEPS = [
    ("conv1", ["conv1"]),
    (["scores", "conv1"], ["conv1", "scores"]),
    (lambda name: name.endswith("1"), ["conv1", "relu1", "clamp1"]),
    ([], []),
]


@pytest.mark.parametrize(("keep", "kept"), KEEPS)
def test_only_requested_tensors_are_recorded(graph, image, keep, kept):
    full = trace(graph, image)
    traced = trace(graph, image, keep=keep)
    assert list(traced) == kept
    for name in kept:
        np.testing.assert_array_equal(traced[name], full[name])
    with pytest.raises(UnknownNameError, match=r"keep=\['pooled'\]"):
        traced["pooled"]


def test_statistics_cover_all_tensors_even_without_values(graph, image):
    full = trace(graph, image)
    traced = trace(graph, image, keep="statistics")
    assert list(traced) == []
    assert list(traced.statistics) == FLOWING
    assert dict(traced.statistics) == dict(full.statistics)
    assert traced.statistics["conv1"] == statistics(full["conv1"])
    with pytest.raises(UnknownNameError, match=r"trace\.statistics\['conv1'\]"):
        traced["conv1"]


def test_spilled_values_are_in_files_as_long_as_the_trace_exists(graph, image, tmp_path):
    full = trace(graph, image)
    traced = trace(graph, image, spill=tmp_path / "spill")
    again = trace(graph, image, spill=tmp_path / "spill")
    for name, array in full.items():
        np.testing.assert_array_equal(traced[name], array)
        assert mapped_files([traced[name]])
    assert len(list((tmp_path / "spill").iterdir())) == 2
    del traced
    gc.collect()
    assert len(list((tmp_path / "spill").iterdir())) == 1
    np.testing.assert_array_equal(again["conv1"], full["conv1"])


def test_the_frame_has_a_row_for_each_tensor(graph, image):
    frame = trace(graph, image, keep=["conv1", "scores"]).to_frame()
    assert list(frame.index) == FLOWING
    assert frame.loc["conv1", "operation"] == "conv"
    assert frame.loc["conv1", "shape"] == (1, 4, 8, 8)
    assert frame.loc["scores", "maximum"] <= 1
    assert math.isnan(frame.loc["relu1", "mean"])
    assert frame.loc["conv1", "seconds"] > 0


def test_displays_name_the_graph_and_its_tensors(graph, image):
    traced = trace(graph, image)
    assert "net" in repr(traced)
    assert "conv1" in repr(traced)
    assert "conv1" in traced._repr_html_()


# -- files ------------------------------------------------------------------------------------


def test_a_saved_trace_is_read_back_bit_by_bit(graph, image, tmp_path):
    traced = trace(graph, image, keep=lambda name: name != "relu1")
    traced.save(tmp_path / "run.npz")
    for loaded in (Trace.load(tmp_path / "run.npz"), Trace.load(tmp_path / "run.npz", graph)):
        assert list(loaded) == list(traced)
        for name, array in traced.items():
            np.testing.assert_array_equal(loaded[name], array)
            assert loaded[name].dtype == array.dtype
        assert loaded.seconds == traced.seconds
        pd.testing.assert_frame_equal(loaded.to_frame(), traced.to_frame())
        assert repr(loaded) == repr(traced)
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


def test_statistics_without_values_are_saved_too(graph, image, tmp_path):
    traced = trace(graph, image, keep="statistics")
    traced.save(tmp_path / "run.npz")
    assert dict(Trace.load(tmp_path / "run.npz").statistics) == dict(traced.statistics)


def test_numpy_reads_a_saved_trace(graph, image, tmp_path):
    traced = trace(graph, image)
    traced.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as arrays:
        np.testing.assert_array_equal(arrays["conv1"], traced["conv1"])


def test_values_that_are_not_finite_survive_saving(tmp_path):
    text = "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [3]); y = log(x); }"
    traced = trace(io.parse(text), [0.0, -1.0, 1.0], keep="statistics")
    traced.save(tmp_path / "run.npz")
    loaded = Trace.load(tmp_path / "run.npz").statistics["y"]
    assert (loaded.nan, loaded.infinite, loaded.finite) == (1, 1, False)


def test_a_failed_save_leaves_the_old_file_whole(graph, image, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    traced = trace(graph, image)
    traced.save(path)
    before = path.read_bytes()

    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full_disk)
    with pytest.raises(StorageError, match="no space left"):
        traced.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def hostile_files(folder, good):
    yield "missing", folder / "missing.npz"
    for name, content in [("empty", b""), ("garbage", b"\x00\xff" * 99), ("cut", good[:300])]:
        path = folder / f"{name}.npz"
        path.write_bytes(content)
        yield name, path
    for name, members in [
        ("no_description", {"x.npy": b"123"}),
        ("no_json", {"trace.json": b"{"}),
        ("list", {"trace.json": b"[]"}),
        ("no_version", {"trace.json": b"{}"}),
        ("newer", {"trace.json": json.dumps({"nnefkit-trace": 99}).encode()}),
        ("no_run", {"trace.json": json.dumps({"nnefkit-trace": 1}).encode()}),
    ]:
        path = folder / f"{name}.npz"
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        yield name, path


def test_files_that_are_not_traces_are_refused_by_name(graph, image, tmp_path):
    trace(graph, image).save(tmp_path / "good.npz")
    for name, path in hostile_files(tmp_path, (tmp_path / "good.npz").read_bytes()):
        with pytest.raises(StorageError) as caught:
            Trace.load(path)
        assert caught.value.diagnostics[0].file == str(path), name


def test_reading_a_trace_runs_no_code(graph, image, tmp_path):
    path = tmp_path / "run.npz"
    trace(graph, image, keep=["conv1"]).save(path)
    with zipfile.ZipFile(path) as archive:
        description = archive.read("trace.json")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("trace.json", description)
        with archive.open("conv1.npy", "w") as member:
            member.write(np.lib.format.magic(1, 0))
            header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
            member.write(len(header).to_bytes(2, "little") + header + pickle.dumps([print]))
    with pytest.raises(StorageError):
        Trace.load(path)


def test_a_trace_of_another_graph_is_refused(graph, image, tmp_path):
    trace(graph, image).save(tmp_path / "run.npz")
    text = "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [3]); y = log(x); }"
    with pytest.raises(InputError, match="not of graph 'g'"):
        Trace.load(tmp_path / "run.npz", io.parse(text))


def test_a_card_computes_statistics_only_for_shown_tensors(monkeypatch):
    lines = [f"t{i} = relu({'x' if i == 0 else f't{i - 1}'});" for i in range(200)]
    text = "version 1.0; graph long(x) -> (y) { x = external(shape = [4]); "
    graph = io.parse(text + " ".join(lines) + " y = exp(t199); }")
    traced = trace(graph, np.float32([1, 2, 3, 1000]))
    computed = []
    monkeypatch.setattr(
        trace_module, "statistics", lambda x, **how: computed.append(x) or statistics(x, **how)
    )
    page = traced._repr_html_()
    assert "202 checked · 1 with NaN or Inf" in page
    assert "1 Inf" in page
    assert 0 < len(computed) < 60
    assert all_finite(np.full(10, 3e38, np.float32)), "only the sum overflows"
