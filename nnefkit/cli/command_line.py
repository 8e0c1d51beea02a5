"""Entry point: parse the arguments, run a command, return its exit status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import NoReturn

from nnefkit.cli import terminal
from nnefkit.cli.terminal import FAILED, USAGE
from nnefkit.display.visible_text import printable
from nnefkit.errors import Diagnostic, InputError, MissingPackageError, NnefError, UnknownNameError

COMMANDS = (
    *("validate", "explain", "info", "cost", "format", "run", "compare", "blame", "diff"),
    *("sensitivity", "quantize", "report", "convert", "export-script"),
)
"""The commands in the order of the help; each is the module of this name, with underscores."""
INTERRUPTED = 130
BROKEN_PIPE = 141
"""Exit statuses that shells report for a process that SIGINT or SIGPIPE ended."""

_EPILOG = """\
examples:
  nnefkit validate model.nnef.tgz
  nnefkit explain unknown-argument
  nnefkit info model/
  nnefkit cost model/
  nnefkit format --in-place model/graph.nnef
  nnefkit run model/ --input image=cat.npy -o result.npz
  nnefkit compare expected.npz result.npz
  nnefkit blame model/ --input image=cat.npy --suspect onnxruntime
  nnefkit diff before.nnef.tgz after.nnef.tgz
  nnefkit sensitivity model/ --input image=cat.npy
  nnefkit report model/ --against quantized/ -o report.html
  nnefkit quantize model/ --calibration images/ -o quantized/
  nnefkit convert network.onnx model.nnef.tgz
  nnefkit export-script chainer > dump_chainer.py

exit status: 0 success; 1 negative result or failure; 2 wrong usage, or a path
that does not exist.
'nnefkit COMMAND --help' describes a command.
"""


def run(arguments: Sequence[str]) -> int:
    """Run the command line.

    Args:
        arguments: The arguments after the name of the program.

    Returns:
        The exit status.
    """
    try:
        terminal.prepare()
        options = _parser(arguments).parse_args(arguments)
        try:
            status = int(options.command(options))
        except NnefError as error:
            status = _report(error, arguments)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            problem = Diagnostic("system", error.strerror or str(error), file=_file(error))
            terminal.error_diagnostics([problem])
            status = FAILED
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has closed the pipe: Python must not try to flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        terminal.error_line("interrupted")
        return INTERRUPTED
    return status


def _file(error: OSError) -> str:
    return error.filename if isinstance(error.filename, str) else ""


def _report(error: NnefError, arguments: Sequence[str]) -> int:
    terminal.error_diagnostics(error.diagnostics)
    if isinstance(error, InputError | UnknownNameError | MissingPackageError):
        return USAGE
    return USAGE if terminal.is_missing(error.diagnostics, arguments) else FAILED


class _CommandParser(argparse.ArgumentParser):
    """The parser of arguments; its errors do not send control characters to the terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command in the arguments, or of all, for their help."""
    parser = _CommandParser(
        prog="nnefkit",
        description="Work with models in the Khronos Neural Network Exchange Format (NNEF).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nnefkit {version('nnefkit')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    is_known = bool(arguments) and arguments[0] in COMMANDS
    for name in arguments[:1] if is_known else COMMANDS:
        import_module(f"nnefkit.cli.{name.replace('-', '_')}").declare(commands)
    return parser
