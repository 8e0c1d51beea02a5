"""Origins of nodes in the source: module path, name, line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import fx

from nnefkit.exchange.torch.exported_program import base_name

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in .*\n\s*(?P<code>.*)')
_CELL = re.compile(r".*[/\\]ipykernel_\d+[/\\]\d+\.py|<ipython-input.*>")
_TORCH = str(Path(torch.__file__).parent)


def module_path(node: fx.Node) -> tuple[str, str]:
    """Return the path of the innermost module that calls a node, and its class."""
    stack = node.meta.get("nn_module_stack") or {}
    path, kind = [*stack.values()][-1] if stack else ("", "")
    name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    return _clean(path), name


def _clean(path: str) -> str:
    return re.sub(r"^L\['self'\]\.?", "", path)


def tensor_names(nodes: Iterable[fx.Node]) -> dict[fx.Node, str]:
    """Return names for the results of nodes.

    The result of a module of ``torch.nn``, or of a module without submodules, has the name of the
    module; any other has the path of the module that computes it, followed by the operator.
    """
    calls = [n for n in nodes if n.op == "call_function" and base_name(n) != "getitem"]
    paths = {path for node in calls for path in _outer_paths(node)}
    last: dict[object, fx.Node] = {}
    for node in calls:
        stack = node.meta.get("nn_module_stack") or {}
        path, kind = module_path(node)
        if stack and (kind.startswith("torch.nn.modules.") or path not in paths):
            last[[*stack][-1]] = node
    outputs = set(last.values())
    names = {}
    for node in calls:
        path, _ = module_path(node)
        word = base_name(node).strip("_")
        names[node] = path if node in outputs and path else f"{path}.{word}".lstrip(".")
    return names


def _outer_paths(node: fx.Node) -> list[str]:
    """Return the paths of the modules around the innermost one that calls a node."""
    stack = node.meta.get("nn_module_stack") or {}
    return [_clean(path) for path, _ in [*stack.values()][:-1]]


def origins(node: fx.Node, count: int) -> list[str]:
    """Return the origins of the results of a node: module path and name of the node."""
    path, _ = module_path(node)
    place = f"{path}: {node.name}" if path else node.name
    return [place] if count == 1 else [f"{place}[{number}]" for number in range(count)]


def source_line(node: fx.Node) -> tuple[str, int | None, str]:
    """Return file, line and text of the place in the source that a node comes from."""
    frames = [*_FRAME.finditer(node.meta.get("stack_trace") or "")]
    own = [frame for frame in frames if not frame["file"].startswith(_TORCH)] or frames
    if not own:
        return "", None, ""
    file = _CELL.sub("cell of the notebook", own[-1]["file"])
    return file, int(own[-1]["line"]), own[-1]["code"].strip()
