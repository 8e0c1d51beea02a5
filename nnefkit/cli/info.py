"""``nnefkit info``: the content of a model."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, model_path, strictness
from nnefkit.display.graph_summary import GraphSummary, Port
from nnefkit.graph import Graph
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit info model.nnef.tgz
  nnefkit info --json model/ | jq .parameters
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "info",
        run,
        summary="show what a model contains",
        description="Show the inputs, outputs, operations, variables and costs of a model.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    json_output(parser)
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Load a model and show it."""
    graph = load(Path(options.path), strict=options.strict)
    if options.json:
        terminal.as_json(_record(options.path, graph))
    else:
        terminal.card(graph)
    return 0


def _record(path: str, graph: Graph) -> dict[str, Any]:
    summary = GraphSummary(graph)
    return {
        "file": path,
        "name": graph.name,
        "version": graph.version,
        "extensions": graph.extensions,
        "inputs": _ports(summary.inputs),
        "outputs": _ports(summary.outputs),
        "operations": dict(summary.histogram),
        "variables": len(graph.variables),
        "parameters": summary.parameters,
        "bytes": summary.bytes,
        "macs": summary.macs,
        "macs_unknown": summary.macs_unknown,
        "quantized": summary.quantized,
    }


def _ports(ports: Iterable[Port]) -> list[dict[str, Any]]:
    return [{"name": port.name, "dtype": port.dtype, "shape": port.shape} for port in ports]
