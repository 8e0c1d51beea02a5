"""The engine 'torch': real networks, options, memory; and its module, which can be trained."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from nnefkit import io
from nnefkit.errors import ExecutionError, InputError, MissingPackageError, UnknownNameError
from nnefkit.execution import Session, run, trace
from nnefkit.execution.engine_list import engines, find_engine, load_engine
from nnefkit.execution.engines.torch.module import GraphModule
from nnefkit.execution.engines.torch.operations import LOWERINGS
from nnefkit.operations.registry import KERNELS
from nnefkit.operations.window import Window


def small(body="y = relu(x);"):
    return io.parse(
        f"version 1.0; graph g(x) -> (y) {{ x = external<scalar>(shape = [2, 3]); {body} }}"
    )


X = np.float32([[1, -2, 3], [-4, 5, -6]])


def test_everything_that_has_a_kernel_has_a_lowering():
    assert set(KERNELS) <= set(LOWERINGS) | {"constant"}
    assert set(LOWERINGS) <= find_engine("torch").operations


def test_pytorch_is_imported_when_a_graph_is_prepared_and_not_before():
    program = (
        "import sys, nnefkit as nk; found = nk.engines()['torch']; "
        "assert found.installed and len(found.operations) > 100; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_half_precision_is_preserved_and_sums_are_wider():
    x = np.full((1, 4096), 1.0, np.float16)
    half = torch.from_numpy(x)
    for name, attribs in [("mean_reduce", {}), ("sum_reduce", {"normalize": True})]:
        result = LOWERINGS[name](half, axes=(1,), **attribs)
        assert result.dtype == torch.float16
        assert result.item() == 1.0
    result = LOWERINGS["avg_pool"](half[None], window=Window((1, 1, 3), "ignore"))
    assert result.dtype == torch.float16
    np.testing.assert_array_equal(result.numpy(), 1.0)


def test_results_share_no_memory_with_feeds_and_graph():
    graph = small("y = copy(x); z = transpose(y, axes = [1, 0]);").with_outputs(["x", "y", "z"])
    x = X.copy()
    found = run(graph, x, engine="torch")
    for array in found.values():
        assert not np.shares_memory(array, x)
        array.fill(0)
    np.testing.assert_array_equal(x, X)
    traced = trace(graph, x, engine="torch")
    x.fill(9)
    np.testing.assert_array_equal(traced["y"], X)
    np.testing.assert_array_equal(traced["z"], X.T)


def test_updated_variables_keep_their_values():
    graph = io.parse("""version 1.0;
        graph g(x) -> (y) {
            x = external<scalar>(shape = [2]);
            state = variable<scalar>(shape = [2], label = 'state');
            y = add(x, state);
            new = update(state, y);
        }""").with_data({"state": np.float32([10, 20])})
    session = Session(graph, "torch")
    x = np.float32([1, 2])
    np.testing.assert_array_equal(session.run(x)["y"], [11, 22])
    np.testing.assert_array_equal(session.run(x)["y"], [12, 24])
    module = GraphModule(graph)
    np.testing.assert_array_equal(module(torch.from_numpy(x)), [11, 22])
    np.testing.assert_array_equal(module(torch.from_numpy(x)), [12, 24])


@pytest.mark.parametrize("extent", [1, 6])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_a_dilated_maximum_is_padded_as_far_as_its_window_reaches(rank, extent):
    shape = [2, 3, *[extent] * rank]
    graph = io.parse(
        f"version 1.0; graph net( x ) -> ( y ) {{ x = external<scalar>(shape = {shape}); "
        f"y = max_pool(x, size = {[1, 1, *[3] * rank]}, border = 'ignore', "
        f"dilation = {[1, 1, *[2] * rank]}); }}"
    )
    x = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_array_equal(run(graph, x, "torch")["y"], run(graph, x)["y"])


def test_the_number_of_threads_holds_for_the_run_only():
    before = torch.get_num_threads()
    session = Session(small(), "torch", threads=before + 1)
    np.testing.assert_array_equal(session.run(X)["y"], X.clip(0))
    assert torch.get_num_threads() == before


def test_wrong_options_are_refused_with_the_available_ones():
    with pytest.raises(UnknownNameError, match="has no option 'threds'"):
        Session(small(), "torch", threds=2)
    with pytest.raises(InputError, match="from 1 to 1,024"):
        Session(small(), "torch", threads=0)
    with pytest.raises(InputError, match="PyTorch has no device 'cuda:9' here"):
        Session(small(), "torch", device="cuda:9")


def test_an_operation_that_fails_is_named():
    graph = io.parse("""version 1.0;
        graph g(x, i) -> (y) {
            x = external<scalar>(shape = [3]);
            i = external<integer>(shape = [2]);
            y = gather(x, i);
        }""")
    with pytest.raises(ExecutionError, match=r"operation 'gather', which computes 'y'.*has 7"):
        run(graph, {"x": np.ones(3, np.float32), "i": np.array([0, 7])}, engine="torch")


def test_a_missing_package_is_reported_with_the_command_that_installs_it(monkeypatch):
    name = "nnefkit.execution.engines.torch"
    monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    load_engine.cache_clear()
    try:
        with pytest.raises(MissingPackageError, match=r'pip install "nnefkit\[torch\]"'):
            run(small(), X, engine="torch")
        assert not engines()["torch"].installed
    finally:
        load_engine.cache_clear()


# -- the module -----------------------------------------------------------------------------------


def classifier():
    graph = io.parse("""version 1.0;
        graph g(x) -> (y) {
            x = external<scalar>(shape = [2, 3, 8, 8]);
            filter = variable<scalar>(shape = [4, 3, 3, 3], label = 'features/0/weight');
            bias = variable<scalar>(shape = [1, 4], label = 'features/0/bias');
            mean = variable<scalar>(shape = [1, 4], label = 'features/1/mean');
            var = variable<scalar>(shape = [1, 4], label = 'features/1/var');
            offset = variable<scalar>(shape = [1, 4], label = 'features/1/offset');
            scale = variable<scalar>(shape = [1, 4], label = 'features/1/scale');
            head = variable<scalar>(shape = [5, 4], label = 'head.weight');
            a = conv(x, filter, bias);
            b = batch_normalization(a, mean, var, offset, scale, epsilon = 0.001);
            c = relu(b);
            d = mean_reduce(c, axes = [2, 3]);
            e = squeeze(d, axes = [2, 3]);
            y = linear(e, head);
        }""")
    rng = np.random.default_rng(1)
    data = {v.name: rng.uniform(0.1, 1, v.shape).astype(np.float32) for v in graph.variables}
    return graph.with_data(data)


def test_parameters_are_named_after_labels():
    module = GraphModule(classifier())
    assert {name: p.shape for name, p in module.named_parameters()} == {
        "features.0.weight": (4, 3, 3, 3),
        "features.0.bias": (1, 4),
        "features.1.offset": (1, 4),
        "features.1.scale": (1, 4),
        "head.weight": (5, 4),
    }
    assert {name for name, _ in module.named_buffers()} == {"features.1.mean", "features.1.var"}


NAMES = {
    ("block/fc", "block/fc/x"): ["block.fc", "block.fc_.x"],
    ("block/fc/x", "block/fc"): ["block.fc.x", "block.fc_"],
    ("a/b", "a//b"): ["a.b", "a.b_"],
    ("a/b", "a.b"): ["a.b", "a.b_"],
    ("forward", "graph"): ["forward_", "graph_"],
    ("conv/type", "conv/weights"): ["conv.type_", "conv.weights"],
    ("_steps", "training"): ["_steps_", "training_"],
    ("1", "class"): ["1", "class"],
    ("c", "_"): ["c", "_"],
}


@pytest.mark.parametrize("labels", NAMES)
def test_labels_become_distinct_parameters_and_hide_no_attribute_of_modules(labels):
    lines = [
        f"v{i} = variable<scalar>(shape = [2], label = '{one}');" for i, one in enumerate(labels)
    ]
    graph = small(
        f"{' '.join(lines)} c = constant<scalar>(shape = [2], value = [1.0]); y = add(x, c);"
    )
    graph = graph.with_data({f"v{i}": np.full(2, i, np.float32) for i in range(2)})
    graph = graph.with_outputs(["y", "v0", "v1"])
    module = GraphModule(graph)
    assert sorted(module.state_dict()) == sorted(NAMES[labels])
    expected = run(graph, X)
    for found, wanted in zip(module(torch.from_numpy(X)), expected.values(), strict=True):
        np.testing.assert_array_equal(found.detach(), wanted)
    module.load_state_dict({name: torch.full((2,), 7.0) for name in module.state_dict()})
    assert all((array == 7).all() for array in module.weights().values())


def test_labels_that_differ_in_case_only_are_one_parameter():
    graph = small(
        "v = variable<scalar>(shape = [2], label = 'fc/W'); "
        "w = variable<scalar>(shape = [2], label = 'FC/w'); a = add(x, v); y = mul(a, w);"
    )
    module = GraphModule(graph.with_data({"v": np.float32([1, 2])}))
    assert [name for name, _ in module.named_parameters()] == ["fc.W"]
    module(torch.from_numpy(X)).sum().backward()
    np.testing.assert_array_equal(module.weights()["w"], [1, 2])


def test_the_module_computes_what_the_graph_does_for_any_batch():
    graph = classifier()
    module = GraphModule(graph)
    x = np.random.default_rng(2).standard_normal((2, 3, 8, 8)).astype(np.float32)
    (expected,) = run(graph, x).values()
    for times in (1, 3):
        found = module(torch.from_numpy(np.concatenate([x] * times)))
        np.testing.assert_allclose(
            found.detach(), np.concatenate([expected] * times), rtol=1e-5, atol=1e-6
        )


def test_trained_weights_of_the_module_can_be_put_into_the_graph():
    graph = classifier()
    module = GraphModule(graph)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(x), torch.tensor([1, 4]))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(p.grad is not None for p in module.parameters())
    trained = graph.with_data(module.weights())
    (expected,) = run(trained, x.numpy()).values()
    np.testing.assert_allclose(module(x).detach(), expected, rtol=1e-4, atol=1e-5)
    before = graph.tensors["filter"].data
    assert not np.array_equal(before, trained.tensors["filter"].data)


def test_wrong_arguments_of_the_module_are_refused():
    module = GraphModule(small())
    with pytest.raises(TypeError, match="inputs are x"):
        module()
    with pytest.raises(TypeError, match="inputs are x"):
        module(torch.from_numpy(X), z=torch.from_numpy(X))
    np.testing.assert_array_equal(module(x=torch.from_numpy(X)), X.clip(0))
