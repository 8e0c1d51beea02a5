"""The command line, for terminals, scripts and CI.

There is one module for each command, with a function `declare` that adds the command and its
options to the parser and a function `run` that executes it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments after the name of the program; None stands for ``sys.argv[1:]``.

    Returns:
        The exit status.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given == ["--version"]:
        # Nothing else is imported for it.
        sys.stdout.write(f"nnefkit {version('nnefkit')}\n")
        return 0
    from nnefkit.cli import command_line

    return command_line.run(given)
