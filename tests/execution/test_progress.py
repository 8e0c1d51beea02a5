"""Long runs show a progress bar, short ones do not."""

import contextlib
import threading
import time

import numpy as np
import pytest
import tqdm.notebook
import tqdm.std

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


# -- work in stages --------------------------------------------------------------------------------


def shown_within(capsys, *words):
    """Return what was shown when all words have been, or after a minute."""
    shown, end = "", time.monotonic() + 60
    while not all(word in shown for word in words) and time.monotonic() < end:
        time.sleep(0.02)
        shown += capsys.readouterr().err
    return shown


def test_a_stage_that_cannot_be_counted_shows_a_bar_while_it_goes_on(capsys, monkeypatch):
    monkeypatch.setattr(progress_bar, "DELAY", 0.05)
    with progress_bar.StagedProgressBar("net", None) as bar:
        bar.stage("exporting")
        shown = shown_within(capsys, "net: exporting: 00:0")
        bar.stage("reading", 5, "node")
        bar.update(2)
        bar.update(3)
        shown += shown_within(capsys, "net: reading", "/5")
    assert "net: exporting: 00:0" in shown
    assert "net: reading" in shown
    assert "/5" in shown
    assert not tqdm.std.tqdm._instances


def test_quick_work_in_stages_shows_nothing(capsys):
    with progress_bar.StagedProgressBar("net", None) as bar:
        bar.stage("reading", 2, "node")
        bar.update(2)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_staged_bar_is_closed_when_the_work_fails(capsys, error):
    # Threads of other work in this process may end meanwhile, and tqdm's monitor remains.
    before = {*threading.enumerate()}

    def new_threads():
        new = {*threading.enumerate()} - before
        return [thread for thread in new if not isinstance(thread, tqdm.TMonitor)]

    with contextlib.suppress(error), progress_bar.StagedProgressBar("net", True) as bar:
        bar.stage("reading", 2, "node")
        raise error
    assert "net: reading" in capsys.readouterr().err
    assert not tqdm.std.tqdm._instances
    end = time.monotonic() + 60
    while new_threads() and time.monotonic() < end:
        time.sleep(0.02)
    assert not new_threads()


def test_a_staged_bar_that_cannot_be_shown_disturbs_nothing(monkeypatch):
    monkeypatch.setattr(progress_bar, "DELAY", 0.01)

    class Fails:
        def __init__(self, **_):
            failed.set()
            raise OSError

    failed = threading.Event()
    monkeypatch.setattr("tqdm.auto.tqdm", Fails)
    with progress_bar.StagedProgressBar("net", None) as bar:
        bar.stage("waiting")
        assert failed.wait(60)
        bar.stage("reading", 2, "node")
        bar.update(1)


def test_a_staged_bar_leaves_nothing_in_a_notebook(monkeypatch):
    notebook = Notebook()
    monkeypatch.setattr("IPython.display.display", notebook.display)
    monkeypatch.setattr("tqdm.auto.tqdm", tqdm.notebook.tqdm)
    with progress_bar.StagedProgressBar("net", True) as bar:
        bar.stage("exporting")
        bar.stage("reading", 3, "node")
        bar.update(1)
        assert len(notebook.outputs) == 1
    assert notebook.outputs == [{"text/plain": ""}]
