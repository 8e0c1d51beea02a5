"""Conversion of Theano graphs.

Theano has no file format: the script ``dump_theano.py`` writes a graph, which `from_theano` reads
with `nnefkit.exchange.dumped`; `operators` has a function for each class of its operations, and
`scalars` for those on single elements.
"""

from nnefkit.exchange.theano.from_theano import from_theano

__all__ = ["from_theano"]
