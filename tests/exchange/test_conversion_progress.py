"""Long conversions show a progress bar with the stage that they are in."""

import pytest
import torch
import tqdm

import nnefkit as nk
from nnefkit.display import progress_bar

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
    }


STAGES = {
    "from_torch": ["small: exporting", "small: reading", "small: comparing"],
    "from_onnx": ["ONNX model: opening", "ONNX model: reading", "ONNX model: comparing"],
    "to_onnx": ["small: writing", "small: comparing", "small: saving"],
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


def test_an_interrupt_closes_the_bar(capsys):
    class Slow(torch.nn.Module):
        def forward(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nk.from_torch(Slow(), torch.ones(3), progress=True)
    assert "Slow: exporting" in capsys.readouterr().err
    assert not tqdm.std.tqdm._instances
