"""The registry of lowerings to ONNX.

A lowering takes a `Builder` and then the arguments of a reference kernel (see
`nnefkit.execution.lowering.call_arguments`), with an `OnnxValue` for each input. It adds nodes to
the builder and returns a value, or a list of values for an operation with several results.
"""

from __future__ import annotations

from nnefkit.registry import Registry

LOWERINGS = Registry()
lowering = LOWERINGS.register
"""``@lowering("conv")`` registers the lowering of an operation."""
