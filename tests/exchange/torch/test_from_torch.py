"""Promises of `from_torch`, `trace_torch` and `to_torch` besides correct numbers."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.utils.checkpoint
from oracles.torch_operators import Of
from torch import nn
from torch.nn import functional

import nnefkit as nk
from nnefkit.exchange import proof as verification


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return Small().eval(), torch.randn(2, 3, 8, 9)


def test_names_labels_and_origins_are_the_paths_of_modules(small):
    graph = nk.from_torch(*small)
    assert graph.name == "Small"
    assert graph.tensors["features_0_weight"].label == "features/0/weight"
    assert graph.tensors["features_0_weight"].origin == "features.0.weight"
    assert graph.tensors["features_2"].origin == "features.2: relu_"
    assert graph.outputs == ("head",)


def test_inputs_get_the_names_that_are_given(small):
    module, x = small
    assert nk.from_torch(module, x, ["image"]).inputs == ("image",)
    with pytest.raises(nk.InputError, match="2 names were given for 1 inputs: image"):
        nk.from_torch(module, x, ["image", "mask"])


def test_the_proof_is_stored(small):
    facts = nk.from_torch(*small).provenance
    assert facts["source"] == "PyTorch module Small"
    assert facts["versions"] == {"torch": torch.__version__}
    assert facts["verified"]
    assert facts["tolerance"] == verification.TOLERANCE
    assert 0 <= facts["largest_difference"] <= facts["tolerance"]
    assert not nk.from_torch(*small, verify=False).provenance["verified"]


def test_the_proof_is_shown(small):
    for graph, fact in (
        (nk.from_torch(*small), "verified with numpy: "),
        (nk.from_torch(*small, verify=False), "not verified"),
    ):
        assert f"from PyTorch module Small (torch {torch.__version__})" in repr(graph)
        assert fact in repr(graph)
        assert "PyTorch module Small" in graph._repr_html_()


def test_the_cost_of_a_fragment_is_that_of_its_parts():
    class Attention(nn.Module):
        def forward(self, x):
            return functional.scaled_dot_product_attention(x, x, x)

    graph = nk.from_torch(Attention(), torch.randn(1, 2, 5, 4))
    (call,) = (op for op in graph.operations if op.name == "scaled_dot_product_attention")
    assert call.macs >= 2 * (2 * 5 * 5 * 4)


def test_the_cost_of_an_onnx_model_is_that_of_the_module(small, tmp_path):
    module, example = small
    graph = nk.from_torch(module, example)
    nk.to_onnx(graph, tmp_path / "small.onnx")
    again = nk.from_onnx(tmp_path / "small.onnx")
    macs = [op.macs for op in again.operations]
    assert None not in macs
    assert sum(macs) == sum(op.macs for op in graph.operations) > 0


def test_a_mismatch_names_the_first_tensor_that_differs(small, monkeypatch):
    from nnefkit.exchange.torch import exported_program as registry
    from nnefkit.exchange.torch import nodes  # noqa: F401  (it registers the readers)

    monkeypatch.setitem(registry.READERS, "relu", lambda c, x: c.op("abs", x))
    with pytest.raises(nk.ExecutionError, match=r"features_2.*features.2: relu_.*'abs'"):
        nk.from_torch(*small)
    assert nk.from_torch(*small, verify=False).producers["features_2"].name == "abs"


def test_programs_and_their_files_are_taken_too(small, tmp_path):
    module, x = small
    program = torch.export.export(module, (x,))
    torch.export.save(program, tmp_path / "small.pt2")
    wanted = str(nk.from_torch(module, x, name="small"))
    assert str(nk.from_torch(program, name="small")) == wanted
    assert str(nk.from_torch(tmp_path / "small.pt2")) == wanted
    assert nk.from_torch(tmp_path / "small.pt2").provenance["verified"]


def test_programs_with_dynamic_shapes_are_fixed_to_the_example(small):
    module, x = small
    batch = torch.export.Dim("batch", min=1, max=16)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: batch},))
    graph = nk.from_torch(program, torch.zeros(5, 3, 8, 9))
    assert graph.tensors["x"].shape == (5, 3, 8, 9)
    assert graph.tensors["features_0_weight"].label == "features/0/weight"


def test_arguments_by_name():
    class Gated(nn.Module):
        def forward(self, x, gate=None, times=2):
            return x * gate * times

    x, gate = torch.randn(2, 3), torch.rand(2, 3)
    for given in (
        {"example_inputs": (x, gate, 3)},
        {"example_inputs": {"x": x, "gate": gate, "times": 3}},
        {"example_inputs": x, "kwargs": {"gate": gate, "times": 3}},
    ):
        graph = nk.from_torch(Gated(), **given)
        assert graph.inputs == ("x", "gate")
        found = nk.run(graph, {"x": x.numpy(), "gate": gate.numpy()})
        np.testing.assert_allclose(found[graph.outputs[0]], x * gate * 3, rtol=1e-6)


class Refused(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        x = torch.linalg.inv(self.first(x))
        y, _ = torch.sort(self.second(x), dim=1)
        return y


def test_inexpressible_parts_are_refused_all_at_once():
    with pytest.raises(nk.DocumentError) as caught:
        nk.from_torch(Refused(), torch.eye(4))
    diagnostics = caught.value.diagnostics
    assert [d.code for d in diagnostics] == ["not-expressible"] * 2
    assert "linalg_inv" in diagnostics[0].message
    assert "sort" in diagnostics[1].message
    assert all(d.hint and d.file == __file__ for d in diagnostics)
    assert "torch.linalg.inv(self.first(x))" in diagnostics[0].excerpt
    assert diagnostics[1].line == diagnostics[0].line + 1


def test_operations_that_read_a_refused_tensor_are_checked_too():
    class Loudest(nn.Module):
        def forward(self, x):
            spectrum = torch.fft.rfft(x).abs()
            loud, _ = torch.sort(spectrum)
            return spectrum[spectrum > 1].sum(), loud

    with pytest.raises(nk.DocumentError) as caught:
        nk.from_torch(Loudest(), torch.randn(16))
    messages = [d.message for d in caught.value.diagnostics]
    assert [message.partition(":")[0] for message in messages] == ["fft_rfft", "sort", "index"]


def test_training_mode_is_refused_with_a_remedy():
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout(), nn.BatchNorm1d(4))
    with pytest.raises(nk.DocumentError) as caught:
        nk.from_torch(network, torch.randn(3, 4))
    assert any("'1'" in d.message and "eval()" in d.hint for d in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.add_(1), "changes its input 'inputs_0' in place.*clone"),
        (lambda x: (x * 2, x.shape[0]), "an output is not a tensor"),
        (lambda x: torch.cond(x.sum() > 0, torch.abs, torch.neg, (x,)), "cond: NNEF has no"),
        (lambda x: (x * 1j).real, "its elements are complex64"),
        (lambda x: x[:0], "empty tensor"),
    ],
)
def test_values_other_than_tensors_of_fixed_shapes_are_refused(function, message):
    with pytest.raises(nk.DocumentError, match=f"(?s){message}"):
        nk.from_torch(Of(function), torch.randn(2, 3))


def test_modules_as_people_write_them(tmp_path):
    class Wild(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)
            self.scale = nn.Parameter(torch.tensor(1.5))

        def forward(self, x, rest):
            with torch.no_grad():
                y = self.layer(x) * self.scale
            y = torch.utils.checkpoint.checkpoint(self.layer, y, use_reentrant=False)
            for _ in range(2):
                y = self.layer(y)
            return {"sum": y + rest[0]["a"], "parts": [y.softmax(-1), y]}

    module, x = Wild(), torch.randn(2, 4)
    graph = nk.from_torch(module, (x, [{"a": x + 1}]))
    assert graph.inputs == ("x", "rest_0_a")
    assert len(graph.outputs) == 3
    nk.save(graph, tmp_path / "wild")
    assert nk.validate(tmp_path / "wild").ok


@pytest.mark.parametrize("assigns", [False, True])
def test_buffers_that_a_run_changes_persist_in_a_session(assigns, tmp_path):
    class Stream(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.GRUCell(3, 4)
            self.register_buffer("h", torch.ones(1, 4))
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x):
            h = self.cell(x, self.h)
            if assigns:
                self.h = h
            else:
                self.h.copy_(h)
            self.count += 1
            return h * 2, self.count

    torch.manual_seed(0)
    module, x = Stream().eval(), torch.randn(3, 1, 3)
    graph = nk.from_torch(module, x[0])
    assert module.count == 0, "the proof leaves the module as it was"
    assert sorted(op.name for op in graph.operations if op.name != "variable") == [
        "add", "external", "gru_step", "mul", "update", "update",
    ]  # fmt: skip
    nk.save(graph, tmp_path / "stream")
    report = nk.validate(tmp_path / "stream")
    assert report.ok
    assert not report.warnings
    sessions = [nk.Session(nk.load(tmp_path / "stream"), name) for name in ("numpy", "onnxruntime")]
    back = nk.to_torch(graph)
    for step in x:
        with torch.no_grad():
            wanted = [tensor.numpy().copy() for tensor in module(step)]
            runs = [session.run(step.numpy()).values() for session in sessions]
            runs.append([tensor.numpy() for tensor in back(step)])
        for found in runs:
            for a, b in zip(found, wanted, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-6)


def test_modules_that_decide_by_values_are_refused():
    class Deciding(nn.Module):
        def forward(self, x):
            return x * 2 if x.sum() > 0 else x

    with pytest.raises(nk.InputError, match=r"torch.export cannot export Deciding"):
        nk.from_torch(Deciding(), torch.ones(2))


@pytest.mark.parametrize("thing", [lambda x: x, 3, None])
def test_objects_other_than_modules_are_refused(thing):
    with pytest.raises(nk.InputError, match="is not a PyTorch model"):
        nk.from_torch(thing, torch.ones(2))


def test_a_module_needs_example_inputs(small):
    with pytest.raises(nk.InputError, match="example inputs"):
        nk.from_torch(small[0])


def test_files_that_are_not_programs_are_refused(tmp_path):
    (tmp_path / "x.pt2").write_bytes(b"nothing")
    for name in ("x.pt2", "missing.pt2"):
        with pytest.raises(nk.StorageError):
            nk.from_torch(tmp_path / name)


def test_weights_that_are_shared_are_stored_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(7, 4), nn.Linear(4, 7, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, i):
            x = self.embedding(i)
            return self.head(x), x @ self.embedding.weight.t()

    graph = nk.from_torch(Tied(), torch.tensor([[1, 2]]))
    assert len(graph.variables) == 1
    assert graph.variables[0].shape == (7, 4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_weights_retain_their_elements(dtype):
    module = nn.Linear(4, 3).to(dtype)
    graph = nk.from_torch(module, torch.randn(2, 4).to(dtype))
    kind = str(dtype).removeprefix("torch.")
    assert {str(v.data.dtype) for v in graph.variables} == {kind}


def test_integers_and_masks_are_inputs_too():
    class Masked(nn.Module):
        def forward(self, x, mask, index):
            return torch.where(mask, x, -x)[index]

    given = torch.randn(4, 3), torch.rand(4, 3) > 0.5, torch.tensor([2, 0])
    graph = nk.from_torch(Masked(), given)
    assert [graph.tensors[n].dtype for n in graph.inputs] == ["scalar", "logical", "integer"]


def test_a_trace_needs_no_graph_and_no_expressible_module(small):
    module, x = small
    graph = nk.from_torch(module, x)
    without_graph, with_graph = nk.trace_torch(module, x), nk.trace_torch(module, x, graph=graph)
    assert [*without_graph] == [*with_graph]
    np.testing.assert_array_equal(without_graph["head"], module(x).detach().numpy())
    trace = nk.trace_torch(Refused(), torch.eye(4))
    assert [*trace][:2] == ["x", "first"]
    assert trace.run.inputs == ("x",)


def test_a_trace_takes_other_inputs_than_the_graph_was_made_with(small):
    module, x = small
    graph = nk.from_torch(module, x)
    other = torch.randn_like(x)
    assert nk.compare(nk.trace_torch(module, other, graph=graph), nk.trace(graph, other.numpy())).ok


def test_modules_are_exported_and_train(small):
    module, x = small
    graph = nk.from_torch(module, x)
    back = nk.to_torch(graph)
    assert {name for name, _ in back.named_parameters()} == {
        name for name, _ in module.named_parameters()
    }
    torch.testing.assert_close(back(x), module(x))
    optimizer = torch.optim.SGD(back.parameters(), 0.1)
    before = functional.mse_loss(back(x), torch.ones(2, 2))
    before.backward()
    optimizer.step()
    trained = graph.with_data(back.weights())
    after = nk.run(trained, x.numpy())["head"]
    assert ((after - 1) ** 2).mean() < before
    np.testing.assert_allclose(after, back(x).detach().numpy(), atol=1e-5)


def test_fragments_are_computed_by_every_way_of_running_a_graph():
    module = nn.Sequential(nn.LayerNorm(4), nn.Hardswish())
    x = torch.randn(2, 4)
    graph = nk.from_torch(module, x)
    assert [op.name for op in graph.operations[-1:]] == ["hard_swish"]
    wanted = module(x).detach().numpy()
    name = graph.outputs[0]
    *_, last = nk.step(graph, x.numpy())
    for found in (
        last.outputs[name],
        nk.Session(graph, "onnxruntime").run(x.numpy())[name],
        nk.to_torch(graph)(x).detach().numpy(),
        nk.trace(graph, x.numpy())[name],
    ):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_round_trips_preserve_the_numbers(small):
    module, x = small
    graph = nk.from_torch(module, x)
    again = nk.from_onnx(nk.to_onnx(graph))
    torch.testing.assert_close(nk.to_torch(again)(x), module(x))


def test_without_pytorch_the_command_that_installs_it_is_reported(monkeypatch, small):
    import importlib.util

    graph = nk.from_torch(*small)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "torch" else found(name, *a)
    )
    for call in (
        lambda: nk.from_torch(*small),
        lambda: nk.trace_torch(*small),
        lambda: nk.to_torch(graph),
    ):
        with pytest.raises(nk.MissingPackageError, match=r"pip install .nnefkit\[torch\]"):
            call()


def test_pytorch_is_not_imported_before_it_is_needed():
    code = "import sys, nnefkit as nk; nk.from_torch, nk.to_torch, nk.trace_torch; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
