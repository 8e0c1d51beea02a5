"""The outputs of TensorFlow's operators: their names, their number and their dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnefkit.exchange.source_value import DType
from nnefkit.exchange.tensorflow.element_types import computed_dtype
from nnefkit.exchange.tensorflow.model import FunctionInfo

_BATCH_NORM = ("y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2")
_OUTPUTS = {
    "FusedBatchNorm": _BATCH_NORM,
    "FusedBatchNormV2": _BATCH_NORM,
    "FusedBatchNormV3": (*_BATCH_NORM, "reserve_space_3"),
    "TopK": ("values", "indices"),
    "TopKV2": ("values", "indices"),
    "Switch": ("output_false", "output_true"),
    "Merge": ("output", "value_index"),
    "Unique": ("y", "idx"),
    "TensorListPopBack": ("output_handle", "tensor"),
    "TensorArrayV3": ("handle", "flow"),
    "LSTMBlockCell": ("i", "cs", "f", "o", "ci", "co", "h"),
    "GRUBlockCell": ("r", "u", "c", "h"),
}
"""Operator -> the names of its outputs; others have one, or a list of outputs."""
_MAX_OUTPUTS = 4096
_TYPES = {
    "Cast": "DstT",
    "Range": "Tidx",
    "Shape": "out_type",
    "ShapeN": "out_type",
    "Size": "out_type",
    "ArgMax": "output_type",
    "ArgMin": "output_type",
    "Bucketize": "",
    "Gather": "Tparams",
    "GatherV2": "Tparams",
    "GatherNd": "Tparams",
    "Real": "Tout",
    "Imag": "Tout",
    "ComplexAbs": "Tout",
}
"""Operator -> the attribute with the type of its results, where that is not ``T``."""
_DEFAULTS = {"Shape": 3, "ShapeN": 3, "Size": 3, "Range": 3, "ArgMax": 9, "ArgMin": 9}
"""Operator -> the number of the type of its results if no attribute states it."""


def first_output(operator: str, name: str, function: FunctionInfo | None) -> int:
    """Return the number of the first output in a group of outputs of that name."""
    names = function.result_names if function else _OUTPUTS.get(operator, ())
    return names.index(name) if name in names else 0


def output_count(operator: str, options: Mapping[str, Any]) -> int:
    """Return the number of outputs of an operator."""
    if operator in ("Split", "SplitV"):
        return _limited(options.get("num_split"))
    if operator == "Unpack":
        return _limited(options.get("num"))
    return len(_OUTPUTS.get(operator, ("",)))


def _limited(count: Any) -> int:
    return min(max(count, 0), _MAX_OUTPUTS) if isinstance(count, int) else 1


def result_dtype(operator: str, options: Mapping[str, Any]) -> DType | None:
    """Return the dtype of the results of an operator; None if it is not a number's."""
    if operator == "Rank":
        return np.dtype(np.int32)
    number = options.get(_TYPES.get(operator, "T"), _DEFAULTS.get(operator))
    number = options.get("dtype") if number is None else number
    return computed_dtype(number) if isinstance(number, int) else None
