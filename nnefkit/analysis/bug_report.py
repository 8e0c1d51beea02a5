"""A bug report in a folder: one operation as a model, its inputs, and both results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nnefkit import io
from nnefkit.analysis.blamed_operation import BlamedOperation, decibels
from nnefkit.analysis.compared_tensor import listed
from nnefkit.arrays import Array
from nnefkit.display.elements import LONGEST_NAME
from nnefkit.display.visible_text import visible
from nnefkit.errors import StorageError
from nnefkit.execution.engine_list import BUILT_IN
from nnefkit.graph import FrozenDict, Graph
from nnefkit.storage.atomic_write import replacing_folder, writing_to
from nnefkit.storage.npz import write_npz


@dataclass(frozen=True)
class Evidence:
    """The values that show the fault of an operation."""

    inputs: Mapping[str, Array]
    """The values that it was given, by name: those of the reference, or of a recorded suspect."""
    expected: Array
    """Its right result."""
    result: Array
    """Its result in the suspect."""


def write_bug_report(
    path: Path,
    graph: Graph,
    operation: BlamedOperation,
    evidence: Evidence,
    engine: str,
    labels: tuple[str, str],
    *,
    is_recorded: bool,
) -> None:
    """Write the folder that `nnefkit.analysis.blame_result.Blame.minimal` describes.

    Raises:
        StorageError: The folder is not empty, or cannot be written.
    """
    with writing_to(path):
        if path.is_dir() and any(path.iterdir()):
            raise StorageError("the folder is not empty", hint="Name a new folder.", file=str(path))
    part = _part(graph, operation, evidence)
    name = operation.tensor
    with replacing_folder(path) as folder:
        io.save(part, folder / "model")
        write_npz(folder / "inputs.npz", evidence.inputs)
        write_npz(folder / "expected.npz", {name: evidence.expected})
        write_npz(folder / "result.npz", {name: evidence.result})
        (folder / "show_fault.py").write_text(_script(engine, labels, is_recorded))
        (folder / "README.md").write_text(_readme(operation, engine, labels, is_recorded))


def _part(graph: Graph, operation: BlamedOperation, evidence: Evidence) -> Graph:
    tensors = {
        name: replace(tensor, shape=evidence.inputs[name].shape)
        if name in evidence.inputs
        else tensor
        for name, tensor in graph.tensors.items()
    }
    known = replace(graph, tensors=FrozenDict(tensors), source=None)
    return known.between(list(evidence.inputs), [operation.tensor])


_SCRIPT = '''\
"""Run the model on its inputs in the {fed}, and compare the result."""

from pathlib import Path

import numpy as np

import nnefkit as nk

folder = Path(__file__).parent
graph = nk.load(folder / "model")
with np.load(folder / "inputs.npz") as file:
    inputs = dict(file)
with np.load(folder / "{known}.npz") as file:
    {known} = inputs | dict(file)
{computed} = inputs | nk.run(graph, inputs, engine={engine!r})
print(nk.compare(expected, result, labels={labels!r}, graph=graph))
'''
_README = """\
# {subject} another `{tensor}`

On the same inputs, the result of **{suspect}** differs from that of **{reference}**:
signal-to-noise ratio {ratio}, largest difference {largest:g} (relative {relative:g}).
{details}
| file | what it is |
| --- | --- |
| `model/` | {model} |
| `inputs.npz` | {its} inputs in the {fed} |
| `expected.npz` | {its} right result ({reference}) |
| `result.npz` | {its} result in the suspect ({suspect}) |
| `show_fault.py` | runs the model with the engine `{engine}`, and compares |

```sh
pip install "nnefkit{extra}"
python show_fault.py
```
"""


def _script(engine: str, labels: tuple[str, str], is_recorded: bool) -> str:
    known, computed = ("result", "expected") if is_recorded else ("expected", "result")
    fed = _fed(is_recorded)
    return _SCRIPT.format(engine=engine, labels=labels, known=known, computed=computed, fed=fed)


def _fed(is_recorded: bool) -> str:
    """Return the side whose values the operation was run on."""
    return "suspect" if is_recorded else "reference"


def _readme(
    operation: BlamedOperation, engine: str, labels: tuple[str, str], is_recorded: bool
) -> str:
    own = operation.own
    details = f"Cause: {operation.cause}.\n" if operation.cause else ""
    if own.element is not None:
        at, first, second = own.element
        details += f"At `{list(at)}` the reference has {first!s}, the suspect {second!s}.\n"
    # Between two tensors that were recorded, there may be several operations.
    several = len(operation.before)
    name = f"`{operation.operation}`"
    return _README.format(
        subject=f"{name} or an operation before it computes" if several else f"{name} computes",
        model=f"the {several + 1:,} operations up to `{operation.tensor}` as an NNEF model; the "
        f"{_fed(is_recorded)} lacks {listed(operation.before)}"
        if several
        else "the operation as an NNEF model",
        its="their" if several else "its",
        fed=_fed(is_recorded),
        tensor=operation.tensor,
        reference=visible(labels[0], LONGEST_NAME),
        suspect=visible(labels[1], LONGEST_NAME),
        ratio=decibels(operation.own_snr),
        largest=own.max_abs,
        relative=own.max_rel,
        details=details,
        engine=engine,
        extra=f"[{engine}]" if engine in BUILT_IN and engine != "numpy" else "",
    )
