"""Tables of the functions of every operation, by its NNEF name.

An operation has several functions, side by side in the module of its section of chapter 4:

- its *shape rule*, ``rule(*input_shapes, **attribs) -> shape`` (a tuple of shapes if it has
  several results, a list if a result is an array), which also checks the argument rules;
- its *kernel*, ``kernel(*input_arrays, **attribs) -> array`` (likewise), in NumPy;
- its *cost*, ``flops(input_shapes, output_shapes, attribs) -> int`` and, if it multiplies and adds,
  ``macs`` with the same arguments (see `nnefkit.operations.work`);
- optionally its *advice*, ``advise(*input_shapes, **attribs) -> Problems``: warnings about
  arguments that the rules accept but that should be changed.

Inputs are passed by position, in the order of the declaration (an array of tensors as a list);
attributes are passed by keyword, all of them, defaults filled in. A generic operation whose
meaning depends on its data type (`cast`, `constant`) receives it as the keyword ``dtype``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnefkit.errors import ArgumentError, Diagnostic, Severity
from nnefkit.registry import Registry

ShapeRule = Callable[..., Any]
Kernel = Callable[..., Any]
CostRule = Callable[[Sequence[Any], Sequence[Any], dict[str, Any]], int]
AdviceRule = Callable[..., "Problems"]

SHAPE_RULES = Registry()
KERNELS = Registry()
COSTS = Registry()
FLOPS = Registry()
AT_MOST: set[str] = set()
"""The operations whose FLOPs depend on values, so that the formula is an upper bound."""
READS = Registry()
ADVICE = Registry()

VIEWS = frozenset({"copy", "copy_n", "reshape", "squeeze", "unsqueeze"})
"""The operations whose results have the elements of their input, in the same order."""


shape_rule = SHAPE_RULES.register
"""``@shape_rule("conv")`` registers the shape rule of an operation."""
kernel = KERNELS.register
"""``@kernel("conv")`` registers the reference kernel of an operation."""
macs = COSTS.register
"""``@macs("conv")`` registers the number of multiply-accumulates of an operation."""
flops = FLOPS.register
"""``@flops("relu")`` registers the number of arithmetic operations; the first line of the docstring
is its formula in the documentation."""
reads = READS.register
"""``@reads("slice")`` registers the elements that an operation reads, ``reads(input_shapes,
output_shapes, attribs) -> list[int]`` with one count for each input; by default all of them."""
advice = ADVICE.register
"""``@advice("max_roi_pool")`` registers the warnings about arguments that satisfy the rule."""


class Problems:
    """The violated rules of one operation, collected to report all of them at once."""

    __slots__ = ("_arguments", "_diagnostics", "section")

    def __init__(self, section: str) -> None:
        self.section = section
        self._diagnostics: list[Diagnostic] = []
        self._arguments: list[str] = []

    def add(
        self,
        argument: str,
        message: str,
        hint: str = "",
        *,
        code: str = "invalid-argument",
        section: str = "",
        severity: Severity = "error",
    ) -> None:
        """Add a problem with `argument` (a formal name, or ``""`` for the operation)."""
        section = section or self.section
        self._diagnostics.append(Diagnostic(code, message, severity, hint=hint, section=section))
        self._arguments.append(argument)

    def __bool__(self) -> bool:
        return bool(self._diagnostics)

    def done(self) -> None:
        """Raise the collected problems, if any.

        Raises:
            ArgumentError: One diagnostic for each problem.
        """
        if self._diagnostics:
            raise ArgumentError(self._diagnostics, arguments=self._arguments)
