"""Functions of TensorFlow that Keras 2 stores as layers, read as operations of `keras.ops`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.model import LayerInfo
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_value import Value


class _Function(NamedTuple):
    operation: str
    """The operation of `keras.ops` that is the same."""
    tensors: Sequence[str] = ()
    """The names of further tensors, or numbers."""
    options: Mapping[str, str] = {}
    """Name of an argument -> option of the operation."""
    defaults: Mapping[str, Any] = {}
    """Option of the operation -> its default in TensorFlow."""


_REDUCED = {"axis": "axis", "keepdims": "keepdims"}


def _functions(prefix: str, operations: Mapping[str, str], *rest: Any) -> dict[str, _Function]:
    return {f"{prefix}.{name}": _Function(each, *rest) for name, each in operations.items()}


_FUNCTIONS: Mapping[str, _Function] = {
    **_functions(
        "math",
        {
            "add": "Add",
            "subtract": "Subtract",
            "multiply": "Multiply",
            "divide": "Divide",
            "truediv": "Divide",
            "pow": "Power",
            "maximum": "Maximum",
            "minimum": "Minimum",
            "floordiv": "FloorDivide",
            "floormod": "Mod",
            "equal": "Equal",
            "less": "Less",
            "not_equal": "NotEqual",
            "less_equal": "LessEqual",
            "greater": "Greater",
            "greater_equal": "GreaterEqual",
            "logical_and": "LogicalAnd",
            "logical_or": "LogicalOr",
        },
        ("y",),
    ),
    "__operators__.add": _Function("Add", ("y",)),
    **_functions(
        "math",
        {
            "abs": "Absolute",
            "negative": "Negative",
            "sign": "Sign",
            "exp": "Exp",
            "log": "Log",
            "sqrt": "Sqrt",
            "rsqrt": "Rsqrt",
            "square": "Square",
            "sin": "Sin",
            "cos": "Cos",
            "floor": "Floor",
            "ceil": "Ceil",
            "sigmoid": "Sigmoid",
            "tanh": "Tanh",
            "softplus": "Softplus",
            "erf": "Erf",
            "log1p": "Log1p",
            "expm1": "Expm1",
            "reciprocal": "Reciprocal",
            "logical_not": "LogicalNot",
        },
    ),
    **_functions(
        "nn",
        {
            "relu": "Relu",
            "relu6": "Relu6",
            "sigmoid": "Sigmoid",
            "tanh": "Tanh",
            "softplus": "Softplus",
            "softsign": "Softsign",
            "selu": "Selu",
            "elu": "Elu",
            "silu": "Silu",
            "swish": "Silu",
        },
    ),
    "nn.gelu": _Function("Gelu", (), {"approximate": "approximate"}, {"approximate": False}),
    "nn.leaky_relu": _Function("LeakyRelu", (), {"alpha": "negative_slope"}),
    "nn.softmax": _Function("Softmax", (), {"axis": "axis"}),
    "nn.log_softmax": _Function("LogSoftmax", (), {"axis": "axis"}),
    **_functions(
        "math",
        {
            "reduce_mean": "Mean",
            "reduce_sum": "Sum",
            "reduce_max": "Max",
            "reduce_min": "Min",
            "reduce_prod": "Prod",
            "reduce_any": "Any",
            "reduce_all": "All",
            "reduce_std": "Std",
            "reduce_variance": "Var",
            "reduce_logsumexp": "Logsumexp",
        },
        (),
        _REDUCED,
    ),
    "math.argmax": _Function("Argmax", (), {"axis": "axis"}, {"axis": 0}),
    "math.argmin": _Function("Argmin", (), {"axis": "axis"}, {"axis": 0}),
    "reshape": _Function("Reshape", (), {"shape": "newshape"}),
    "transpose": _Function("Transpose", (), {"perm": "axes"}),
    "concat": _Function("Concatenate", (), {"axis": "axis"}),
    "stack": _Function("Stack", (), {"axis": "axis"}, {"axis": 0}),
    "expand_dims": _Function("ExpandDims", (), {"axis": "axis"}),
    "squeeze": _Function("Squeeze", (), {"axis": "axis"}),
    "tile": _Function("Tile", (), {"multiples": "repeats"}),
    "cast": _Function("Cast", (), {"dtype": "dtype"}),
    "clip_by_value": _Function("Clip", (), {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
    "linalg.matmul": _Function("Matmul", ("b",)),
    "gather": _Function("Take", ("indices",), {"axis": "axis"}, {"axis": 0}),
    "where": _Function("Where", ("x", "y")),
    "identity": _Function("Copy"),
    "stop_gradient": _Function("Copy"),
    "convert_to_tensor": _Function("Copy"),
}
"""Function of TensorFlow -> the operation."""


@layer("TFOpLambda")
def function(c: Call) -> Any:
    """Read a function of TensorFlow by its name, as the operation that is the same."""
    name = c.options.get("function")
    known = _FUNCTIONS.get(name) if isinstance(name, str) else None
    if known is None:
        refuse(
            f"there is no reader for the function '{name!s:.60}'",
            "Write it with layers of Keras, or export the model to TFLite or a SavedModel.",
        )
    given = [c.argument(0, "x")]
    given += [c.argument(index, each) for index, each in enumerate(known.tensors, 1)]
    config = dict(known.defaults)
    for argument, option in known.options.items():
        value = c.argument(99, argument)
        if value is not None:
            config[option] = _plain(value)
    config["name"] = c.layer.name
    inner = LayerInfo(c.layer.name, f"ops.{known.operation}", known.operation, config)
    return c.read(inner, c.path, given, {})


def _plain(value: Any) -> Any:
    """Return an argument that must be constant."""
    if isinstance(value, Value):
        refuse("an argument is a tensor", "Make it constant.")
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


@layer("SlicingOpLambda")
def slicing(c: Call) -> Any:
    """Read a subscript of a tensor."""
    if c.options.get("function") not in ("__operators__.getitem", "getitem"):
        refuse("it is not a subscript", INVALID)
    spec = c.argument(1, "slice_spec")
    parts = [_slice(each) for each in (spec if isinstance(spec, (list, tuple)) else [spec])]
    inner = LayerInfo(c.layer.name, "ops.GetItem", "GetItem", {"name": c.layer.name})
    return c.read(inner, c.path, [c.argument(0, "tensor"), parts], {})


def _slice(part: Any) -> Any:
    if isinstance(part, Mapping):
        return slice(part.get("start"), part.get("stop"), part.get("step"))
    return Ellipsis if part == "..." else part
