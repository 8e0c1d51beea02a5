"""``nnefkit cost``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nnefkit as nk

BLAZEFACE = Path(__file__).parents[1] / "models" / "blazeface_front" / "blazeface_front.nnef"


def test_cost_shows_the_sums(nnefkit: Callable[..., Any], on_terminal: Callable[..., str]) -> None:
    assert nnefkit("cost", BLAZEFACE) == (
        0,
        on_terminal(nk.cost(nk.load(BLAZEFACE)), "nnefkit cost --json"),
        "",
    )


def test_cost_shows_blocks(nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("cost", BLAZEFACE, "--by", "operation")
    assert result.status == 0
    assert "cost by operation" in result.out
    assert "conv" in result.out


def test_cost_writes_json(nnefkit: Callable[..., Any]) -> None:
    written = json.loads(
        nnefkit("cost", BLAZEFACE, "--by", "label", "--depth", 2, "--dtype", "int8", "--json").out
    )
    expected = nk.cost(nk.load(BLAZEFACE), dtype="int8")
    assert written["macs"] == expected.macs == sum(row["macs"] for row in written["operations"])
    assert written["parameters"] == 101_390
    assert expected.peak is not None
    assert written["peak"]["bytes"] == expected.peak.bytes
    assert written["weight_bytes"] == expected.weight_bytes
    assert sum(block["flops"] for block in written["blocks"].values()) == expected.flops
    assert written["operations"][0]["live_bytes"] == expected.operations[0].live_bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dtype", "float31"], "Did you mean 'float32'?"),
        (["--by", "label", "--depth", "0"], "'depth' must be a positive integer"),
        (["--by", "labels"], "invalid choice"),
    ],
)
def test_wrong_options_are_wrong_usage(
    options: list[str], words: str, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit("cost", BLAZEFACE, *options)
    assert result.status == 2
    assert words in result.err
