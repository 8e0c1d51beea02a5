"""The trace of a module is that of the module as it is now."""

import torch

import nnefkit as nk


def test_a_module_that_changed_since_its_export_is_compared_with_its_own_weights():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    x = torch.randn(2, 4)
    graph = nk.from_torch(module, x)
    ours = nk.trace(graph, x.numpy())
    same = nk.compare(ours, nk.trace_torch(module, x, graph=graph))
    assert same.ok
    with torch.no_grad():
        module[2].weight.mul_(2)
    trace = nk.trace_torch(module, x, graph=graph)
    found = nk.compare(ours, trace)
    first = found.first_divergence
    assert first.operation == "linear"
    (cause,) = first.causes
    assert graph.tensor(cause).shape == (2, 3)
    assert "weights are equal" not in found.summary
    assert (trace[cause] == 2 * graph.tensor(cause).data).all()


def test_weights_of_a_module_of_another_form_are_not_claimed_to_be_equal():
    torch.manual_seed(0)
    linear = torch.nn.Linear(4, 3)
    x = torch.randn(2, 4)
    graph = nk.from_torch(torch.nn.Sequential(linear, torch.nn.ReLU()), x)
    other = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Tanh())
    trace = nk.trace_torch(other, x, graph=graph)
    found = nk.compare(nk.trace(graph, x.numpy()), trace)
    assert found.first_divergence.operation == "linear"
    assert "so its weights differ or it is computed differently" in found.summary
