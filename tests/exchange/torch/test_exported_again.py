"""Modules of `to_torch`: exported again, and called with inputs of other shapes."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracles.drawn_calls import CALLS
from oracles.one_call import calls_of, graph_of
from sampled import sampled
from torch import nn

import nnefkit as nk

REGIONS = {"avg_roi_pool", "max_roi_pool", "roi_resample", "avg_roi_align", "max_roi_align"}
"""Operations whose result consists of parts that the values of a tensor select."""


@pytest.mark.parametrize("operation", sampled(sorted(set(CALLS) - {"constant"}), 4))
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_modules_of_every_operation_can_be_exported_again(operation, data):
    graph, feeds = graph_of(operation, data.draw(calls_of(operation, strange=False, plain=True)))
    if not feeds:
        return  # Literals only.
    inputs = tuple(torch.from_numpy(np.array(array)) for array in feeds.values())
    module = nk.to_torch(graph)
    if operation in REGIONS:
        with pytest.raises(nk.InputError, match=f"'{operation}'.* depend on the values"):
            nk.from_torch(module, inputs)
        with pytest.raises(nk.ExecutionError, match=f"'{operation}'.* depend on the values"):
            torch.export.export(module, inputs)
        return
    again = nk.from_torch(module, inputs)  # It is proved against the module.
    read = {again.tensors[name].origin: name for name in again.inputs}
    wanted = nk.run(graph, feeds)
    results = nk.run(again, {read[f"inputs_{n}"]: array for n, array in enumerate(feeds.values())})
    for found, expected in zip(results.values(), wanted.values(), strict=True):
        finite = np.abs(expected[np.isfinite(expected)])
        np.testing.assert_allclose(found, expected, 1e-4, 1e-4 * finite.max(initial=1e-3))


TABLE = nk.parse(
    "version 1.0; graph g(i) -> (y) { i = external<integer>(shape = [3]);"
    " w = variable<scalar>(shape = [4, 2], label = 'w'); y = gather(w, i, axis = 0); }"
).with_data({"w": np.arange(8, dtype=np.float32).reshape(4, 2)})


@pytest.mark.parametrize("wrong", [-1, 4, 2**40])
def test_indices_out_of_range_are_errors_before_and_after_an_export(wrong):
    module, indices = nk.to_torch(TABLE), torch.tensor([0, 2, 3])
    rows = np.arange(8).reshape(4, 2)[[0, 2, 3]]
    np.testing.assert_array_equal(module(indices).detach(), rows)
    with pytest.raises(nk.ExecutionError, match=f"'gather'.*'indices' has {wrong}, but axis 0"):
        module(torch.tensor([0, wrong, 3]))
    program = torch.export.export(module, (indices,)).module()
    np.testing.assert_array_equal(program(indices).detach(), rows)
    with pytest.raises(RuntimeError, match="an index is not from 0 to 3"):
        program(torch.tensor([0, wrong, 3]))
    again = nk.from_torch(module, indices)
    assert [op.name for op in again.operations] == ["external", "variable", "gather"]
    with pytest.raises(nk.ExecutionError, match=f"'indices' has {wrong}"):
        nk.run(again, [0, wrong, 3])


def test_an_export_leaves_the_engine_as_it_was():
    graph = nk.parse(
        "version 1.0; graph g(x) -> (y) { x = external<scalar>(shape = [1, 1, 2, 5]);"
        " y = pad(x, padding = [(0, 0), (0, 0), (3, 2), (4, 4)], border = 'reflect-even'); }"
    )
    x = np.arange(10, dtype=np.float32).reshape(1, 1, 2, 5)
    torch.export.export(nk.to_torch(graph), (torch.from_numpy(x),))
    wanted = np.pad(x, ((0, 0), (0, 0), (3, 2), (4, 4)), "symmetric")
    np.testing.assert_array_equal(nk.run(graph, x, engine="torch")["y"], wanted)


# -- other shapes ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recurrent():
    torch.manual_seed(0)
    return nk.from_torch(nn.LSTM(3, 4, batch_first=True).eval(), torch.randn(1, 5, 3))


def without_record(graph):
    """The same graph, as if somebody had written it."""
    text = "\n".join(line for line in str(graph).splitlines() if "converted for" not in line)
    return nk.parse(text).with_data({v.name: graph.tensors[v.name].data for v in graph.variables})


@pytest.mark.parametrize("length", [3, 7, 10])
@pytest.mark.parametrize("written", [False, True])
def test_other_numbers_of_time_steps_are_refused(recurrent, written, length):
    graph = without_record(recurrent) if written else recurrent
    module, x = nk.to_torch(graph), torch.randn(1, length, 3)
    error = nk.ExecutionError if written else nk.InputError
    with pytest.raises(error, match=rf"for input = \[1, {length}, 3\]"):
        module(x)
    with pytest.raises(error, match=rf"for input = \[1, {length}, 3\]"):
        torch.export.export(module, (x,))
    with pytest.raises(error, match=rf"for input = \[1, {length}, 3\]"):
        nk.from_torch(module, x)


def test_the_reason_of_a_refused_shape_names_both(recurrent):
    with pytest.raises(nk.ExecutionError) as caught:
        nk.to_torch(without_record(recurrent))(torch.randn(1, 7, 3))
    (diagnostic,) = caught.value.diagnostics
    assert "unstack: it returns 7 tensors, but 5 are named" in diagnostic.message
    assert "[1, 5, 3]" in diagnostic.hint


def test_operations_that_fail_are_named():
    graph = nk.parse(
        "version 1.0; graph g(x, y) -> (z) { x = external<scalar>(shape = [2, 3]);"
        " y = external<scalar>(shape = [2, 3]); z = add(x, y); }"
    )
    with pytest.raises(nk.ExecutionError, match=r"cannot be computed for x = \[2, 3\], y = \[2, 4"):
        nk.to_torch(graph)(torch.zeros(2, 3), torch.zeros(2, 4))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.AvgPool2d(2)).eval()


def test_other_batches_are_computed_and_exported_again(network):
    module = nk.to_torch(nk.from_torch(network, torch.randn(2, 3, 10, 10)))
    x = torch.randn(5, 3, 10, 10)
    with pytest.raises(nk.InputError, match="cannot be checked during an export"):
        torch.export.export(module, (x,))
    torch.testing.assert_close(module(x), network(x), atol=1e-5, rtol=1e-5)
    program = torch.export.export(module, (x,)).module()  # The call has checked this shape.
    torch.testing.assert_close(program(x), network(x), atol=1e-5, rtol=1e-5)
    other = torch.randn(4, 3, 10, 10)
    again = nk.from_torch(module, other)
    found = torch.from_numpy(next(iter(nk.run(again, other.numpy()).values())))
    torch.testing.assert_close(found, network(other), atol=1e-5, rtol=1e-5)


def test_exported_programs_are_dynamic_as_far_as_their_graph(network):
    x = torch.randn(2, 3, 10, 10)
    fixed = nk.to_torch(nk.from_torch(network, x))
    batch = {"inputs": ({0: torch.export.Dim("batch", max=6)},)}
    with pytest.raises(nk.InputError, match="not recorded which results depend on axis 0"):
        torch.export.export(fixed, (x,), dynamic_shapes=batch)
    graph = nk.from_torch(network, x, dynamic_shapes={"input": {0: (1, 6)}})
    program = torch.export.export(nk.to_torch(graph), (x,), dynamic_shapes=batch).module()
    for count in (2, 6):
        x = torch.randn(count, 3, 10, 10)
        torch.testing.assert_close(program(x), network(x), atol=1e-5, rtol=1e-5)
    batch = {"inputs": ({0: torch.export.Dim.AUTO},)}
    program = torch.export.export(nk.to_torch(graph), (x,), dynamic_shapes=batch).module()
    with pytest.raises(AssertionError, match="<= 6"):
        program(torch.randn(7, 3, 10, 10))
