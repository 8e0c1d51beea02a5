"""Declarations of standard and custom operations, and how calls bind to them (3.2.2, 3.3)."""
