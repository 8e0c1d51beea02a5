"""Names of files in a model, from labels of variables and from members of archives (5.1).

No name leads out of the folder of the model: ``..`` and absolute paths are refused.
"""

from __future__ import annotations

import os
import re

from nnefkit.errors import StorageError

GRAPH = "graph.nnef"
QUANTIZATION = "graph.quant"
DATA = ".dat"

_SEPARATORS = re.compile(r"[/\\]")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_ABSOLUTE_HERE = _ABSOLUTE if os.name == "nt" else re.compile(r"[/\\]|[A-Za-z]:(?!:)")
"""What is not below a folder on this system: ``C:`` is refused on all systems, ``b::w`` on Windows
only. Elsewhere it is a label that others write."""


def data_name(label: str) -> str:
    """Return the name of the data file of a variable, with ``/`` between folders.

    Raises:
        StorageError: The label leads out of the folder of the model, or is empty.
    """
    parts = _SEPARATORS.split(label)
    if not label or "\0" in label:
        raise StorageError("a variable has no valid label", section="4.1.3")
    folders = [part for part in parts[:-1] if part not in ("", ".")]
    result = "/".join([*folders, parts[-1] + DATA])
    if ".." in parts or _ABSOLUTE_HERE.match(label) or _ABSOLUTE_HERE.match(result):
        raise StorageError(
            f"the label '{label}' leads out of the folder of the model",
            hint="Labels are paths relative to the folder of graph.nnef, such as 'conv1/filter'.",
            section="5.1",
        )
    return result


def member_name(name: str, file: str) -> str:
    """Return the name of a member of an archive, with ``/`` between folders, without ``./``.

    Raises:
        StorageError: It leads out of the archive.
    """
    result = _without_dots(name, _ABSOLUTE_HERE)
    if result is None:
        raise StorageError(
            f"the member '{name}' leads out of the archive",
            hint="Do not trust this archive: members are paths relative to its top.",
            file=file,
            section="5.1",
        )
    return result


def is_plain(name: str) -> bool:
    """Return whether a name leads to the same file within a folder on every system."""
    return _without_dots(name, _ABSOLUTE) == name


def _without_dots(name: str, absolute: re.Pattern[str]) -> str | None:
    """Return a relative name with ``/`` between folders, without ``./``; None if it leads out."""
    parts = _SEPARATORS.split(name)
    result = "/".join(part for part in parts if part not in ("", "."))
    # A drive of Windows may follow "./".
    leads_out = ".." in parts or absolute.match(name) or absolute.match(result) or "\0" in name
    return None if leads_out else result
