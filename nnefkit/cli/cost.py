"""``nnefkit cost``: arithmetic, memory traffic and peak memory of a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nnefkit.analysis import Cost, cost
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, model_path, strictness
from nnefkit.io import load

_EXAMPLES = """\
  nnefkit cost model.nnef.tgz
  nnefkit cost model/ --by label --depth 2
  nnefkit cost model/ --dtype int8 --json | jq .macs
"""


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "cost",
        run,
        summary="show what a run costs: MACs, FLOPs, bytes, peak memory",
        description="Compute what a run of a model costs, from its shapes alone: multiply-"
        "accumulates, arithmetic operations, parameters, bytes read and written, and where memory "
        "peaks.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    parser.add_argument(
        "--by",
        choices=["fragment", "label", "family", "operation"],
        help="show sums over blocks: fragment calls, prefixes of labels, families or names of "
        "operations",
    )
    parser.add_argument(
        "--depth",
        type=int,
        default=1,
        metavar="N",
        help="number of nested calls, or of parts of a label, that tell blocks apart (default: 1)",
    )
    parser.add_argument(
        "--dtype",
        metavar="T",
        help="what scalars are counted as: float32, float64, float16, bfloat16, int8 (default: "
        "what engines compute in)",
    )
    json_output(parser)
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Show the cost of a model."""
    found = cost(load(Path(options.path), strict=options.strict), dtype=options.dtype)
    blocks = found.by(options.by, options.depth) if options.by else None
    if options.json:
        named = {} if blocks is None else {"blocks": _sums(blocks)}
        terminal.as_json({**_record(found), **named})
    else:
        terminal.card(found if blocks is None else blocks, "nnefkit cost --json")
    return 0


def _record(found: Cost) -> dict[str, Any]:
    peak = found.peak
    return {
        "graph": found.graph.name,
        "dtype": found.dtype,
        "macs": found.macs,
        "flops": found.flops,
        "parameters": found.parameters,
        "bytes_read": found.bytes_read,
        "bytes_written": found.bytes_written,
        "intensity": found.intensity,
        "weight_bytes": found.weight_bytes,
        "peak": None if peak is None else peak._asdict(),
        "once": found.once._asdict(),
        "unknown": found.unknown,
        "operations": [{**row._asdict(), "intensity": row.intensity} for row in found.operations],
    }


def _sums(blocks: Any) -> dict[str, Any]:
    return {name: {**each._asdict(), "intensity": each.intensity} for name, each in blocks.items()}
