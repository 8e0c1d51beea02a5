"""``nnefkit export-script``: the scripts that dump graphs where an old framework is installed."""

from __future__ import annotations

import argparse
from importlib.resources import files

from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command

FRAMEWORKS = ("chainer", "theano")
"""The frameworks that have no file format for graphs."""
_EXAMPLES = """\
  nnefkit export-script chainer > dump_chainer.py
  nnefkit export-script theano > dump_theano.py

The script needs Python 3.6 or newer, the framework and NumPy, and not nnefkit.
Its head says how to use it. What it writes is read by nnefkit.from_chainer or
nnefkit.from_theano, and by 'nnefkit convert net.json net.nnef.tgz'.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "export-script",
        run,
        summary="print the script that exports models of Chainer or Theano",
        description="Print the script that exports models of a framework without a file format. "
        "Copy it to where the framework is installed.",
        examples=_EXAMPLES,
    )
    parser.add_argument("framework", choices=FRAMEWORKS, help="the framework")


def run(options: argparse.Namespace) -> int:
    """Print a script."""
    terminal.document(script(options.framework))
    return 0


def script(framework: str) -> str:
    """Return the text of the script for a framework."""
    name = f"exchange/scripts/dump_{framework}.py"
    return files("nnefkit").joinpath(name).read_text("utf-8")
