"""Every operation of chapter 4 as a plain loop over single numbers, from its formula.

A formula is ``formula(*inputs, **attribs)``, with arrays of any real dtype. It computes in Python's
own numbers (doubles, integers of any size, booleans), and shares no code with what it checks.
"""

from collections.abc import Callable
from typing import Any

from oracles.formulas import elementwise, quantization, reductions, regions, shaping, windows

FORMULAS: dict[str, Callable[..., Any]] = {
    **elementwise.FORMULAS,
    **windows.FORMULAS,
    **reductions.FORMULAS,
    **shaping.FORMULAS,
    **regions.FORMULAS,
    **quantization.FORMULAS,
}
"""Operation name -> its formula, which returns an array, or a list of them for several results."""
