"""The command line: what the notebook does, for terminals, scripts and CI.

One module for each command; each has the function that declares its options and the one that does
what they say. Exit status: 0 all is well, 1 the answer is no or something failed, 2 wrong usage.
"""

from nnefkit.cli.main import main

__all__ = ["main"]
