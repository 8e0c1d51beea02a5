"""The command line, for terminals, scripts and CI.

There is one module for each command, with a function `declare` that adds the command and its
options to the parser and a function `run` that executes it.
"""

from nnefkit.cli.main import main

__all__ = ["main"]
