"""Declaration of a command, and of the options that several commands share."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable
from typing import TypeAlias

_WIDTH = 80

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The subparsers of a parser, to which each module adds its command."""


def command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    summary: str,
    description: str,
    examples: str,
) -> argparse.ArgumentParser:
    """Add a command to the parser.

    Args:
        commands: The commands so far.
        name: The name of the command.
        run: The function that executes the command and returns the exit status.
        summary: One line, for the list of commands.
        description: A paragraph, shown before the options.
        examples: Lines of at most 80 characters, shown below the options.
    """
    parser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, _WIDTH),
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=run)
    return parser


def model_path(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the path of a model, or with `several` the `paths` of one or more."""
    parser.add_argument(
        "paths" if several else "path",
        nargs="+" if several else None,
        metavar="PATH",
        help="a model: a folder with a graph.nnef, a graph.nnef alone, or an archive (tar, tgz, "
        "zip)",
    )


def strictness(parser: argparse.ArgumentParser) -> None:
    """Add ``--strict`` and ``--no-strict``."""
    parser.add_argument(
        "--strict",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="treat unknown operations, and faults whose intent is clear, as errors "
        "(default) or as warnings",
    )


def overwriting(parser: argparse.ArgumentParser) -> None:
    """Add ``--force``."""
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an existing target without a question; without a terminal to ask, it is "
        "refused otherwise",
    )


def json_output(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    parser.add_argument("--json", action="store_true", help="write JSON instead of text")


def pairing(parser: argparse.ArgumentParser) -> None:
    """Add the options that tell how tensors of two runs are paired."""
    parser.add_argument(
        "--pair",
        action="append",
        default=[],
        metavar="A=B",
        help="tensor A of the first run is B in the second; may be repeated",
    )
    parser.add_argument(
        "--names",
        metavar="FILE",
        help='a JSON file with such pairs: {"A": "B", ...}',
    )
    parser.add_argument(
        "--axes",
        choices=["auto"],
        help="auto: where shapes differ, try other orders of the axes (NHWC, NCHW)",
    )
    parser.add_argument(
        "--by-values",
        action="store_true",
        help="pair tensors that have other names by their values; such pairs are reported",
    )


def tolerance(parser: argparse.ArgumentParser) -> None:
    """Add ``--tolerance``."""
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="T",
        help="largest allowed difference, relative to the largest magnitude in the tensor "
        "(default: depends on the dtype)",
    )
