"""Conversion between graphs and the models of other frameworks, one folder for each framework.

The frameworks share `source_graph`, to which readers of operators add operations; `call`, the
argument of these readers; `reshaping`, `compositions` and `channels_last`, the functions that they
call; `emission`, which creates the graph; `layout`, which frees channels-last networks of their
transpositions; and `proof`, which checks that the graph computes the same as its source. TFLite and
TensorFlow share `tensor_call` and `tensor_operators`, too; `protobuf_messages` reads formats whose
own packages are not needed.
"""

from nnefkit.exchange.caffe import from_caffe
from nnefkit.exchange.caffe2 import from_caffe2
from nnefkit.exchange.chainer import from_chainer
from nnefkit.exchange.keras import from_keras, trace_keras
from nnefkit.exchange.mxnet import from_mxnet
from nnefkit.exchange.onnx import from_onnx, to_onnx, trace_onnx
from nnefkit.exchange.tensorflow import from_tensorflow
from nnefkit.exchange.tflite import from_tflite, to_tflite, trace_tflite
from nnefkit.exchange.theano import from_theano
from nnefkit.exchange.torch import from_torch, to_torch, trace_torch
from nnefkit.exchange.torch7 import from_torch7

__all__ = [
    "from_caffe",
    "from_caffe2",
    "from_chainer",
    "from_keras",
    "from_mxnet",
    "from_onnx",
    "from_tensorflow",
    "from_tflite",
    "from_theano",
    "from_torch",
    "from_torch7",
    "to_onnx",
    "to_tflite",
    "to_torch",
    "trace_keras",
    "trace_onnx",
    "trace_tflite",
    "trace_torch",
]


def __dir__() -> list[str]:
    return sorted(__all__)
