"""All targets by name."""

from __future__ import annotations

from . import (
    caffe2_models,
    caffe_models,
    dumped_graphs,
    files,
    graphs,
    keras_models,
    mxnet_models,
    onnx_models,
    recordings,
    tensorflow_models,
    texts,
    tflite_models,
    torch7_models,
    traces,
)
from .target import Target

TARGETS: dict[str, Target] = {
    target.name: target
    for module in (
        texts,
        files,
        traces,
        recordings,
        onnx_models,
        tflite_models,
        tensorflow_models,
        caffe_models,
        torch7_models,
        dumped_graphs,
        caffe2_models,
        keras_models,
        mxnet_models,
        graphs,
    )
    for target in module.TARGETS
}
