"""The tables of the displays, whole, as pandas data frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nnefkit.display.summary import OperationRow, TraceRow

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


def trace(rows: Iterable[TraceRow]) -> pd.DataFrame:
    """One row a tensor, in the order of the run; the index is the tensor's name.

    Columns: ``number`` (of the operation), ``operation``, ``shape`` (a tuple), ``minimum``,
    ``maximum``, ``mean``, ``deviation``, ``zeros`` (share), ``nan``, ``infinite`` (counts),
    ``seconds``, ``bytes``, ``line``.
    """
    import pandas as pd

    rows = list(rows)
    known = [row.statistics for row in rows]
    return pd.DataFrame(
        {
            "number": [row.number for row in rows],
            "operation": [row.operation for row in rows],
            "shape": pd.Series([row.shape for row in rows], dtype=object).array,
            "minimum": [None if one is None else one.minimum for one in known],
            "maximum": [None if one is None else one.maximum for one in known],
            "mean": [None if one is None else one.mean for one in known],
            "deviation": [None if one is None else one.deviation for one in known],
            "zeros": [None if one is None else one.zero_share for one in known],
            "nan": pd.array([None if one is None else one.nan for one in known], dtype="Int64"),
            "infinite": pd.array(
                [None if one is None else one.infinite for one in known], dtype="Int64"
            ),
            "seconds": [row.seconds for row in rows],
            "bytes": pd.array([row.bytes for row in rows], dtype="Int64"),
            "line": pd.array([row.line for row in rows], dtype="Int64"),
        },
        index=pd.Index([row.tensor for row in rows], name="tensor"),
    )
