"""Long runs show a progress bar, short ones do not."""

import contextlib

import numpy as np
import pytest
import tqdm.notebook

from nnefkit import io
from nnefkit.display import progress_bar
from nnefkit.execution import Session

TEXT = """
version 1.0;
graph net(x) -> (y)
{
    x = external<scalar>(shape = [4]);
    a = exp(x);
    b = relu(a);
    y = add(b, 1.0);
}
"""


def test_a_bar_is_shown_on_request_and_counts_operations(capsys):
    Session(io.parse(TEXT)).run(np.ones(4), progress=True)
    shown = capsys.readouterr().err
    assert "net" in shown
    assert "/3" in shown


def test_short_runs_show_nothing(capsys):
    session = Session(io.parse(TEXT))
    session.run(np.ones(4))
    session.trace(np.ones(4))
    assert capsys.readouterr().err == ""


def test_long_runs_show_a_bar_after_the_delay(capsys, monkeypatch):
    session = Session(io.parse(TEXT))
    session.run(np.ones(4))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress_bar, "DELAY", 0.0)
    session.run(np.ones(4))
    assert "net" in capsys.readouterr().err
    session.run(np.ones(4), progress=False)
    assert capsys.readouterr().err == ""


class Notebook:
    """The handle of IPython that updates an output."""

    def __init__(self):
        self.outputs = []

    def display(self, shown, display_id):
        assert display_id
        self.outputs.append({"text/plain": repr(shown)})
        return self

    def update(self, data, raw):
        assert raw
        self.outputs[-1] = data


@pytest.mark.parametrize("fails", [False, True])
def test_a_bar_leaves_nothing_in_a_notebook(monkeypatch, fails):
    notebook = Notebook()
    monkeypatch.setattr("IPython.display.display", notebook.display)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm.notebook.tqdm)
    with (
        contextlib.suppress(KeyboardInterrupt),
        progress_bar.ProgressBar(3, "net", "operation", delay=0) as shown,
    ):
        shown.update(1)
        shown.update(1)
        assert "1/3" in notebook.outputs[0]["text/plain"]
        if fails:
            raise KeyboardInterrupt
        shown.update(1)
    assert notebook.outputs == [{"text/plain": ""}]
