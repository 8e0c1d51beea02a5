"""``nnefkit format``: layout of documents."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from nnefkit import storage
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command
from nnefkit.errors import InputError, NnefError, StorageError
from nnefkit.language import format_document
from nnefkit.storage.atomic_write import replacing_file

STDIN = "-"
_EXAMPLES = """\
  nnefkit format graph.nnef                    print the formatted document
  nnefkit format --in-place models/*/graph.nnef
  nnefkit format --check --diff graph.nnef     for CI
  git show HEAD:graph.nnef | nnefkit format -

exit status: 0 success; 1 a document has syntax errors or, with --check, would
change; 2 wrong usage.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "format",
        run,
        summary="format a document, preserving its comments",
        description="Format documents: the same tokens and comments, with consistent line breaks "
        "and indentation.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a graph.nnef, or a folder that contains one; - reads standard input",
    )
    parser.add_argument("-i", "--in-place", action="store_true", help="rewrite the files")
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; exit with status 1 if a file would change",
    )
    parser.add_argument(
        "--diff", action="store_true", help="change nothing; show what would change"
    )
    parser.add_argument("--width", type=int, default=100, help="maximum line length (default: 100)")
    parser.add_argument(
        "--indent", type=int, default=4, help="spaces per indentation level (default: 4)"
    )


def run(options: argparse.Namespace) -> int:
    """Format each file; an error in one does not prevent the others from being formatted."""
    _check(options)
    status = 0
    for name in options.files:
        try:
            changes = _format(name, options)
        except (InputError, BrokenPipeError):
            raise
        except NnefError as error:
            terminal.error_diagnostics(error.diagnostics)
            is_missing = terminal.is_missing(error.diagnostics, options.files)
            status = max(status, terminal.USAGE if is_missing else terminal.FAILED)
        else:
            if changes and options.check:
                status = max(status, terminal.FAILED)
    return status


def _check(options: argparse.Namespace) -> None:
    quiet = options.in_place or options.check or options.diff
    if len(options.files) > 1 and not quiet:
        raise InputError(
            "only one document can be written to standard output",
            hint="Add --in-place, --check or --diff, or name one file.",
        )
    if options.in_place and (options.check or options.diff):
        raise InputError("--in-place rewrites files, but --check and --diff change nothing")
    if options.in_place and STDIN in options.files:
        raise InputError("standard input cannot be changed in place", hint="Name a file.")


def _format(name: str, options: argparse.Namespace) -> bool:
    """Format one file, and return whether that changes it."""
    path = Path(name)
    if name != STDIN and path.is_dir():
        path /= storage.GRAPH
    shown = "<stdin>" if name == STDIN else str(path)
    text = _read(None if name == STDIN else path)
    formatted = format_document(text, width=options.width, indent=options.indent, name=shown)
    changes = formatted != text
    if options.in_place:
        if changes:
            _replace(path, formatted)
            terminal.error_line(f"formatted {shown}")
    elif options.diff:
        terminal.document(_diff(text, formatted, shown))
    elif not options.check:
        terminal.document(formatted)
    if options.check and changes:
        terminal.error_line(f"would format {shown}")
    return changes


def _read(path: Path | None) -> str:
    """Read a file; bytes that are not UTF-8 (in comments, for example) are preserved."""
    content = sys.stdin.buffer.read() if path is None else _bytes(path)
    if b"\0" in content[:512] or content[:2] == b"\x1f\x8b" or content[:2] == b"PK":
        raise StorageError(
            "this is not a text file",
            hint="Documents in archives cannot be formatted; unpack them with 'nnefkit convert'.",
            file="<stdin>" if path is None else str(path),
        )
    return content.decode(errors="surrogateescape")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(f"the file cannot be read: {reason}", file=str(path)) from error


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o7777
    with replacing_file(path) as file:
        file.write(text.encode(errors="surrogateescape"))
        Path(file.name).chmod(mode)


def _diff(before: str, after: str, name: str) -> str:
    # Form feeds and similar characters end lines for str.splitlines, but not in a diff.
    lines = difflib.unified_diff(
        before.split("\n"),
        after.split("\n"),
        f"{name} (current)",
        f"{name} (formatted)",
        lineterm="",
    )
    return "".join(f"{line}\n" for line in lines)
