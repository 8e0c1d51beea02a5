"""NNEF equivalents of framework operators that no standard operation matches.

Each function calls standard operations, or a fragment of ``fragments.nnef``, so that a layer has
the same text whichever framework it comes from. Functions take the `Call` of an operator, and
values; modules are named after the sections of chapter 4.
"""
