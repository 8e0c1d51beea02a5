"""Masked elements have no value: they are refused wherever values enter, with one remedy."""

import numpy as np
import pytest

import nnefkit as nk

GRAPH = nk.parse(
    "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [3]);"
    " w = variable<scalar>(shape = [3], label = 'w'); y = add(x, w); }"
)
PLAIN = np.float32([1, 2, 3])
MASKED = np.ma.masked_array(PLAIN, [False, True, False])
FULL = GRAPH.with_data({"w": PLAIN})


def step():
    for step in nk.step(FULL, PLAIN):
        step.outputs["y"] = MASKED


def custom():
    operations = nk.CustomOperations()
    text = "fragment half(x: tensor<scalar>) -> (y: tensor<scalar>);"
    operations.register(text, shape=lambda x: x, kernel=lambda x: MASKED)
    graph = nk.parse(
        f"version 1.0; extension KHR_enable_fragment_definitions; {text}"
        "graph g(x) -> (y) { x = external<scalar>(shape = [3]); y = half(x); }",
        custom_operations=operations,
    )
    nk.run(graph, PLAIN, custom_operations=operations)


CALLS = {
    "weights": lambda tmp: GRAPH.with_data({"w": MASKED}),
    "weights in a list": lambda tmp: GRAPH.with_data({"w": [*MASKED]}),
    "inputs": lambda tmp: nk.run(FULL, {"x": MASKED}),
    "inputs in a list": lambda tmp: nk.run(FULL, {"x": [1.0, np.ma.masked, 2.0]}),
    "trace": lambda tmp: nk.trace(FULL, MASKED),
    "step": lambda tmp: step(),
    "tensor file": lambda tmp: nk.write_tensor(tmp / "x.dat", MASKED),
    "compare": lambda tmp: nk.compare({"y": MASKED}, {"y": PLAIN}),
    "compare with": lambda tmp: nk.compare({"y": PLAIN}, {"y": MASKED}),
    "kernel": lambda tmp: custom(),
    "plot": lambda tmp: nk.plot.histogram(MASKED),
}


@pytest.mark.parametrize("name", CALLS)
def test_masked_elements_are_refused(name, tmp_path):
    with pytest.raises(nk.NnefError, match="masked elements") as caught:
        CALLS[name](tmp_path)
    assert "array.filled(value)" in str(caught.value)


def test_constants_of_onnx_models_are_refused_too():
    onnx = pytest.importorskip("onnx")
    from onnx import helper

    info = [helper.make_tensor_value_info(n, 1, [3]) for n in ("x", "c", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "c"], ["y"])], "g", info[:2], info[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model)
    with pytest.raises(nk.InputError, match="masked elements"):
        nk.from_onnx(model, constants={"c": MASKED})


@pytest.mark.parametrize("call", ["from_onnx", "to_onnx", "trace_onnx"])
def test_inputs_of_onnx_models_are_refused_too(call):
    model, given = nk.to_onnx(FULL), {"x": MASKED}
    calls = {
        "from_onnx": lambda: nk.from_onnx(model, inputs=given),
        "to_onnx": lambda: nk.to_onnx(FULL, inputs=given),
        "trace_onnx": lambda: nk.trace_onnx(model, given),
    }
    with pytest.raises(nk.InputError, match="masked elements"):
        calls[call]()


def test_masked_arrays_without_masked_elements_are_arrays(tmp_path):
    array = np.ma.masked_array(PLAIN, False)
    graph = GRAPH.with_data({"w": array})
    assert nk.run(graph, {"x": array})["y"].tolist() == [2, 4, 6]
    nk.write_tensor(tmp_path / "x.dat", array)
    assert nk.read_tensor(tmp_path / "x.dat").tolist() == [1, 2, 3]
