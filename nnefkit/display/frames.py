"""The tables of the displays, whole, as pandas data frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nnefkit.display.summary import OperationRow

if TYPE_CHECKING:
    import pandas as pd


def operations(rows: Iterable[OperationRow]) -> pd.DataFrame:
    """One row an operation, in the order of the graph; what is not known is missing.

    Columns: ``operation``, ``result`` (names, joined by commas where there are several), ``shape``
    (a tuple), ``macs``, ``parameters``, ``line``, ``scope``; the index is the operation's place.
    """
    import pandas as pd

    rows = list(rows)
    frame = pd.DataFrame(
        {
            "operation": [row.operation for row in rows],
            "result": [", ".join(row.results) for row in rows],
            "shape": pd.Series([row.shape for row in rows], dtype=object),
            "macs": pd.array([row.macs for row in rows], dtype="Int64"),
            "parameters": [row.parameters for row in rows],
            "line": pd.array([row.line for row in rows], dtype="Int64"),
            "scope": ["/".join(row.scope) for row in rows],
        }
    )
    frame.index = pd.Index([row.number for row in rows], name="number")
    return frame
