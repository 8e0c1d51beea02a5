"""Conversion of Chainer graphs.

Chainer has no file format: the script ``dump_chainer.py`` writes a graph, which `from_chainer`
reads with `nnefkit.exchange.dumped`; `operators` has a function for each class of its functions.
"""

from nnefkit.exchange.chainer.from_chainer import from_chainer

__all__ = ["from_chainer"]
