"""Documents in the dialect of tract, which tract and torch-to-nnef write."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nnefkit.display import nnef_text
from nnefkit.graph.operation import Operation

PROPERTIES = "tract_core_properties"
"""The fragment whose body holds facts about the writer; also its key in ``Graph.provenance``."""
TRACT = "tract_"
"""The beginning of the names of tract's extensions and operations."""


def is_of_tract(extensions: Iterable[str]) -> bool:
    """Return whether a document with these extensions is in tract's dialect."""
    return any(extension.startswith(TRACT) for extension in extensions)


def properties_text(provenance: Mapping[str, Any]) -> str:
    """Return the definition of the properties as the document has it, empty without one."""
    return str(provenance.get(PROPERTIES, ""))


def tract_constant(op: Operation) -> str:
    """Return a constant as tract writes it, an array of numbers; empty if `op` is another one."""
    if op.name != "constant" or op.dtype not in (None, "scalar"):
        return ""
    shape, values = [*op.attribs["shape"]], [*op.attribs["value"]]
    volume = math.prod(shape)
    if not shape or len(values) not in (1, volume):
        return ""
    repeated = values * (volume // len(values))
    nested = np.array(repeated, np.float64).reshape(shape).tolist()
    (name,) = op.output_names
    # Its exponents have no plus sign.
    return f"{name} = {nnef_text.literal(nested).replace('e+', 'e')};"
