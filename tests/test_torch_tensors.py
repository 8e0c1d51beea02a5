"""Tensors of PyTorch wherever arrays are taken: converted without loss, or refused."""

import numpy as np
import pytest
import torch

import nnefkit as nk

GRAPH = nk.parse("""version 1.0;
graph g(x) -> (y)
{
    x = external(shape = [2, 3]);
    w = variable(shape = [2, 3], label = "w");
    y = mul(x, w);
}
""")
VALUES = torch.tensor([[1.5, -2.0, 0.25], [0.0, 3.0, -0.5]])
ONES = np.ones((2, 3), np.float32)
READ = {
    "gradients": VALUES.clone().requires_grad_(),
    "parameter": torch.nn.Parameter(VALUES.clone()),
    "bfloat16": VALUES.bfloat16(),
    "bfloat16_gradients": VALUES.bfloat16().requires_grad_(),
    "float8": VALUES.to(torch.float8_e5m2),
    "float16": VALUES.half(),
    "negated_view": torch.complex(VALUES * 0, -VALUES).conj().imag,
    "strided": VALUES.t().contiguous().t(),
}
REFUSED = {
    "sparse": VALUES.to_sparse(),
    "meta": VALUES.to("meta"),
    "complex": VALUES * 1j,
}


@pytest.mark.parametrize("name", READ)
def test_tensors_are_read_without_loss(name, tmp_path):
    tensor, expected = READ[name], VALUES.numpy()
    graph = GRAPH.with_data({"w": tensor})
    np.testing.assert_array_equal(graph.tensor("w").data, expected)
    for inputs in (tensor, {"x": tensor}):
        found = nk.run(GRAPH.with_data({"w": ONES}), inputs)
        np.testing.assert_array_equal(found["y"], expected)
    assert nk.compare({"y": tensor}, {"y": expected}).ok
    nk.write_tensor(tmp_path / "w.dat", tensor)
    np.testing.assert_array_equal(nk.read_tensor(tmp_path / "w.dat"), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_tensors_that_are_not_arrays_are_refused(name, tmp_path):
    tensor = REFUSED[name]
    with pytest.raises(nk.InputError, match="'w'"):
        GRAPH.with_data({"w": tensor})
    with pytest.raises(nk.InputError, match="'x'"):
        nk.run(GRAPH.with_data({"w": ONES}), tensor)
    with pytest.raises(nk.InputError, match="'y'"):
        nk.compare({"y": tensor}, {"y": tensor})
    with pytest.raises(nk.StorageError):
        nk.write_tensor(tmp_path / "w.dat", tensor)


def test_a_retrained_module_gives_its_parameters_and_its_state():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 3),
        torch.nn.BatchNorm2d(3),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 2),
    ).eval()
    x = torch.randn(2, 2, 4, 4)
    graph = nk.from_torch(module, x)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.mul_(2).add_(1)
    expected = module(x).detach().numpy()
    for data in (
        module.state_dict(),
        {**dict(module.named_parameters()), **dict(module.named_buffers())},
    ):
        changed = graph.with_data(data)
        np.testing.assert_allclose(nk.run(changed, x)[graph.outputs[0]], expected, rtol=1e-4)
