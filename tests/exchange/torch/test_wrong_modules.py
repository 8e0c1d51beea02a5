"""Modules and example inputs of kinds that cannot be exported: each refusal names the remedy."""

import numpy as np
import pytest
import torch

import nnefkit as nk


def refusal(module, *arguments, **more):
    with pytest.raises(nk.InputError) as caught:
        nk.from_torch(module, *arguments, **more)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.message, diagnostic.hint


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_arrays_are_not_tensors(dtype):
    message, hint = refusal(torch.nn.Linear(3, 2), np.zeros((1, 3), dtype))
    assert "is a NumPy ndarray" in message
    assert "torch.from_numpy" in hint
    assert ("float32" in hint) == (dtype == np.float64)


@pytest.mark.parametrize("place", ["list", "dict", "kwargs"])
def test_arrays_inside_of_arguments_are_found(place):
    class Net(torch.nn.Module):
        def forward(self, x):
            return x

    array = np.zeros(3, np.float32)
    given = {"list": (([array],),), "dict": (({"a": array},),), "kwargs": ({"x": array},)}[place]
    message, _ = refusal(Net(), *given)
    assert "NumPy" in message


@pytest.mark.parametrize("make", [torch.jit.script, lambda m: torch.jit.trace(m, torch.ones(1, 3))])
@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused(make):
    message, hint = refusal(make(torch.nn.Linear(3, 2)), torch.zeros(1, 3))
    assert "TorchScript" in message
    assert "nn.Module" in hint


def test_control_flow_by_values_is_refused_with_its_own_remedy():
    class Net(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    _, hint = refusal(Net(), torch.ones(3))
    assert "control flow" in hint


def test_a_module_that_does_not_run_is_not_blamed_for_its_control_flow():
    _, hint = refusal(torch.nn.Linear(3, 2), torch.zeros(1, 4))
    assert "control flow" not in hint
    assert "must run on the example inputs" in hint
