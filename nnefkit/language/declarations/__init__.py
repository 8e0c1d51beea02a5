"""Declarations of operations, and the binding of arguments to their parameters (3.2.2, 3.3)."""
