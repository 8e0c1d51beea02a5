"""The command line as a whole: usage, help, colors, pipes, interruptions."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from nnefkit.cli import terminal, validate

COMMANDS = ["validate", "explain", "info", "format", "run", "compare", "convert"]
PROGRAM = [sys.executable, "-m", "nnefkit"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}


def test_the_version(nnefkit: Callable[..., Any]) -> None:
    assert nnefkit("--version") == (0, f"nnefkit {version('nnefkit')}\n", "")


def test_help_names_every_command(nnefkit: Callable[..., Any]) -> None:
    result = nnefkit("--help")
    assert result.status == 0
    for command in COMMANDS:
        assert f"    {command} " in result.out
        assert f"  nnefkit {command} " in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command_has_examples(command: str, nnefkit: Callable[..., Any]) -> None:
    result = nnefkit(command, "--help")
    assert result.status == 0
    assert f"examples:\n  nnefkit {command} " in result.out


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_into_80_columns(
    command: str, nnefkit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = nnefkit(*([command] * bool(command)), "--help").out.splitlines()
    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["validate"],
        ["validate", "--unknown", "x"],
        ["format", "a", "b"],
        ["format", "--in-place", "--check", "a"],
        ["format", "--in-place", "-"],
        ["run", "x", "-o", "result.txt"],
        ["convert", "model", "model.tflite"],
        ["convert", "model.tflite", "model"],
        ["explain", "no-such-code"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str], nnefkit: Callable[..., Any]) -> None:
    result = nnefkit(*arguments)
    assert result.status == 2
    assert not result.out
    assert "error" in result.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", "nowhere"],
        ["format", "nowhere"],
        ["run", "nowhere"],
        ["run", "MODEL", "--input", "image=nowhere.npy"],
        ["validate", "nowhere"],
        ["validate", "MODEL", "nowhere"],
        ["cost", "nowhere"],
        ["compare", "nowhere.npz", "other.npz"],
        ["blame", "nowhere", "--suspect", "onnxruntime"],
        ["diff", "MODEL", "nowhere"],
        ["sensitivity", "nowhere"],
        ["quantize", "nowhere", "--calibration", "images", "-o", "out"],
        ["convert", "nowhere", "out.tgz"],
        ["convert", "nowhere.onnx", "out.tgz"],
        ["convert", "nowhere.pt2", "out.tgz"],
    ],
    ids=" ".join,
)
def test_a_missing_file_is_status_2_without_a_traceback(
    arguments: list[str], model: Path, nnefkit: Callable[..., Any]
) -> None:
    result = nnefkit(*(str(model) if word == "MODEL" else word for word in arguments))
    assert result.status == 2
    assert "error[storage]" in result.err + result.out
    assert "Traceback" not in result.err


def test_the_module_runs_as_a_program(model: Path) -> None:
    done = subprocess.run([*PROGRAM, "validate", model], capture_output=True, text=True, check=True)
    assert "valid: 0 errors" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("variable", "colored"), [("", True), ("NO_COLOR", False)])
def test_only_terminals_get_colors(variable: str, colored: bool, broken: Path) -> None:
    environment = {**ENVIRONMENT, "TERM": "xterm"}
    if variable:
        environment[variable] = "1"
    ours, theirs = pty.openpty()
    with subprocess.Popen([*PROGRAM, "validate", broken], stdout=theirs, env=environment):
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # on Linux, the end of a terminal
                break
            if not part:
                break
            seen += part
    os.close(ours)
    assert b"unknown-argument" in seen
    assert (b"\x1b[31merror" in seen) == colored


def test_a_closed_pipe_ends_the_program_quietly(tmp_path: Path) -> None:
    statements = "".join(f"t{i} = copy(x);\n" for i in range(20_000))
    path = tmp_path / "graph.nnef"
    path.write_text(f"version 1.0; graph g(x) -> (t0) {{ {statements} }}")
    with subprocess.Popen(
        [*PROGRAM, "format", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_an_interruption_shows_no_traceback(
    nnefkit: Callable[..., Any], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "validate", interrupt)
    assert nnefkit("validate", model) == (130, "", "interrupted\n")


def test_characters_that_the_terminal_lacks_are_replaced(model: Path) -> None:
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*PROGRAM, "info", model], capture_output=True, env=environment, check=True
    )
    assert b"net  NNEF 1.0" in done.stdout


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys\nfrom nnefkit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.stderr.write(' '.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"pandas", "matplotlib", "torch", "onnx", "onnxruntime", "PIL", "ipywidgets", "tqdm"}
    assert not heavy & {*done.stderr.split()}


def test_json_has_null_for_numbers_that_are_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.as_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": (1, None)})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": [1, None]}


def test_the_version_imports_next_to_nothing() -> None:
    code = (
        "import sys; from nnefkit.cli import main; main(['--version']); "
        "sys.exit('numpy' in sys.modules or 'nnefkit.errors' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"nnefkit \d+\.\d+\.\d+\S*\n", done.stdout)


def test_a_command_imports_no_other_command() -> None:
    code = (
        "import sys; from nnefkit.cli import main; main(['explain', 'unknown-argument']); "
        "sys.exit('nnefkit.cli.convert' in sys.modules or 'nnefkit.execution' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_notes_speak_of_the_command_line(nnefkit: Callable[..., Any]) -> None:
    """A reader of a terminal has no object called graph."""
    folder = Path(__file__).parents[2] / "notebooks" / "models"
    model, recorded = folder / "blazeface_front.nnef", folder / "blazeface_front.npz"
    for arguments, option in [
        (["info", model], ""),
        (["cost", model], "all: nnefkit cost --json"),
        (["compare", recorded, recorded], ""),
        (["run", model, "--input", recorded, "--trace"], "all: nnefkit run --trace -o FILE.npz"),
        (["diff", model, model], ""),
    ]:
        result = nnefkit(*arguments)
        assert result.status == 0
        assert option in result.out
        assert not re.search(r"\w\.(to_frame|worst|variables|by)\b", result.out), arguments
