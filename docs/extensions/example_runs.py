"""Runs of the examples of diagnostic codes, in a folder that is removed afterward."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import nnefkit as nk
from nnefkit.diagnostic_codes import QUANTIZED_GRAPH
from nnefkit.errors import Diagnostic

# The package need not be installed as a command.
_SHELL = 'nnefkit() { "$PYTHON" -m nnefkit "$@"; }\n'
_HEAD = re.compile(r"^(error|warning|note)\[([a-z-]+)\]: (.*)$", re.MULTILINE)


def reported(text: str, kind: str) -> Sequence[Diagnostic]:
    """Return the diagnostics of an example.

    Those of a script are the ones that it raises, or those of the report that it ends with.
    """
    if kind == "graph":
        return nk.validate(text).diagnostics
    with TemporaryDirectory() as folder, chdir(folder), _same_modules():
        if kind == "quantization":
            Path("model").mkdir()
            Path("model/graph.nnef").write_text(QUANTIZED_GRAPH, encoding="utf-8")
            Path("model/graph.quant").write_text(text, encoding="utf-8")
            return nk.validate(Path("model")).diagnostics
        return _of_command(text) if kind == "command" else _of_script(text)


def _of_script(script: str) -> Sequence[Diagnostic]:
    tree = ast.parse(script)
    last = tree.body.pop()
    names: dict[str, Any] = {"nk": nk, "np": np}
    try:
        exec(compile(tree, "example", "exec"), names)
        if not isinstance(last, ast.Expr):
            exec(compile(ast.Module([last], []), "example", "exec"), names)
            return ()
        result = eval(compile(ast.Expression(last.value), "example", "eval"), names)
    except nk.NnefError as error:
        return error.diagnostics
    return getattr(result, "diagnostics", ())


def _of_command(line: str) -> Sequence[Diagnostic]:
    root = str(Path(nk.__file__).parent.parent)
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": root}
    run = subprocess.run(
        ["sh", "-c", _SHELL + line], env=environment, capture_output=True, text=True, check=False
    )
    return [
        Diagnostic(code, message, severity) for severity, code, message in _HEAD.findall(run.stderr)
    ]


@contextmanager
def _same_modules() -> Iterator[None]:
    """Undo what an example does to pretend that a package is not installed."""
    before = dict(sys.modules)
    try:
        yield
    finally:
        for name in [name for name, module in sys.modules.items() if module is None]:
            if name not in before:
                del sys.modules[name]
            elif before[name] is not None:
                sys.modules[name] = before[name]
