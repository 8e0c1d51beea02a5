"""Modules and example inputs of kinds that cannot be exported: each refusal names the remedy."""

import dataclasses

import numpy as np
import pytest
import torch

import nnefkit as nk


def refusal(module, *arguments, **more):
    with pytest.raises(nk.InputError) as caught:
        nk.from_torch(module, *arguments, **more)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.message, diagnostic.hint


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


class Function(torch.nn.Module):
    """A module that computes a function, with other modules as its parts."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: x[: int(x.max())],
        lambda _, x: x * 2 if (x > 0).all() else x,
    ],
)
def test_shapes_and_branches_by_values_have_the_same_remedy(function):
    _, hint = refusal(Function(function), torch.tensor([1, 2, 3]))
    assert "must not depend on the values of tensors: use torch.where" in hint


@pytest.mark.filterwarnings("ignore")
def test_a_part_that_is_torchscript_is_named():
    part = torch.jit.script(torch.nn.Linear(3, 2))
    _, hint = refusal(Function(lambda self, x: self.head(x), head=part), torch.zeros(1, 3))
    assert hint.startswith("'head' is TorchScript")
    assert "must run" not in hint


@pytest.mark.filterwarnings("ignore")
def test_a_quantized_part_is_named():
    part = torch.ao.nn.quantized.dynamic.Linear(3, 2)
    _, hint = refusal(torch.nn.Sequential(part), torch.zeros(1, 3))
    assert hint == "'0' is quantized: export the module before it is quantized."


@pytest.mark.parametrize(
    "function",
    [
        lambda _, x: torch.zeros(x.max().item()),
        lambda _, x: torch.tensor(x.tolist()),
        lambda _, x: x * x.max().item(),
        lambda _, x: torch.cond((x > 0).all(), lambda x: x + 1, lambda x: x - 1, (x,)),
    ],
)
def test_values_of_tensors_have_a_remedy(function):
    with pytest.raises(nk.DocumentError) as caught:
        nk.from_torch(Function(function), torch.tensor([1, 2, 3]))
    assert "use torch.where" in caught.value.diagnostics[0].hint


def test_numpy_inside_of_a_module_has_its_own_remedy():
    def computes(_, x):
        return x + torch.from_numpy(np.sin(x.numpy()))

    _, hint = refusal(Function(computes), torch.ones(3))
    assert "The module runs, but computes with NumPy" in hint


def test_a_module_that_runs_is_not_said_to_fail():
    def addresses(_, x):
        return x * (x.data_ptr() != 0)

    _, hint = refusal(Function(addresses), torch.ones(3, 4))
    assert "The module runs, but cannot be traced" in hint


class DynamicCache:
    """The interface of caches of keys and values."""

    def __init__(self):
        self.key_cache = []

    def get_seq_length(self):
        return len(self.key_cache)


@dataclasses.dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor


class Opaque:
    pass


REMEDIES = [
    (DynamicCache(), "DynamicCache", "use_cache=False"),
    (Pair(torch.ones(3), torch.ones(3)), "Pair", "register_dataclass(Pair)"),
    (Opaque(), "Opaque", "tensors, or tuples, lists and dicts of them."),
]


@pytest.mark.parametrize(("thing", "name", "remedy"), REMEDIES)
@pytest.mark.parametrize("place", ["alone", "inside"])
def test_results_that_are_not_tensors_have_remedies_of_their_own(thing, name, remedy, place):
    def returns(_, x):
        return thing if place == "alone" else (x * 2, {"a": thing})

    message, hint = refusal(Function(returns), torch.ones(3))
    assert message.endswith(f"the module returns a {name}")
    assert remedy in hint
    assert ("use_cache" in hint) == (name == "DynamicCache")


@pytest.mark.parametrize(("thing", "name", "remedy"), REMEDIES)
@pytest.mark.parametrize("place", ["0", "x", "inside"])
def test_inputs_that_are_not_tensors_have_remedies_of_their_own(thing, name, remedy, place):
    module = Function(lambda _, x: torch.ones(2))
    given = {"0": ((thing,),), "x": ({"x": thing},), "inside": (([thing],),)}[place]
    message, hint = refusal(module, *given)
    assert message.endswith(f"example input {'0' if place == 'inside' else place} is a {name}")
    assert remedy in hint


def test_registered_dataclasses_are_taken_and_returned():
    @dataclasses.dataclass
    class Known:
        left: torch.Tensor
        right: torch.Tensor

    torch.export.register_dataclass(Known)
    module = Function(lambda _, pair: Known(pair.left + pair.right, pair.left * 2))
    graph = nk.from_torch(module, (Known(torch.ones(3), torch.randn(3)),))
    assert len(graph.inputs) == len(graph.outputs) == 2
