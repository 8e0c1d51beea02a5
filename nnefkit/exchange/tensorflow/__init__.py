"""Conversion of TensorFlow models to graphs.

`opened_model` opens frozen graphs, SavedModels and MetaGraphs, whose protobuf messages are in
`messages`; `checkpoint` reads variables; `nodes` reads a graph node by node, in the order that
`scope` finds, with `branches` and `loops` of TensorFlow 1; `operators` has a function for each
operator that TFLite does not have, `exchange.tensor_operators` those for the others.
"""

from nnefkit.exchange.tensorflow.from_tensorflow import from_tensorflow

__all__ = ["from_tensorflow"]
