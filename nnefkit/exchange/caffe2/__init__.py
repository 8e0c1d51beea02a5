"""Conversion of Caffe2 networks to graphs.

`opened_model` opens the two nets of a network, whose protobuf messages are in `messages`; `nodes`
reads them operator by operator; `operators` has a function for each type of operator.
"""

from nnefkit.exchange.caffe2.from_caffe2 import from_caffe2

__all__ = ["from_caffe2"]
