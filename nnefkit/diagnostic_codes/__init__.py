"""The table of diagnostic codes: what each means, how to fix it, and an example.

The codes are stable. The documentation has a page for each, and ``nnefkit explain CODE`` prints
the entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nnefkit.diagnostic_codes import (
    document_codes,
    fragment_codes,
    invocation_codes,
    operation_codes,
    provisional_codes,
    runtime_codes,
    storage_codes,
)
from nnefkit.diagnostic_codes.entry import QUANTIZED_GRAPH, DiagnosticCode, Example

TOPICS: Mapping[str, tuple[DiagnosticCode, ...]] = MappingProxyType(
    {
        "Documents and identifiers": document_codes.CODES,
        "Invocations and types": invocation_codes.CODES,
        "Fragments and expressions": fragment_codes.CODES,
        "Operations and quantization": operation_codes.CODES,
        "Provisional documents": provisional_codes.CODES,
        "Files and archives": storage_codes.CODES,
        "Running and converting": runtime_codes.CODES,
    }
)
"""Topic to its codes, in the order of the documentation."""

DIAGNOSTIC_CODES: Mapping[str, DiagnosticCode] = MappingProxyType(
    {entry.code: entry for entries in TOPICS.values() for entry in entries}
)
"""Code to its documentation."""

__all__ = ["DIAGNOSTIC_CODES", "QUANTIZED_GRAPH", "TOPICS", "DiagnosticCode", "Example"]
