"""The formats that are read and written, and how that is proved."""

from oracles.onnx_conformance import verdicts

from documentation.generated import markdown, table
from nnefkit.cli.formats import ARCHIVES
from nnefkit.exchange.torch.exported_program import READERS
from nnefkit.execution.engines.onnxruntime.graph_lowering import OPERATIONS
from nnefkit.language import declarations


def read_from_onnx() -> str:
    found = verdicts("node")
    right = sum(verdict.result in ("passed", "fixed") for verdict in found)
    assert not [verdict for verdict in found if verdict.result in ("wrong", "crashed")]
    return (
        f"`nk.from_onnx`: {right:,} of the {len(found):,} operator cases of the package `onnx`, "
        "the others refused ([operator by operator](docs/reference/support/onnx.md))"
    )


def written_to_onnx() -> str:
    every = declarations().keys()
    assert every <= OPERATIONS
    return f"`nk.to_onnx`: all {len(every)} operations, opsets from 16 on"


def read_from_tflite() -> str:
    from nnefkit.exchange.tflite import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.tflite.call import READERS as TFLITE

    return (
        f"`nk.from_tflite`: {len(TFLITE)} operators, quantized networks as `graph.quant` "
        "([operator by operator](docs/reference/support/tflite.md))"
    )


def written_to_tflite() -> str:
    from nnefkit.execution.engines.litert.support import OPERATIONS as LITERT

    every = declarations().keys()
    part = f"{len(every & LITERT)} of {len(every)} operations"
    return f"`nk.to_tflite`: {part}, in float32, float16 or codes"


def read_from_keras() -> str:
    from nnefkit.exchange.keras import nodes  # noqa: F401  (it registers the layers)
    from nnefkit.exchange.keras.call import READERS as KERAS

    layers = sum(not name.startswith("ops.") for name in KERAS)
    return (
        f"`nk.from_keras`: {layers} layers and {len(KERAS) - layers} operations, models of Keras 3 "
        "in memory, too ([layer by layer](docs/reference/support/keras.md))"
    )


def read_from_tensorflow() -> str:
    from nnefkit.exchange.tensorflow import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.tensorflow.call import READERS as TENSORFLOW

    return (
        f"`nk.from_tensorflow`: {len(TENSORFLOW)} operators, functions, variables, loops of both "
        "versions ([operator by operator](docs/reference/support/tensorflow.md))"
    )


def read_from_caffe() -> str:
    from nnefkit.exchange.caffe import nodes  # noqa: F401  (it registers the layers)
    from nnefkit.exchange.caffe.call import READERS as CAFFE

    return (
        f"`nk.from_caffe`: {len(CAFFE)} layers, in both forms, and their weights "
        "([layer by layer](docs/reference/support/caffe.md))"
    )


def read_from_chainer() -> str:
    from nnefkit.exchange.chainer.functions import CHAINER

    return (
        f"`nk.from_chainer`: {len(CHAINER.readers)} functions, as a script of nnefkit exports them "
        "([function by function](docs/reference/support/chainer.md))"
    )


def read_from_theano() -> str:
    from nnefkit.exchange.theano.operations import THEANO
    from nnefkit.exchange.theano.scalar_call import SCALARS

    return (
        f"`nk.from_theano`: {len(THEANO.readers)} operations and {len(SCALARS)} on elements, as "
        "a script of nnefkit exports them "
        "([operation by operation](docs/reference/support/theano.md))"
    )


def read_from_mxnet() -> str:
    from nnefkit.exchange.mxnet import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.mxnet.call import READERS as MXNET

    return (
        f"`nk.from_mxnet`: {len(MXNET)} operators, symbols and arrays of all versions "
        "([operator by operator](docs/reference/support/mxnet.md))"
    )


def read_from_torch7() -> str:
    from nnefkit.exchange.torch7 import modules  # noqa: F401  (it registers the modules)
    from nnefkit.exchange.torch7.call import READERS as TORCH7

    return (
        f"`nk.from_torch7`: {len(TORCH7)} modules of nn, cudnn and inn, tables, and graphs of "
        "nngraph ([module by module](docs/reference/support/torch7.md))"
    )


def read_from_caffe2() -> str:
    from nnefkit.exchange.caffe2 import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.caffe2.call import READERS as CAFFE2

    return (
        f"`nk.from_caffe2`: {len(CAFFE2)} operators, both nets, binary or text "
        "([operator by operator](docs/reference/support/caffe2.md))"
    )


@table("formats", "README.md")
def formats() -> str:
    archives = ", ".join(f"`{ending}`" for ending in ARCHIVES)
    rows = [
        ["NNEF 1.0 (and documents of 2017)", f"folders, {archives}", "the same, byte for byte"],
        ["ONNX (`.onnx`)", read_from_onnx(), written_to_onnx()],
        [
            "PyTorch (modules, `.pt2`)",
            f"`nk.from_torch`: {len(READERS)} ATen operators, through `torch.export` "
            "([operator by operator](docs/reference/support/torch.md))",
            "`nk.to_torch`: a module that trains",
        ],
        ["TFLite (`.tflite`)", read_from_tflite(), written_to_tflite()],
        ["Keras (`.keras`, `.h5`, `.json`)", read_from_keras(), "no"],
        [
            "TensorFlow 1 and 2 (frozen graphs, SavedModels, MetaGraphs with checkpoints)",
            read_from_tensorflow(),
            "no",
        ],
        ["Caffe (`.prototxt` with `.caffemodel`)", read_from_caffe(), "no"],
        ["Caffe2 (`init_net.pb` with `predict_net.pb`, `.pbtxt`)", read_from_caffe2(), "no"],
        ["Torch7 (`.t7`, `.net`, binary and text)", read_from_torch7(), "no"],
        ["Chainer (`.json` with `.npz`)", read_from_chainer(), "no"],
        ["Theano (`.json` with `.npz`)", read_from_theano(), "no"],
        ["MXNet (`-symbol.json` with `.params`)", read_from_mxnet(), "no"],
    ]
    return markdown(["format", "read", "written"], rows)
