"""Infinities and NaN stay where they belong, and indices out of range are errors."""

import numpy as np
import pytest
import torch
from oracles.torch_operators import Of
from torch.nn import functional

import nnefkit as nk

INF, NAN = float("inf"), float("nan")
INDEX = torch.tensor([1, 2, 1])
UPDATES = torch.tensor([2.0, -INF, 1.0])
CASES = {
    "scatter_add": (lambda x, i, u: x.scatter_add(0, i, u), [0.0, 1.0, 2.0, NAN]),
    "index_add": (lambda x, i, u: x.index_add(0, i, u), [0.0, 1.0, 2.0, INF]),
    "index_copy": (lambda x, i, u: x.index_copy(0, i[:2], u[:2]), [0.0, NAN, 2.0, INF]),
    "largest": (lambda x, i, u: x.scatter_reduce(0, i, u, "amax"), [-INF, 1.0, -INF, 3.0]),
    "largest of new ones": (
        lambda x, i, u: x.scatter_reduce(0, i, u, "amax", include_self=False),
        [-INF, 1.0, 2.0, INF],
    ),
}


def run(graph, *inputs):
    given = dict(zip(graph.inputs, (x.numpy() for x in inputs), strict=True))
    return nk.run(graph, given)[graph.outputs[0]]


@pytest.mark.parametrize("name", CASES)
def test_infinities_do_not_spread(name):
    function, items = CASES[name]
    graph = nk.from_torch(Of(function), (torch.arange(4.0), INDEX, torch.ones(3)))
    inputs = torch.tensor(items), INDEX, UPDATES
    np.testing.assert_array_equal(run(graph, *inputs), function(*inputs).numpy())


def test_infinities_in_a_block_do_not_spread():
    def function(x):
        return functional.fold(x, (4, 5), (2, 3))

    blocks = torch.arange(54.0).reshape(1, 6, 9)
    blocks[0, 1, 4], blocks[0, 5, 0] = INF, NAN
    graph = nk.from_torch(Of(function), torch.ones(1, 6, 9))
    np.testing.assert_array_equal(run(graph, blocks), function(blocks).numpy())


def test_infinities_in_excluded_rows_do_not_spread():
    table = torch.arange(12.0).reshape(4, 3)
    table[2], table[3] = NAN, -INF
    index = torch.tensor([[2, 0, 1], [2, 2, 2], [3, 2, 3]])
    for mode in ("sum", "mean", "max"):

        def function(w, i, mode=mode):
            return functional.embedding_bag(i, w, mode=mode, padding_idx=2)

        graph = nk.from_torch(Of(function), (torch.ones(4, 3), index))
        np.testing.assert_array_equal(run(graph, table, index), function(table, index).numpy())


@pytest.mark.parametrize("index", [-1, 4])
def test_an_index_out_of_range_is_an_error(index):
    for function in (lambda x, i: x.scatter(0, i, 1.0), lambda x, i: x.index_copy(0, i, -x[:3])):
        check_out_of_range(function, index)


@pytest.mark.parametrize("index", [-5, 4])
def test_an_index_out_of_range_is_an_error_where_negative_ones_count_from_the_end(index):
    for function in (lambda x, i: x.index_fill(0, i, 1.0), lambda x, i: x.put(i, -x[:3])):
        check_out_of_range(function, index)


def check_out_of_range(function, index):
    inputs = torch.arange(4.0), torch.tensor([0, index, 1])
    with pytest.raises((IndexError, RuntimeError)):
        function(*inputs)
    graph = nk.from_torch(Of(function), (torch.arange(4.0), INDEX))
    with pytest.raises(nk.ExecutionError, match=str(index)):
        run(graph, *inputs)
