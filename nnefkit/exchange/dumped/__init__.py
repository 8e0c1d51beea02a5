"""Graphs that a script dumped out of a framework that has no file format: JSON with an ``.npz``.

`document` the structure, `nodes` reads a graph node by node with
the readers of a `framework`, and `from_dump` proves it with the run that the script recorded.
"""
