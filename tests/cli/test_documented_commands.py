"""The commands in the documentation exist, with all their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*/*.md"))]
COMMANDS = [
    pytest.param(shlex.split(line, comments=True)[1:], id=f"{page.name}: {line}")
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for line in re.findall(r"^nnefkit [a-z].*$", block, re.MULTILINE)
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_documented_command_has_these_arguments(
    arguments: list[str], nnefkit: Callable[..., Any]
) -> None:
    command, *rest = arguments
    shown = nnefkit(command, "--help")
    assert shown.status == 0
    for option in (word for word in rest if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", shown.out), option
    # `run` takes one model; its inputs are options.
    if command == "run":
        assert [word for word in rest[:2] if not word.startswith("-")] == rest[:1]


def test_commands_are_found() -> None:
    assert len(COMMANDS) >= 4
