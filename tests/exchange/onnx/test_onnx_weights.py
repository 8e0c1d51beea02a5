"""Weights of ONNX models: in memory once, shared, in the file or next to it."""

import subprocess
import sys
import textwrap

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import nnefkit as nk
from nnefkit.exchange.onnx import to_onnx as writing

RNG = np.random.default_rng(0)
SIZE = 256


def weight(*shape):
    return (RNG.standard_normal(shape) / 16).astype(np.float32)


def model(nodes, weights, inputs=(("x", [2, SIZE]),), outputs=("y",)):
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def layers(count=3):
    """Return a model of some layers, each with its own weights."""
    nodes = [
        helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}"])
        for i in range(count)
    ]
    nodes.append(helper.make_node("Tanh", [f"h{count}"], ["y"]))
    return model(nodes, {f"w{i}": weight(SIZE, SIZE) for i in range(count)})


def elements(graph):
    return sum(v.data.size for v in graph.variables)


# -- shared weights --------------------------------------------------------------------------------


def test_an_identity_of_a_weight_is_the_same_variable():
    nodes = [
        helper.make_node("Identity", ["w"], ["w_1"]),
        helper.make_node("Identity", ["w_1"], ["w_2"]),
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "w_1"], ["b"]),
        helper.make_node("MatMul", ["b", "w_2"], ["y"]),
    ]
    graph = nk.from_onnx(model(nodes, {"w": weight(SIZE, SIZE)}))
    assert len(graph.variables) == 1
    written = nk.to_onnx(graph)
    assert [tensor.name for tensor in written.graph.initializer] == ["w"]


def test_an_identity_of_a_bias_is_the_same_variable():
    nodes = [
        helper.make_node("Identity", ["b"], ["b_1"]),
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Mul", ["a", "b_1"], ["y"]),
    ]
    assert len(nk.from_onnx(model(nodes, {"b": weight(SIZE)})).variables) == 1


@pytest.mark.parametrize("kind", ["Transpose", "Cast", "Neg"])
def test_what_several_nodes_compute_from_a_weight_is_stored_once(kind):
    more = {"to": TensorProto.FLOAT} if kind == "Cast" else {}
    nodes = [
        helper.make_node(kind, ["w"], ["w_1"], **more),
        helper.make_node(kind, ["w"], ["w_2"], **more),
        helper.make_node("MatMul", ["x", "w_1"], ["a"]),
        helper.make_node("MatMul", ["a", "w_2"], ["y"]),
    ]
    w = weight(SIZE, SIZE).astype(np.float16 if kind == "Cast" else np.float32)
    graph = nk.from_onnx(model(nodes, {"w": w}))
    assert elements(graph) == SIZE * SIZE


def test_a_weight_that_is_read_as_it_is_and_transposed_is_stored_once():
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("MatMul", ["a", "t"], ["y"]),
    ]
    w = weight(SIZE, SIZE)
    graph = nk.from_onnx(model(nodes, {"w": w}))
    assert elements(graph) == SIZE * SIZE
    x = weight(2, SIZE)
    np.testing.assert_allclose(nk.run(graph, x)["y"], x @ w @ w.T, rtol=1e-4, atol=1e-5)


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["message", "bytes", "file", "external", "one file"])
def test_weights_are_read_from_every_form(tmp_path, form):
    net = layers()
    arrays = {t.name: numpy_helper.to_array(t) for t in net.graph.initializer}
    path = tmp_path / "net.onnx"
    source = {"message": net, "bytes": net.SerializeToString()}.get(form, path)
    if form == "file":
        onnx.save(net, path)
    elif source is path:
        onnx.save(net, path, save_as_external_data=True, all_tensors_to_one_file=form != "external")
        assert len([*tmp_path.iterdir()]) == (2 if form == "one file" else 4)
    graph = nk.from_onnx(source)
    for name, array in arrays.items():
        np.testing.assert_array_equal(graph.tensors[name].data, array)


@pytest.mark.parametrize("dtype", ["f2", "f8", "i1", "u1", "i4", "i8", "?"])
def test_weights_of_every_type_are_read_from_a_file(tmp_path, dtype):
    data = RNG.integers(0, 2, (3, 200_000)).astype(dtype)
    nodes = [
        helper.make_node("Gather", ["w", "k"], ["row"], axis=1),
        helper.make_node("Cast", ["row"], ["part"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["part", "x"], ["y"]),
    ]
    net = model(nodes, {"w": data, "k": np.array([1, 5])}, [("x", [3, 1])])
    onnx.save(net, tmp_path / "net.onnx")
    x = np.array([[1], [2], [3]], np.float32)
    result = nk.run(nk.from_onnx(tmp_path / "net.onnx"), x)["y"]
    np.testing.assert_array_equal(result, data[:, [1, 5]].astype(np.float32) * x)


def test_the_file_holds_the_same_as_the_message(tmp_path):
    graph = nk.from_onnx(layers())
    written = nk.to_onnx(graph, tmp_path / "net.onnx")
    assert onnx.load(tmp_path / "net.onnx") == written
    onnx.checker.check_model(tmp_path / "net.onnx", full_check=True)


def test_large_models_store_their_weights_in_a_file_next_to_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[writing.__module__], "MAX_BYTES", 100_000)
    graph = nk.from_onnx(layers())
    path = tmp_path / "net.onnx"
    nk.to_onnx(graph, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "net.onnx.data"]
    assert path.stat().st_size < 10_000
    onnx.checker.check_model(path)
    again = nk.from_onnx(path)
    for variable in graph.variables:
        np.testing.assert_array_equal(again.tensors[variable.name].data, variable.data)
    for name, array in nk.run(graph, weight(2, SIZE)).items():
        assert name == "y"
        assert array.shape == (2, SIZE)
    with pytest.raises(nk.NnefError, match="in memory holds less than 2 GiB"):
        nk.to_onnx(graph)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"location": "../secret"}, "points outside"),
        ({"location": "/etc/passwd"}, "absolute path"),
        ({"location": ""}, "points outside"),
        ({"location": "missing"}, "No such file"),
        ({"offset": "7000000"}, "too short"),
        ({"offset": "-4"}, "offset"),
        ({"length": "12"}, "12 bytes instead of"),
        ({"length": "many"}, "not numbers"),
    ],
)
def test_broken_references_to_weights_are_refused(tmp_path, change, reason):
    path = tmp_path / "net.onnx"
    onnx.save(layers(), path, save_as_external_data=True, location="data")
    net = onnx.load(path, load_external_data=False)
    entries = {entry.key: entry.value for entry in net.graph.initializer[1].external_data} | change
    del net.graph.initializer[1].external_data[:]
    for key, value in entries.items():
        net.graph.initializer[1].external_data.add(key=key, value=value)
    path.write_bytes(net.SerializeToString())
    with pytest.raises(nk.StorageError, match=reason):
        nk.from_onnx(path)


def test_cut_files_are_refused(tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(layers(), path)
    data = path.read_bytes()
    for length in (*range(1, 400, 7), 70_000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(nk.NnefError):
            nk.from_onnx(path)


# -- memory ----------------------------------------------------------------------------------------

_MEASURED = """
import sys
import threading
import numpy as np
import nnefkit as nk

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

path, call, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
small = nk.from_onnx(path + "/small.onnx")
nk.to_onnx(small)
source = path + "/large.onnx"
if call == "bytes":
    source = open(source, "rb").read()
graph = nk.from_onnx(source) if call == "to" else None
before, peak, done = resident(), [0], threading.Event()

def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], resident())

thread = threading.Thread(target=watch)
thread.start()
result = nk.to_onnx(graph) if call == "to" else nk.from_onnx(source)
done.set()
thread.join()
print((peak[0] - before) / count)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("call", ["from", "bytes", "to"])
def test_weights_take_at_most_one_and_a_half_times_their_size(tmp_path, call):
    side = 1536
    nodes = [
        helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"h{i + 1}"])
        for i in range(12)
    ]
    nodes.append(helper.make_node("Tanh", ["h12"], ["y"]))
    weights = {f"w{i}": weight(side, side) / 8 for i in range(12)}
    onnx.save(model(nodes, weights, [("x", [1, side])]), tmp_path / "large.onnx")
    onnx.save(layers(), tmp_path / "small.onnx")
    size = 12 * side * side * 4
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_MEASURED), str(tmp_path), call, str(size)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) <= 1.5
