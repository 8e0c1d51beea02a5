"""The registry of lowerings to TFLite.

A lowering takes a `TfliteBuilder` and then the arguments of a reference kernel (see
`nnefkit.execution.lowering.call_arguments`), with a `TfliteValue` for each input. It adds operators
to the builder and returns a value, or a list of values for an operation with several results.

Images are channels-last, and so are the attributes that have an element for each axis, or that name
axes: `channels_last` chose the order of the axes before. Filters are as NNEF has them.
"""

from __future__ import annotations

from nnefkit.registry import Registry

LOWERINGS = Registry()
lowering = LOWERINGS.register
"""``@lowering("conv")`` registers the lowering of an operation."""
