"""Long runs show a progress bar, short ones do not."""

import numpy as np

from nnefkit import io
from nnefkit.execution import Session, progress

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


def test_a_bar_is_shown_when_asked_for_and_counts_operations(capsys):
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
    monkeypatch.setattr(progress, "DELAY", 0.0)
    session.run(np.ones(4))
    assert "net" in capsys.readouterr().err
    session.run(np.ones(4), progress=False)
    assert capsys.readouterr().err == ""
