"""Rows of tables, selected by indices."""

from __future__ import annotations

from nnefkit.exchange.source_value import INTEGER, Value
from nnefkit.exchange.tflite.call import Call, operator


@operator("EMBEDDING_LOOKUP")
def embedding_lookup(c: Call) -> Value:
    """Read `gather` of rows."""
    indices, table = c[0], c[1]
    if indices.data_type != INTEGER or table.rank < 1:
        c.invalid("its indices are not integers")
    return c.op("gather", table, indices, axis=0)
