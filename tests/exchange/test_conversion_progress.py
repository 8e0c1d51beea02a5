"""Long conversions show a progress bar with the stage that they are in."""

import os
import signal
import threading
import time
from itertools import pairwise

import numpy as np
import pytest
import torch
import tqdm
from onnx import TensorProto, helper

import nnefkit as nk
from nnefkit.display import progress_bar
from nnefkit.display.progress_bar import StagedProgressBar

MODULE = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())


@pytest.fixture(scope="module")
def graph():
    return nk.from_torch(MODULE, torch.ones(1, 3), name="small")


def conversions(graph, **more):
    """The conversions of a small network, by name."""
    model = nk.to_onnx(graph)
    return {
        "from_torch": lambda: nk.from_torch(MODULE, torch.ones(1, 3), name="small", **more),
        "from_onnx": lambda: nk.from_onnx(model, **more),
        "to_onnx": lambda: nk.to_onnx(graph, **more),
        "trace_torch": lambda: nk.trace_torch(MODULE, torch.ones(1, 3), **more),
        "trace_onnx": lambda: nk.trace_onnx(model, {graph.inputs[0]: np.ones((1, 3))}, **more),
    }


STAGES = {
    "from_torch": ["small: exporting", "small: reading", "small: comparing"],
    "from_onnx": ["ONNX model: opening", "ONNX model: reading", "ONNX model: comparing"],
    "to_onnx": ["small: writing", "small: comparing", "small: saving"],
    "trace_torch": ["Sequential: exporting", "Sequential: reading", "Sequential: running"],
    "trace_onnx": ["ONNX model: opening", "ONNX model: reading", "ONNX model: running"],
}


@pytest.mark.parametrize("function", STAGES)
def test_stages_are_shown_when_asked_for(function, graph, capsys):
    convert = conversions(graph, progress=True)[function]
    capsys.readouterr()
    convert()
    shown = capsys.readouterr().err
    places = [shown.index(stage) for stage in STAGES[function]]
    assert places == sorted(places)
    assert not tqdm.std.tqdm._instances


@pytest.mark.parametrize("function", STAGES)
def test_nothing_is_shown_when_not_wanted(function, graph, capsys, monkeypatch):
    convert = conversions(graph, progress=False)[function]
    capsys.readouterr()
    monkeypatch.setattr(progress_bar, "DELAY", 0.0)
    convert()
    assert capsys.readouterr().err == ""


def products(count, size):
    """Return a model of as many products of large matrices, which takes long to run."""
    names = ["x", *(f"t{number}" for number in range(count))]
    nodes = [
        helper.make_node("MatMul", [before, "x"], [after]) for before, after in pairwise(names)
    ]
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [size, size])
        for name in (names[0], names[-1])
    ]
    graph = helper.make_graph(nodes, "products", infos[:1], infos[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def test_a_run_of_an_onnx_model_can_be_interrupted(capsys, monkeypatch):
    model, x = products(2000, 600), np.full((600, 600), 1 / 600, np.float32)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    started = []
    stage = StagedProgressBar.stage

    def watched(bar, name, *arguments):
        stage(bar, name, *arguments)
        if name == "running":
            started.append(time.monotonic())
            timer.start()

    monkeypatch.setattr(StagedProgressBar, "stage", watched)
    with pytest.raises(KeyboardInterrupt):
        nk.trace_onnx(model, {"x": x}, progress=True)
    # All of it takes ten seconds and more.
    assert time.monotonic() - started[0] < 5
    assert "ONNX model: running" in capsys.readouterr().err
    assert not tqdm.std.tqdm._instances


def test_an_interrupt_closes_the_bar(capsys):
    class Slow(torch.nn.Module):
        def forward(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nk.from_torch(Slow(), torch.ones(3), progress=True)
    assert "Slow: exporting" in capsys.readouterr().err
    assert not tqdm.std.tqdm._instances
