"""Architectures of every kind become graphs that are correct, readable, valid and portable."""

import re

import nnef
import numpy as np
import pytest
import torch
from architectures import NETWORKS
from sampled import sampled

import nnefkit as nk

CLOSE = {"rtol": 1e-4, "atol": 2e-6}


def fragments(graph):
    return [re.match(r"fragment (\w+)", text)[1] for text in graph.declarations]


@pytest.fixture(scope="module", params=sampled(NETWORKS, 3))
def exported(request):
    make, made = NETWORKS[request.param]
    module, given = make(), made()
    with torch.no_grad():
        wanted = module(given).numpy()
    return nk.from_torch(module, given), module, given, wanted


def test_engines_compute_what_pytorch_does(exported):
    graph, _, given, wanted = exported
    assert graph.provenance["verified"]
    for engine in ("numpy", "onnxruntime", "torch"):
        found = nk.run(graph, given.numpy(), engine)
        np.testing.assert_allclose(found[graph.outputs[0]], wanted, **CLOSE, err_msg=engine)


def test_saved_models_are_valid_without_a_warning_and_load_again(exported, tmp_path):
    graph, _, given, wanted = exported
    nk.save(graph, tmp_path / "model")
    report = nk.validate(tmp_path / "model")
    assert report.ok
    assert not report.warnings
    found = nk.run(nk.load(tmp_path / "model"), given.numpy(), "onnxruntime")
    np.testing.assert_allclose(found[graph.outputs[0]], wanted, **CLOSE)


def test_the_khronos_parser_reads_it(exported, tmp_path):
    graph, *_ = exported
    nk.save(graph, tmp_path / "model")
    theirs = nnef.load_graph(str(tmp_path / "model"))
    assert [op.name for op in theirs.operations] == [op.name for op in graph.operations]
    flat = nnef.load_graph(str(tmp_path / "model"), lowered=fragments(graph))
    assert not {op.name for op in flat.operations} & {*fragments(graph)}
    if any(op.name == "linear" and len(graph.tensors[op.input_names[0]].shape) > 2
           for op in graph.operations):  # fmt: skip
        return  # They infer shapes of `linear` for matrices only.
    nnef.infer_shapes(flat)
    for name, tensor in graph.tensors.items():
        if tensor.shape is not None:
            assert tuple(flat.tensors[name].shape) == tensor.shape


def test_every_tensor_of_the_graph_is_that_of_pytorch(exported):
    graph, module, given, _ = exported
    theirs = nk.trace_torch(module, given, graph=graph)
    ours = nk.trace(graph, given.numpy())
    compared = nk.compare(theirs, ours)
    assert compared.ok
    layers = [op for op in graph.operations if op.name not in ("variable", "constant")]
    # The steps of recurrent layers are one operator of PyTorch.
    layers = [op for op in layers if not re.search(r"_[xhc]\d+", op.output_names[0])]
    assert len(compared) >= 0.75 * len(layers)


def test_no_copies_and_no_variable_for_a_number(exported):
    graph, *_ = exported
    assert not any(op.name == "copy" for op in graph.operations)
    numbers = [variable.data for variable in graph.variables if np.prod(variable.shape) == 1]
    assert not np.isfinite(numbers).any()  # An infinity has no literal.


def test_labels_are_the_names_of_the_parameters(exported):
    graph, module, *_ = exported
    labels = {variable.label for variable in graph.variables}
    state = {name.replace(".", "/") for name in module.state_dict()}
    shared = [label for label in labels if label in state]
    assert len(shared) >= 0.8 * len(labels)


def test_the_way_to_onnx_and_back_to_pytorch_preserves_the_numbers(exported):
    graph, _, given, wanted = exported
    through = nk.from_onnx(nk.to_onnx(graph), inputs={graph.inputs[0]: given.numpy()})
    with torch.no_grad():
        found = nk.to_torch(through)(given)
    np.testing.assert_allclose(found.numpy(), wanted, **CLOSE)


@pytest.mark.parametrize("name", ["resnet", "mobilenet_v3", "inception"])
def test_batch_normalizations_are_folded_on_demand(name):
    make, made = NETWORKS[name]
    module, given = make(), made()
    graph = nk.from_torch(module, given, fold=True)
    assert graph.provenance["verified"]
    assert not any(op.name == "batch_normalization" for op in graph.operations)
    plain = nk.from_torch(module, given, verify=False)
    assert len(graph.operations) < len(plain.operations)
