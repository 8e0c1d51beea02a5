"""Fixtures of the tests of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from nnefkit import write_tensor
from nnefkit.cli import main

TEXT = """\
version 1.0;

graph net( image ) -> ( y )
{
    image = external<scalar>(shape = [1, 2]);  # what comes in
    w = variable<scalar>(shape = [1, 2], label = 'w');
    y = mul(image, w);
}
"""
BROKEN = """\
version 1.0;
graph net(x) -> (y)
{
    x = external(shape = [1, 2]);
    y = relu(x, alpha = 1.0);
    y = sigmoidd(x);
}
"""


class Result(NamedTuple):
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def nnefkit(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run the command line."""

    def call(*arguments: object) -> Result:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        return Result(status, *capsys.readouterr())

    return call


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a valid model."""
    folder = tmp_path / "net.nnef"
    folder.mkdir()
    (folder / "graph.nnef").write_text(TEXT)
    write_tensor(folder / "w.dat", np.array([[2.0, 3.0]], np.float32))
    (folder / "vendor.txt").write_text("kept")
    return folder


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A text with two errors."""
    path = tmp_path / "broken.nnef"
    path.write_text(BROKEN)
    return path


@pytest.fixture
def on_terminal() -> Callable[..., str]:
    """Return the text of an object without code in Python, which gets the rest in a notebook."""

    def text(shown: object, everything: str = "") -> str:
        lines = []
        for line in repr(shown).split("\n"):
            words, code, _ = line.partition(" · all: ")
            if code:
                lines.append(f"{words} · all: {everything}" if everything else words)
            elif not re.fullmatch(r" +\w+(\.\w+(\(.*?\))?)+( · .*)?", line):
                lines.append(line)
        return "\n".join(lines) + "\n"

    return text
