"""``nnefkit report``: what is known about a model, as a page for a browser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from nnefkit.analysis import blame, compare, diff, validate
from nnefkit.cli import terminal
from nnefkit.cli.options import (
    Commands,
    command,
    model_path,
    overwriting,
    strictness,
    tolerance,
)
from nnefkit.cli.recorded_inputs import input_files, recorded_inputs
from nnefkit.display.displayed import Displayed
from nnefkit.errors import InputError, StorageError
from nnefkit.execution import trace
from nnefkit.graph import Graph
from nnefkit.io import load
from nnefkit.pictures.report import report

_EXAMPLES = """\
  nnefkit report model.nnef.tgz -o report.html
  nnefkit report model/ --against quantized/ -o report.html
  nnefkit report model/ --against quantized/ --input image=cat.npy -o report.html

exit status: 0 the report was written; 1 the model is not valid, as the report
shows, or the report cannot be written; 2 wrong usage.
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "report",
        run,
        summary="write a page about a model for a browser",
        description="Write what is known about a model as one HTML page, which opens without "
        "Python and without a network: its graph, with blocks that open, what validation found, "
        "its costs; with --against how another model differs; with --input also where the runs of "
        "both differ and which operation is guilty.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    parser.add_argument("--against", metavar="OTHER", help="another model, to compare with it")
    input_files(parser)
    tolerance(parser)
    parser.add_argument(
        "--engine", default="numpy", help="the engine that runs models (default: numpy)"
    )
    parser.add_argument("--title", help="the title of the page (default: the name of the graph)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the .html file")
    overwriting(parser)
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Write a report; return 1 if the model is not valid."""
    target = Path(options.output)
    if target.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"the output file must end with .html: '{options.output}'")
    source = Path(options.path)
    if not source.exists():
        raise StorageError("there is no such file or folder", file=options.path)
    if not terminal.may_write(target, force=options.force):
        terminal.error_line("nothing was written")
        return terminal.FAILED
    checked = validate(source, strict=options.strict)
    objects: list[Displayed] = [checked]
    if checked.ok:
        graph = load(source, strict=options.strict)
        objects = [graph, *_against(options, graph), checked]
    report(objects, target, title=options.title)
    terminal.line(f"{options.output}: {len(target.read_bytes()) / 1024:,.0f} KiB")
    if not checked.ok:
        terminal.error_line("the model is not valid: the report shows why")
    return 0 if checked.ok else terminal.FAILED


def _against(options: argparse.Namespace, graph: Graph) -> Iterator[Displayed]:
    """Yield what is found with another model, and with inputs."""
    feeds = recorded_inputs(options.input, graph) if options.input else None
    recorded = None if feeds is None else trace(graph, feeds, engine=options.engine)
    if options.against is not None:
        other = load(Path(options.against), strict=options.strict)
        labels = (options.path, options.against) if options.path != options.against else None
        yield diff(graph, other, labels=labels)
        if recorded is not None and feeds is not None:
            there = trace(other, feeds, engine=options.engine)
            yield compare(recorded, there, tolerance=options.tolerance)
            yield blame(
                graph,
                feeds,
                suspect=other,
                reference=options.engine,
                engine=options.engine,
                tolerance=options.tolerance,
            )
    if recorded is not None:
        yield recorded
