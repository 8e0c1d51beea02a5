"""Conversion of Caffe networks to graphs.

`opened_model` opens the text of a network and its weights, whose protobuf messages are in
`messages`; `nodes` reads them layer by layer; `operators` has a function for each type of layer.
"""

from nnefkit.exchange.caffe.from_caffe import from_caffe

__all__ = ["from_caffe"]
