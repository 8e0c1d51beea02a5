"""Each operator computes what MXNet 1.9.1 recorded for it."""

from functools import cache

import numpy as np
import pytest
from mxnet_networks import params_of
from oracles.mxnet_operators import CASES, RECORD, arrays_of, symbol
from oracles.reference_archive import relative

import nnefkit as nk
from nnefkit.exchange.mxnet.call import READERS


@cache
def recorded():
    with np.load(RECORD) as file:
        return dict(file)


@pytest.mark.parametrize("name", CASES)
def test_an_operator_computes_what_mxnet_does(name):
    inputs, parameters = arrays_of(name)
    shapes = {key: array.shape for key, array in inputs.items()}
    graph = nk.from_mxnet(
        symbol(name).encode(), params_of(parameters), shapes, verify=False, progress=False
    )
    feeds = {key: inputs[key].astype(np.float32) for key in graph.inputs}
    found = nk.run(graph, feeds, progress=False)
    assert len(found) == CASES[name][3]
    for index, array in enumerate(found.values()):
        assert relative(array, recorded()[f"{name}/{index}"]) <= 2e-6


def test_all_calls_are_recorded():
    assert {f"{name}/{i}" for name, case in CASES.items() for i in range(case[3])} == {*recorded()}
    assert {case[0] for case in CASES.values()} <= {*READERS}
