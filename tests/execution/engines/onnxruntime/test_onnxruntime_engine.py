"""The onnxruntime engine with networks, sessions and traces; lowering to ONNX models."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import nnefkit as nk
from nnefkit.errors import ExecutionError, InputError, MissingPackageError
from nnefkit.execution import Session, engine, run, trace
from nnefkit.execution.engine_list import find_engine
from nnefkit.execution.engines import onnxruntime as package
from nnefkit.execution.engines.onnxruntime.graph_lowering import lower_graph
from nnefkit.execution.engines.onnxruntime.lowered_model import exported_model, make_model

MODELS = Path(__file__).parents[3] / "models"


def parsed(body, inputs="x", outputs="y"):
    head = "version 1.0;\nextension KHR_enable_operator_expressions;\n"
    return nk.parse(f"{head}graph net({inputs}) -> ({outputs})\n{{\n{body}\n}}")


@pytest.fixture(scope="module")
def efficientnet():
    folder = MODELS / "efficientnet_lite0"
    return nk.load(folder / "efficientnet_lite0.nnef.tgz"), np.load(folder / "io.npz")


@pytest.fixture(scope="module")
def blazeface():
    folder = MODELS / "blazeface_front"
    return nk.load(folder / "blazeface_front.nnef"), np.load(folder / "io.npz")


def direct(proto):
    onnx.checker.check_model(proto, full_check=True)
    return onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )


# -- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("photo", ["cat", "coffee"])
def test_efficientnet_agrees_with_numpy_and_pytorch(efficientnet, photo):
    graph, recorded = efficientnet
    image = recorded[f"{photo}_external1"]
    logits = run(graph, image, engine="onnxruntime")["linear1"]
    np.testing.assert_allclose(logits, run(graph, image)["linear1"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(logits, recorded[f"{photo}_linear1"], rtol=0, atol=1e-4)


def test_blazeface_agrees_with_numpy_and_litert(blazeface):
    graph, recorded = blazeface
    image = recorded["external1"]
    results = run(graph, image, engine="onnxruntime")
    assert list(results) == ["concat2", "concat1"]
    for name, array in run(graph, image).items():
        np.testing.assert_allclose(results[name], array, rtol=0, atol=5e-4)
        np.testing.assert_allclose(results[name], recorded[name], rtol=0, atol=2e-3)


@pytest.mark.parametrize("network", ["efficientnet", "blazeface"])
def test_a_trace_has_every_tensor_that_numpy_has(network, request):
    graph, recorded = request.getfixturevalue(network)
    image = recorded["cat_external1" if network == "efficientnet" else "external1"]
    expected = trace(graph, image)
    found = trace(graph, image, engine="onnxruntime")
    assert found.engine == "onnxruntime"
    assert list(found) == list(expected)
    for name, array in expected.items():
        scale = np.abs(array).max()
        np.testing.assert_allclose(found[name], array, rtol=0, atol=3e-5 * scale, err_msg=name)
    assert all(math.isnan(seconds) for seconds in found.seconds.values())


# -- tensors to fetch --------------------------------------------------------------------------

WEIGHTED = """
x = external<scalar>(shape = [2, 3]);
v = variable<scalar>(shape = [1, 3], label = 'v');
c = constant<scalar>(shape = [1, 3], value = [0.5]);
w = v * c;
z = copy(x);
zz = copy(z);
y = zz + w;
"""


def test_weights_inputs_and_copies_can_be_fetched_and_share_no_memory():
    weights = np.arange(3, dtype=np.float32)[None]
    graph = parsed(WEIGHTED).with_data({"v": weights})
    x = np.ones((2, 3), np.float32)
    names = ["x", "v", "c", "w", "z", "zz", "y"]
    session = Session(graph, "onnxruntime")
    results = session.run(x, outputs=names)
    assert list(results) == names
    for name, array in Session(graph).run(x, outputs=names).items():
        np.testing.assert_array_equal(results[name], array)
    for name in names:
        results[name] += 100
    again = session.run(x, outputs=names)
    np.testing.assert_array_equal(again["y"], 1 + weights * 0.5 + np.zeros((2, 1)))
    np.testing.assert_array_equal(x, 1)


def test_nothing_but_weights_needs_no_model():
    graph = parsed(WEIGHTED).with_data({"v": np.ones((1, 3), np.float32)})
    results = Session(graph, "onnxruntime").run(np.ones((2, 3), np.float32), outputs=["v"])
    np.testing.assert_array_equal(results["v"], np.ones((1, 3)))


# -- sessions -------------------------------------------------------------------------------------

COUNTER = """
x = external<scalar>(shape = [2]);
state = variable<scalar>(shape = [2], label = 'state');
next = state * 0.5 + x;
kept = update(state, next);
y = next + state;
"""


def test_variables_keep_their_values_from_run_to_run():
    graph = parsed(COUNTER).with_data({"state": np.zeros(2, np.float32)})
    session, reference = Session(graph, "onnxruntime"), Session(graph)
    for step in range(4):
        x = np.array([step, 1], np.float32)
        np.testing.assert_allclose(session.run(x)["y"], reference.run(x)["y"], rtol=1e-6)
        np.testing.assert_allclose(
            session.variables["state"], reference.variables["state"], rtol=1e-6
        )
    session.reset()
    np.testing.assert_array_equal(session.variables["state"], 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_results_have_the_precision_of_the_reference(dtype):
    graph = parsed(WEIGHTED).with_data({"v": np.full((1, 3), 0.1, dtype)})
    x = np.ones((2, 3), dtype)
    found, expected = run(graph, x, "onnxruntime")["y"], run(graph, x)["y"]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def test_the_number_of_threads_can_be_chosen(efficientnet):
    graph, recorded = efficientnet
    image = recorded["cat_external1"]
    one, two = (Session(graph, "onnxruntime", threads=n).run(image)["linear1"] for n in (1, 2))
    np.testing.assert_allclose(one, two, rtol=0, atol=2e-5)
    with pytest.raises(InputError, match="from 1 to 1,024"):
        Session(graph, "onnxruntime", threads=0)


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [-1, 3])
def test_a_failing_operation_is_named_with_its_line(index):
    graph = parsed(
        "x = external<integer>(shape = [1]);\n"
        "t = constant<scalar>(shape = [3], value = [1.0, 2.0, 3.0]);\n"
        "y = gather(t, x);"
    )
    with pytest.raises(ExecutionError, match=r"'gather', which computes 'y'") as caught:
        run(graph, np.array([index]), engine="onnxruntime")
    assert caught.value.diagnostics[0].line == 7


def test_a_zero_pad_before_a_maximum_stays_a_zero():
    # ONNX Runtime merges both into a maximum that ignores the zeros.
    graph = parsed(
        "x = external<scalar>(shape = [1, 1, 4]);\n"
        "p = pad(x, padding = [(0, 0), (0, 0), (1, 1)]);\n"
        "y = max_pool(p, size = [1, 1, 2], padding = [(0, 0), (0, 0), (0, 0)]);"
    )
    x = np.full((1, 1, 4), -1, np.float32)
    expected = [[[0, -1, -1, -1, 0]]]
    np.testing.assert_array_equal(run(graph, x, "onnxruntime")["y"], expected)
    session = direct(exported_model(nk.infer_shapes(graph)))
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], expected)


# -- packages -------------------------------------------------------------------------------------


def test_the_packages_are_imported_by_nothing_but_a_run():
    code = (
        "import sys, nnefkit as nk; repr(nk.engines()); "
        "print(sorted({'onnx', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(monkeypatch, missing):
    known = engine.find_spec
    monkeypatch.setattr(engine, "find_spec", lambda name: None if name == missing else known(name))
    with pytest.raises(MissingPackageError, match=f"'{missing}'") as caught:
        package.OnnxRuntimeEngine()
    assert caught.value.diagnostics[0].hint == 'pip install "nnefkit[onnx]"'


def test_other_builds_of_the_package_are_recognized(monkeypatch):
    def version(name):
        if name == "onnxruntime-gpu":
            return "1.99"
        if name.startswith("onnxruntime"):
            raise engine.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(engine.metadata, "version", version)
    assert package.OnnxRuntimeEngine().version == "1.99"


def test_it_is_listed_with_its_version_and_operations():
    info = nk.engines()["onnxruntime"]
    assert info.installed
    assert info.version == onnxruntime.__version__
    assert info.operations == find_engine("onnxruntime").operations


# -- models ---------------------------------------------------------------------------------------


def test_the_model_of_a_network_is_valid_and_preserves_the_names(efficientnet):
    graph, _ = efficientnet
    lowered = lower_graph(graph, graph.outputs)
    proto = make_model(lowered, [lowered.outputs[name] for name in graph.outputs], graph.name)
    onnx.checker.check_model(proto, full_check=True)
    assert [value.name for value in proto.graph.input] == ["external1"]
    assert [value.name for value in proto.graph.output] == ["linear1"]
    kinds = {node.op_type for node in proto.graph.node}
    assert kinds == {"Add", "Clip", "Conv", "Gemm", "ReduceMean", "Squeeze"}
    results = {name for node in proto.graph.node for name in node.output}
    assert results <= set(graph.tensors)
    filters = {op.inputs["filter"] for op in graph.operations if op.name == "conv"}
    assert filters <= {tensor.name for tensor in proto.graph.initializer}


def test_large_weights_are_referred_to_and_not_copied(efficientnet):
    graph, _ = efficientnet
    lowered = lower_graph(graph, graph.outputs)
    shared = {}
    outputs = [lowered.outputs[name] for name in graph.outputs]
    assert make_model(lowered, outputs, graph.name, shared=shared).ByteSize() < 200_000
    for name, array in shared.items():
        if name in graph.tensors:
            assert np.shares_memory(array, graph.tensors[name].data), name


def test_an_exported_model_has_the_inputs_outputs_and_state_of_the_graph():
    graph = parsed(COUNTER, outputs="y, x").with_data({"state": np.zeros(2, np.float32)})
    session = direct(exported_model(nk.infer_shapes(graph)))
    assert [value.name for value in session.get_inputs()] == ["x", "state"]
    assert [value.name for value in session.get_outputs()] == ["y", "x", "kept"]
    reference = Session(graph)
    state = np.zeros(2, np.float32)
    for x in (np.ones(2, np.float32), np.full(2, 3, np.float32)):
        y, same, state = session.run(None, {"x": x, "state": state})
        np.testing.assert_array_equal(y, reference.run(x)["y"])
        np.testing.assert_array_equal(same, x)
        np.testing.assert_array_equal(state, reference.variables["state"])


def test_an_exported_model_names_outputs_that_are_weights_or_copies():
    graph = parsed(WEIGHTED, outputs="z, v, zz, y")
    graph = nk.infer_shapes(graph.with_data({"v": np.ones((1, 3), np.float32)}))
    session = direct(exported_model(graph))
    x = np.full((2, 3), 2, np.float32)
    found = session.run(["z", "v", "zz", "y"], {"x": x})
    for array, expected in zip(found, run(graph, x).values(), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_old_opsets_are_refused():
    with pytest.raises(ExecutionError, match="opset 9"):
        lower_graph(nk.infer_shapes(parsed(WEIGHTED)), ["y"], opset=9)


def test_a_scaled_product_of_matrices_in_float64_is_not_scaled_in_float32():
    graph = parsed(
        "x = external<scalar>(shape = [2, 2]);\n"
        "w = variable<scalar>(shape = [2, 2], label = 'w');\n"
        "y = matmul(x, w) / 3.0;"
    ).with_data({"w": np.eye(2)})
    x = np.random.default_rng(0).random((2, 2))
    np.testing.assert_allclose(run(graph, x, "onnxruntime")["y"], x / 3, rtol=1e-15)


@pytest.mark.parametrize("call", ["prelu(x, w)", "select(x < 0.0, w, x)", "x + w", "w - x"])
@pytest.mark.parametrize("shape", [(2,), (1, 3), (1, 1, 3), (2, 3), (1, 3, 1), (1, 1, 1, 2)])
def test_weights_broadcast_by_their_first_dimensions(call, shape):
    graph = parsed(
        "x = external<scalar>(shape = [2, 3, 3]);\n"
        f"w = variable<scalar>(shape = {[*shape]}, label = 'w');\ny = {call};"
    )
    rng = np.random.default_rng(0)
    graph = graph.with_data({"w": rng.standard_normal(shape).astype(np.float32)})
    x = rng.standard_normal((2, 3, 3)).astype(np.float32)
    expected = run(graph, x)["y"]
    np.testing.assert_allclose(run(graph, x, "onnxruntime")["y"], expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_normalization_retains_its_precision(dtype):
    # ONNX Runtime's own one has a float32 epsilon, and one of its kinds is wrong in float64.
    graph = parsed(
        "x = external<scalar>(shape = [1, 12, 76]);\n"
        "g = variable<scalar>(shape = [1, 1, 76], label = 'g');\n"
        "m, v = moments(x, axes = [2]);\n"
        "y = (x - m) / sqrt(v + 0.1) * g;"
    )
    rng = np.random.default_rng(0)
    graph = graph.with_data({"g": rng.random((1, 1, 76)).astype(dtype)})
    x = rng.standard_normal((1, 12, 76)).astype(dtype)
    expected = run(graph, x)["y"]
    tolerance = 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(run(graph, x, "onnxruntime")["y"], expected, 0, tolerance)


@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 0.75), (-0.1, 0.5), (0.5, 0.0), (0.5, -1.0)])
def test_local_responses_of_any_factor_and_exponent_are_computed(alpha, beta):
    graph = parsed(
        "x = external<scalar>(shape = [1, 4, 3, 3]);\n"
        f"y = local_response_normalization(x, size = [1, 3, 1, 1], alpha = {alpha}, beta = {beta});"
    )
    x = np.random.default_rng(0).standard_normal((1, 4, 3, 3)).astype(np.float32)
    expected = run(graph, x)["y"]
    np.testing.assert_allclose(run(graph, x, "onnxruntime")["y"], expected, rtol=1e-5)


@pytest.mark.parametrize("engine", ["onnxruntime", "auto"])
@pytest.mark.parametrize("count", [128, 129, 500])
def test_tensors_are_divided_into_any_number_of_parts(engine, count):
    names = ", ".join(f"part{number}" for number in range(count))
    graph = parsed(
        f"x = external(shape = [2, {2 * count}, 3]);\n"
        f"[{names}] = split(x, axis = 1, ratios = {[1, 3] * (count // 2) + [2] * (count % 2)});\n"
        f"[{names.replace('part', 'row')}] = unstack(x, axis = 1);\n".replace(
            f"row{count - 1}]",
            ", ".join(f"row{number}" for number in range(count - 1, 2 * count)) + "]",
        )
        + f"y = concat([part{count - 1}, part1], axis = 1);\n"
        + f"z = add(row{2 * count - 1}, row{count});",
        outputs="y, z",
    )
    x = np.random.default_rng(0).random((2, 2 * count, 3), np.float32)
    results = run(graph, x, engine)
    last = 2 if count % 2 else 3
    unit = 2 * count // sum([1, 3] * (count // 2) + [2] * (count % 2))
    expected = np.concatenate([x[:, -last * unit :], x[:, unit : 4 * unit]], 1)
    np.testing.assert_array_equal(results["y"], expected)
    np.testing.assert_array_equal(results["z"], x[:, -1] + x[:, count])


def test_a_recurrent_network_of_129_steps_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    lstm, x = torch.nn.LSTM(3, 4, batch_first=True).eval(), torch.randn(1, 129, 3)
    graph = nk.from_torch(lstm, (x,), verify=False)
    with torch.no_grad():
        expected = lstm(x)[0].numpy()
    result = run(graph, x.numpy(), "onnxruntime")[graph.outputs[0]]
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_a_variable_may_be_called_constant():
    data = {"constant": np.arange(4, dtype=np.float32).reshape(1, 4)}
    text = "constant = variable<scalar>(shape = [1, 4], label = 'constant');\n"
    sums = "; ".join(f"y{i} = x * {float(i + 2)} + constant" for i in range(6))
    reshaped = "row = reshape(constant, shape = [4]); z = x + unsqueeze(row, axes = [0]);"
    outputs = ", ".join([*(f"y{i}" for i in range(6)), "z"])
    graph = parsed(
        f"x = external<scalar>(shape = [3, 4]);\n{text}{sums};\n{reshaped}", outputs=outputs
    ).with_data(data)
    x = np.ones((3, 4), np.float32)
    for name, result in run(graph, x, "onnxruntime").items():
        np.testing.assert_array_equal(result, run(graph, x, "numpy")[name])
