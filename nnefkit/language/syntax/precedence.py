"""Precedence of the operators in expressions (3.2.3, 3.3.3)."""

from __future__ import annotations

UNARY_OPERATORS = frozenset(("+", "-", "!"))
"""Prefix operators; they bind tighter than every binary operator."""

PRECEDENCE = {
    "in": 1,
    **dict.fromkeys(("&&", "||"), 2),
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/"), 5),
    "^": 6,
}
"""Precedence of each binary operator (higher binds tighter); all are left-associative."""
