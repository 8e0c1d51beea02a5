"""Time to export networks from PyTorch, compared with its ONNX exporter in the same run.

Ours reads, names, runs and compares; theirs writes an ONNX model.
"""

import logging
import warnings
from time import perf_counter

import pytest
import torch
from networks.modules import MODULES, module

import nnefkit as nk

ROUNDS = 2
NETWORKS = ["ResNet-50"]


def ours(network, inputs):
    return nk.from_torch(network, inputs)


def theirs(network, inputs):
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.onnx.export(network, inputs, dynamo=True, verbose=False)
    finally:
        logging.disable(logging.NOTSET)


def seconds(call, *args):
    started = perf_counter()
    call(*args)
    return perf_counter() - started


@pytest.mark.parametrize("name", NETWORKS)
def test_export_takes_no_longer_than_onnx(benchmark, name):
    network, inputs = module(name), (torch.randn(MODULES[name][1]),)
    for call in (ours, theirs):
        call(network, inputs)  # what each of them imports and compiles once
    ratios = [
        seconds(ours, network, inputs) / seconds(theirs, network, inputs) for _ in range(ROUNDS)
    ]
    benchmark.extra_info["to torch.onnx.export"] = round(min(ratios), 2)
    benchmark.pedantic(ours, (network, inputs), rounds=1)
    print(f"\n{name}: {min(ratios):.2f} of what torch.onnx.export takes")
    assert min(ratios) <= 1.5
