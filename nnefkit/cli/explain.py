"""``nnefkit explain``: the documentation of diagnostic codes."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator

from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command
from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES, QUANTIZED_GRAPH, TOPICS, DiagnosticCode
from nnefkit.errors import UnknownNameError, did_you_mean

_WIDTH = 80
_EXAMPLES = """\
  nnefkit explain unknown-argument
  nnefkit explain syntax wrong-type    several codes
  nnefkit explain                      list all codes
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "explain",
        run,
        summary="explain diagnostic codes",
        description="Explain diagnostic codes, such as the one in error[unknown-argument]: what "
        "each means, how to fix it, and an example. Without a code, list all codes.",
        examples=_EXAMPLES,
    )
    parser.add_argument("codes", nargs="*", metavar="CODE", help="the code in brackets")


def run(options: argparse.Namespace) -> int:
    """Print the entries of codes, or the list of all codes."""
    if not options.codes:
        terminal.line("\n".join(_list()))
        return 0
    entries = [_known(code) for code in options.codes]
    terminal.line("\n\n\n".join("\n\n".join(_entry(entry)) for entry in entries))
    return 0


def _known(code: str) -> DiagnosticCode:
    """Return the entry of a code, which may be copied with the severity before it."""
    code = code.rpartition("[")[2].rstrip("]:")  # error[unknown-argument]:
    entry = DIAGNOSTIC_CODES.get(code)
    if entry is None:
        raise UnknownNameError(
            f"there is no diagnostic code '{code}'",
            hint=did_you_mean(code, DIAGNOSTIC_CODES) or "'nnefkit explain' lists all codes.",
        )
    return entry


def _list() -> Iterator[str]:
    width = max(map(len, DIAGNOSTIC_CODES)) + 2
    for position, (topic, entries) in enumerate(TOPICS.items()):
        yield f"{'' if position == 0 else chr(10)}{topic}:"
        for entry in entries:
            yield f"  {entry.code:{width}}{entry.title}"


def _entry(entry: DiagnosticCode) -> Iterator[str]:
    yield f"{entry.code}: {entry.title} ({entry.severity})"
    yield textwrap.fill(entry.explanation, _WIDTH)
    if entry.fix:
        yield textwrap.fill(f"How to fix it: {entry.fix}", _WIDTH)
    if entry.example is not None:
        if entry.example.kind == "quantization":
            yield "The graph:\n\n" + _indented(QUANTIZED_GRAPH)
        yield "This triggers it:\n\n" + _indented(entry.example.wrong)
        yield "Fixed:\n\n" + _indented(entry.example.right)
    else:
        yield textwrap.fill(entry.without_example, _WIDTH)
    if entry.sections:
        sections = f"section{'s' * (len(entry.sections) > 1)} {', '.join(entry.sections)}"
        yield f"See {sections} of the NNEF 1.0.5 specification."


def _indented(text: str) -> str:
    return textwrap.indent(text.rstrip("\n"), "    ")
