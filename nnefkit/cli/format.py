"""``nnefkit format``: lays out documents."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nnefkit import storage
from nnefkit.cli import terminal
from nnefkit.cli.options import command
from nnefkit.errors import InputError, NnefError, StorageError
from nnefkit.language import format_document
from nnefkit.storage.atomic import replacing_file

if TYPE_CHECKING:
    from nnefkit.cli.options import Commands

STDIN = "-"
_EXAMPLES = """\
  nnefkit format graph.nnef                    the document, laid out
  nnefkit format --in-place models/*/graph.nnef
  nnefkit format --check --diff graph.nnef     for CI
  git show HEAD:graph.nnef | nnefkit format -

exit status: 0 all is well; 1 a document is broken, or (with --check) would change; 2 wrong usage.
"""


def declare(commands: Commands) -> None:
    """Adds the command."""
    parser = command(
        commands,
        "format",
        run,
        summary="lay out a document, comments kept",
        description="Lays out documents: the same tokens and comments, in lines that read well.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a graph.nnef, or the folder of a model; - reads the standard input",
    )
    parser.add_argument("-i", "--in-place", action="store_true", help="change the files")
    parser.add_argument(
        "--check", action="store_true", help="exit with status 1 if one would change"
    )
    parser.add_argument("--diff", action="store_true", help="show what would change")
    parser.add_argument("--width", type=int, default=100, help="longest line (default: 100)")
    parser.add_argument("--indent", type=int, default=4, help="step of indentation (default: 4)")


def run(options: argparse.Namespace) -> int:
    """Lays out each file; a broken one does not keep the others from being laid out."""
    _check(options)
    status = 0
    for name in options.files:
        try:
            changes = _format(name, options)
        except (InputError, BrokenPipeError):
            raise
        except NnefError as error:
            terminal.error_diagnostics(error.diagnostics)
            status = terminal.FAILED
        else:
            if changes and options.check:
                status = terminal.FAILED
    return status


def _check(options: argparse.Namespace) -> None:
    quiet = options.in_place or options.check or options.diff
    if len(options.files) > 1 and not quiet:
        raise InputError(
            "several documents cannot be written one behind the other",
            hint="Add --in-place, --check or --diff, or name one file.",
        )
    if options.in_place and (options.check or options.diff):
        raise InputError("--in-place changes files, which --check and --diff do not")
    if options.in_place and STDIN in options.files:
        raise InputError("the standard input cannot be changed in place", hint="Name a file.")


def _format(name: str, options: argparse.Namespace) -> bool:
    """Lays out one file, and tells whether that changes it."""
    path = Path(name)
    if name != STDIN and path.is_dir():
        path /= storage.GRAPH
    shown = "<stdin>" if name == STDIN else str(path)
    text = _read(None if name == STDIN else path)
    laid_out = format_document(text, width=options.width, indent=options.indent, name=shown)
    changes = laid_out != text
    if options.in_place:
        if changes:
            _replace(path, laid_out)
            terminal.error_line(f"laid out {shown}")
    elif options.diff:
        terminal.document(_diff(text, laid_out, shown))
    elif not options.check:
        terminal.document(laid_out)
    if options.check and changes:
        terminal.error_line(f"would lay out {shown}")
    return changes


def _read(path: Path | None) -> str:
    """The text of a file; bytes that are no text (in comments, say) survive in it."""
    content = sys.stdin.buffer.read() if path is None else _bytes(path)
    if b"\0" in content[:512] or content[:2] == b"\x1f\x8b" or content[:2] == b"PK":
        raise StorageError(
            "this is no text",
            hint="Documents in archives cannot be laid out: 'nnefkit convert' unpacks them.",
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
    # Other line ends of the language, such as form feeds, stay inside of the lines.
    lines = difflib.unified_diff(
        before.split("\n"),
        after.split("\n"),
        f"{name} (as it is)",
        f"{name} (laid out)",
        lineterm="",
    )
    return "".join(f"{line}\n" for line in lines)
