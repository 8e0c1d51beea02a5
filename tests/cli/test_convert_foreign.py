"""``nnefkit convert`` from ONNX and PyTorch to NNEF, and from NNEF to ONNX."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import nnefkit as nk


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """An ONNX model with an open extent, a strange name, and an input that is not data."""
    branches = {"then_branch": _branch(2.0), "else_branch": _branch(3.0)}
    nodes = [
        helper.make_node("Equal", ["rate", "high"], ["is_high"]),
        helper.make_node("If", ["is_high"], ["factor"], **branches),
        helper.make_node("Mul", ["sound=in:0", "factor"], ["y"]),
    ]
    high = helper.make_tensor("high", TensorProto.INT64, [], [16000])
    graph = helper.make_graph(
        nodes,
        "net",
        [
            helper.make_tensor_value_info("sound=in:0", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("rate", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [high],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "network.onnx"
    onnx.save(model, path)
    return path


def _branch(number: float) -> Any:
    constant = helper.make_node("Constant", [], ["c"], value_float=number)
    result = helper.make_tensor_value_info("c", TensorProto.FLOAT, [])
    return helper.make_graph([constant], "branch", [], [result])


@pytest.mark.parametrize("target", ["out.nnef.tgz", "out/", "out.zip"])
def test_onnx_becomes_nnef(
    target: str, network: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    given = ["--input-shape", "sound=in:0=2x4", "--constant", "rate=16000"]
    result = nnefkit("convert", network, f"{tmp_path}/{target}", *given)
    assert (result.status, result.err) == (0, "")
    assert "operations, largest relative difference 0 (tolerance " in result.out
    graph = nk.load(tmp_path / target)
    found = nk.run(graph, np.ones((2, 4)))
    np.testing.assert_array_equal(found["y"], np.full((2, 4), 2))


def test_an_open_shape_is_reported_with_the_option_that_sets_it(
    network: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("convert", network, tmp_path / "out.zip")
    assert result.status == 2
    assert "leaves dimensions of its inputs open: 'sound=in:0' [n, 4]" in result.err
    assert "For example: --input-shape sound=in:0=1x4" in result.err
    result = nnefkit("convert", network, tmp_path / "out.zip", "--input-shape", "sound=in:0=1,4")
    assert result.status == 1
    assert "--constant rate=..." in result.err
    assert not (tmp_path / "out.zip").exists()


def test_nnef_becomes_onnx(model: Path, tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("convert", model, tmp_path / "net.onnx", "--opset", 18)
    assert result.status == 0
    assert "written in opset 18, same outputs" in result.out
    assert onnx.load(tmp_path / "net.onnx").opset_import[0].version == 18
    result = nnefkit("convert", tmp_path / "net.onnx", tmp_path / "back", "--no-verify")
    assert result.status == 0
    assert "not verified" in result.out
    assert nk.load(tmp_path / "back").inputs == nk.load(model).inputs


def test_nnef_becomes_onnx_for_another_shape(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    shape = ["--input-shape", "image=3x2"]
    assert nnefkit("convert", model, tmp_path / "net.onnx", *shape).status == 0
    (info,) = onnx.load(tmp_path / "net.onnx").graph.input
    assert [d.dim_value for d in info.type.tensor_type.shape.dim] == [3, 2]


def test_quantization_is_converted(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    line = '"y": linear_quantize(min = 0.0, max = 2.55, bits = 8);'
    (model / "graph.quant").write_text(line)
    assert nnefkit("convert", model, tmp_path / "net.onnx", "--quantized").status == 0
    kinds = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert kinds == ["Mul", "QuantizeLinear", "DequantizeLinear"]


def test_weights_become_codes(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    text = "version 1.0; graph g(x) -> (y) { x = external(shape = [2]); "
    text += "w = variable(shape = [2], label = 'w'); y = add(x, w); }"
    line = '"w": linear_quantize(min = 0.0, max = 2.55, bits = 8);'
    nk.save(nk.parse(text, line).with_data({"w": np.float32([0.013, 2])}), tmp_path / "floats")
    assert nnefkit("convert", tmp_path / "floats", tmp_path / "codes", "--quantized").status == 0
    assert [*nk.read_tensor(tmp_path / "codes" / "w.dat")] == [1, 200]


@pytest.mark.slow
def test_an_exported_program_becomes_nnef_and_onnx(
    tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    import torch

    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU()).eval()
    program = torch.export.export(module, (torch.ones(1, 3),))
    torch.export.save(program, tmp_path / "net.pt2")
    for target in ("net.nnef.tgz", "net.onnx"):
        result = nnefkit("convert", tmp_path / "net.pt2", tmp_path / target)
        assert (result.status, result.err) == (0, "")
        assert (tmp_path / target).exists()
    x = np.ones((1, 3), np.float32)
    wanted = module(torch.from_numpy(x)).detach().numpy()
    (found,) = nk.run(nk.load(tmp_path / "net.nnef.tgz"), x).values()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    result = nnefkit("convert", tmp_path / "net.pt2", tmp_path / "o", "--input-shape", "x=2x3")
    assert result.status == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["m", "o.zip", "--input-shape", "image=1x2"],
            "does not apply to a conversion from NNEF to NNEF",
        ),
        (
            ["m", "o.onnx", "--constant", "x=1"],
            "--constant does not apply to a conversion from NNEF to ONNX",
        ),
        (
            ["m", "o.zip", "--opset", "18"],
            "--opset does not apply to a conversion from NNEF to NNEF",
        ),
        (["m", "o.onnx", "--input-shape", "image"], "a name and a shape"),
        (["m", "o.onnx", "--input-shape", "image=axb"], "a name and a shape"),
        (["m", "o.onnx", "--input-shape", "=1"], "a name and a shape"),
        (["n.onnx", "o.zip", "--constant", "x"], "a name and a value"),
        (["m.pth", "o.zip"], "torch.export.save"),
        (["m.keras", "o.zip", "--constant", "x=1"], "--constant does not apply"),
        (["m", "o.keras"], "Keras models ('.keras') cannot be written"),
    ],
)
def test_options_without_effect_are_refused(
    arguments: list[str], message: str, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("convert", *arguments)
    assert result.status == 2
    assert message in result.err


def test_a_constant_can_be_a_file(
    network: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    np.save(tmp_path / "rate.npy", np.array(8000))
    given = ["--input-shape", "sound=in:0=1x4", "--constant", f"rate={tmp_path / 'rate.npy'}"]
    assert nnefkit("convert", network, tmp_path / "out", *given).status == 0
    np.testing.assert_array_equal(
        nk.run(nk.load(tmp_path / "out"), np.ones((1, 4)))["y"], [[3] * 4]
    )


def test_tflite_is_written_and_verified(tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    pytest.importorskip("tflite")
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 2]); y = relu(x); }"
    )
    nk.save(graph, tmp_path / "g.nnef")
    result = nnefkit("convert", tmp_path / "g.nnef", tmp_path / "g.tflite", "--verify")
    assert (result.status, result.err) == (0, "")
    assert "same outputs" in result.out
    assert nk.from_tflite(tmp_path / "g.tflite").outputs == ("y",)


@pytest.mark.parametrize("name", ["digits.keras", "digits.h5"])
def test_a_keras_model_becomes_nnef(name: str, tmp_path: Path, nnefkit: Callable[..., Any]) -> None:
    pytest.importorskip("h5py")
    from oracles.keras_references import path

    result = nnefkit("convert", path(f"digits/{name}"), tmp_path / "net.nnef.tgz", "--no-verify")
    assert result.status == 0
    assert nk.load(tmp_path / "net.nnef.tgz").outputs == ("probs",)
