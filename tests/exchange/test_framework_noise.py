"""Conversions print nothing of what frameworks print, log and warn of, and all that modules do."""

import contextlib
import logging
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch

import nnefkit as nk
from nnefkit.exchange.framework_noise import quiet_frameworks

NOISY = """
import warnings
import numpy as np, onnx, torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
import nnefkit as nk

class Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
    def forward(self, *inputs):
        return self.function(*inputs)

def checkpoint(x):
    return torch.utils.checkpoint.checkpoint(torch.sin, x, use_reentrant=True)

masked = {"src": torch.randn(2, 3, 8), "src_key_padding_mask": torch.zeros(2, 3).bool()}
masked["src_key_padding_mask"][0, 2] = True
layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
modules = [
    (Net(lambda x: x * 2 if x.sum() > 0 else x), torch.randn(3)),
    (Net(lambda x: torch.zeros(int(x.max()))), torch.randn(3)),
    (Net(lambda x: torch.stft(x, 16, return_complex=True).abs()), torch.randn(1, 64)),
    (Net(checkpoint), torch.randn(3)),
    (Net(lambda x: torch.view_as_complex(x).to(torch.float32)), torch.randn(3, 2)),
    (Net(lambda x: x.to(torch.int64).half().float()), torch.full((3,), 1e9)),
    (nn.TransformerEncoder(layer, 2, enable_nested_tensor=True).eval(), masked),
    (nn.Linear(3, 2), torch.randn(1, 4)),
]

def onnx_model(nodes, shape, weights=()):
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "net", [x], [y], weights)
    inner = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [7])
    graph.value_info.append(inner)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])

weights = [numpy_helper.from_array(np.array([np.nan, 1e30, 1], np.float32), "w")]
casts = [
    helper.make_node("Cast", ["w"], ["a"], to=TensorProto.INT32),
    helper.make_node("Cast", ["a"], ["b"], to=TensorProto.FLOAT),
    helper.make_node("Add", ["x", "b"], ["y"]),
]
wrong_shapes = [
    helper.make_node("Relu", ["x"], ["inner"]), helper.make_node("Exp", ["inner"], ["y"])
]
models = [onnx_model(casts, [3], weights), onnx_model(wrong_shapes, [9])]
warnings.simplefilter("always")

def tried(function, *arguments):
    try:
        return function(*arguments, progress=False)
    except nk.NnefError:
        return None

graphs = [tried(nk.from_torch, *pair) for pair in modules]
graphs += [tried(nk.from_onnx, model) for model in models]
for graph in filter(None, graphs):
    tried(nk.to_onnx, graph)
try:
    nk.trace_torch(modules[0][0], modules[0][1])
except nk.NnefError:
    pass
assert sum(graph is not None for graph in graphs) >= 4, graphs
"""


def test_frameworks_are_silent():
    done = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Talking(torch.nn.Module):
    def forward(self, x):
        print("printed")
        print("printed as an error", file=sys.stderr)
        logging.getLogger("mine").warning("logged")
        warnings.warn("to be careful with", stacklevel=2)
        return x * 2


def test_what_the_module_says_is_shown(capsys, caplog):
    with pytest.warns(UserWarning, match="to be careful with"):
        nk.from_torch(Talking(), torch.ones(3), progress=False)
    shown = capsys.readouterr()
    assert shown.out.startswith("printed\n")
    assert shown.err.startswith("printed as an error\n")
    assert "logged" in caplog.messages


def state():
    loggers = {
        name: (logger.level, logger.disabled)
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger) and name in before_loggers
    }
    return sys.stdout, sys.stderr, [*warnings.filters], loggers, np.geterr()


before_loggers = {*logging.root.manager.loggerDict}


def test_everything_is_as_before_afterwards():
    before = state()
    with contextlib.suppress(ZeroDivisionError), quiet_frameworks():
        with quiet_frameworks():
            assert sys.stdout is not before[0]
        assert sys.stdout is not before[0]
        assert np.geterr()["over"] == "ignore"
        raise ZeroDivisionError
    assert state() == before


def test_threads_end_the_silence_together():
    before = state()
    begun, ended = threading.Event(), threading.Event()

    def other():
        with quiet_frameworks():
            begun.set()
            ended.wait(60)

    thread = threading.Thread(target=other)
    with quiet_frameworks():
        thread.start()
        begun.wait(60)
    assert sys.stdout is not before[0]
    ended.set()
    thread.join()
    assert state() == before
