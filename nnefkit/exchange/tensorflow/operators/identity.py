"""Operators that return their inputs, or nothing."""

from __future__ import annotations

from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensorflow.call import Call, Result, operator

_COPIES = ("Identity", "Snapshot", "StopGradient", "PreventGradient", "CheckNumerics", "LoopCond")


@operator(*_COPIES, "DisableCopyOnRead", "CheckNumericsV2", "OptimizationBarrier")
def identity(c: Call) -> Result:
    """Read the input itself."""
    return _first(c)


@operator("PlaceholderWithDefault")
def default(c: Call) -> Result:
    """Read the default of an input that is not among those to read."""
    return _first(c)


def _first(c: Call) -> Result:
    result: Result = c.inputs[0] if c.inputs else None
    return result


@operator("IdentityN")
def identities(c: Call) -> list[Result]:
    """Read the inputs themselves."""
    return [*c.inputs]


@operator("EnsureShape")
def ensure_shape(c: Call) -> Value:
    """Read the input itself, whose shape is checked."""
    x, shape = c[0], c.option("shape", None)
    extents = None if shape is None or shape.unknown_rank else [dim.size for dim in shape.dim]
    if extents is not None and (
        len(extents) != x.rank
        or any(n not in (-1, extent) for n, extent in zip(extents, x.shape, strict=True))
    ):
        c.invalid(f"its input has the shape {[*x.shape]}, not {extents}")
    return x


@operator("NoOp", "Assert")
def nothing(_: Call) -> list[Result]:
    """Read nothing: the operator has no results."""
    return []
