"""What the provenance of a graph says of changed copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnefkit.graph.frozen import FrozenDict

_PROOF = frozenset(
    ("verified", "engine", "tolerance", "largest_difference", "compared", "changed_by")
)


def unproven(provenance: Mapping[str, Any], method: str) -> FrozenDict:
    """Return the provenance of a copy of a graph that `method` changed.

    The proof of a conversion, and the report of a quantization, were of the unchanged graph.
    """
    provenance = {key: value for key, value in provenance.items() if key != "quantization"}
    if not provenance.get("verified"):
        return FrozenDict(provenance)
    kept = {key: value for key, value in provenance.items() if key not in _PROOF}
    return FrozenDict(kept, verified=False, changed_by=method)
