"""Conversion of MXNet networks to graphs.

`opened_model` opens a symbol and its parameters, which are in the format of `ndarray_file`; `nodes`
reads the symbol node by node; `operators` has a function for each operator.
"""

from nnefkit.exchange.mxnet.from_mxnet import from_mxnet

__all__ = ["from_mxnet"]
