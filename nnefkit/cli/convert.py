"""``nnefkit convert``: conversion of models between formats."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nnefkit import storage
from nnefkit.analysis.recordings import record
from nnefkit.cli import terminal
from nnefkit.cli.formats import (
    NNEF,
    ONNX,
    PYTORCH,
    TFLITE,
    ForeignFormat,
    foreign_format,
    source_format,
    target_format,
)
from nnefkit.cli.options import Commands, command, overwriting, strictness
from nnefkit.errors import InputError, NnefError, StorageError
from nnefkit.graph import Graph
from nnefkit.io import load, save

_EXAMPLES = """\
  nnefkit convert model/ model.nnef.tgz
  nnefkit convert network.onnx model.nnef.tgz --input-shape image=1x3x224x224
  nnefkit convert speech.onnx model/ --input-shape sound=1x512 \\
      --constant rate=16000
  nnefkit convert program.pt2 model/
  nnefkit convert detector.tflite model.nnef.tgz
  nnefkit convert saved_model/ model.nnef.tgz --input-shape image=1x224x224x3
  nnefkit convert model.nnef.tgz network.onnx --opset 18
  nnefkit convert model.nnef.tgz network.tflite

The file name extension determines the format. The target is an ONNX model if it
ends with .onnx, a TFLite model if it ends with .tflite, an archive if it ends
with .nnef.tgz, .tgz, .tar.gz, .tar or .zip, and a folder if it ends with / or
.nnef or has no extension. The source can also be a TensorFlow model (a frozen
graph .pb or .pbtxt, the folder of a SavedModel, or a MetaGraph .meta beside its
checkpoint), a Caffe model (.prototxt, with its .caffemodel beside it), a Caffe2
model (predict_net.pb with init_net.pb beside it, or their folder), an MXNet
model (-symbol.json, with its .params beside it), a Torch7 model (.t7, .net,
with --input-shape input=1x3x224x224), a Chainer or Theano graph (.json and
.npz, as the scripts of 'nnefkit export-script' write them), or an exported
PyTorch program (.pt2, from torch.export.save).

Between NNEF folders and archives, all files are copied byte for byte: text,
comments, quantization, variables and vendor files. A conversion from or to
another format runs both models on random inputs, and writes nothing if their
outputs differ; for TensorFlow models this needs TensorFlow, for Caffe and
Torch7 models OpenCV 4, for Caffe2 models Caffe2, for MXNet models MXNet.
Chainer and Theano graphs are compared with the run that their script recorded.
"""


_FIXED = (
    "A program has the shapes that it was exported with. In Python, nk.from_torch(program, "
    "example_inputs) accepts other inputs."
)


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "convert",
        run,
        summary="convert a model to another format",
        description="Convert a model between NNEF folders and archives, from ONNX, TFLite, "
        "TensorFlow, Caffe, Caffe2, Chainer, Theano, MXNet, Torch7 or PyTorch to NNEF, or from "
        "NNEF to ONNX or TFLite. Invalid models are refused.",
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="an NNEF, ONNX, TFLite, TensorFlow, Caffe, Caffe2, Chainer, Theano, MXNet, Torch7 "
        "or PyTorch model",
    )
    parser.add_argument("target", metavar="TARGET", help="the NNEF, ONNX or TFLite model to write")
    parser.add_argument(
        "--input-shape",
        action="append",
        default=[],
        metavar="NAME=SHAPE",
        help="the shape of an input, such as image=1x3x224x224; needed where the source leaves it "
        "open; may be repeated",
    )
    parser.add_argument(
        "--constant",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="fix an input of an ONNX model to a number or to the content of a file (.npy, .dat); "
        "may be repeated",
    )
    parser.add_argument(
        "--opset", type=int, metavar="N", help="ONNX operator set version (default: the newest)"
    )
    parser.add_argument(
        "--quantized",
        action="store_true",
        help="apply graph.quant in an ONNX or TFLite model; store weights as codes in NNEF",
    )
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run both models and compare their outputs (default), or do not",
    )
    overwriting(parser)
    strictness(parser)


def run(options: argparse.Namespace) -> int:
    """Write a model in another format."""
    source, target = Path(options.source), Path(options.target)
    formats = source_format(source), target_format(options.target)
    shapes = dict(_shape(given) for given in options.input_shape)
    constants = dict(_constant(given) for given in options.constant)
    foreign = foreign_format(source)
    if foreign is not None:
        parameters = foreign.parameters
    else:
        parameters = () if formats[1] == NNEF else ("input_shapes",)
    _check(options, *formats, parameters)
    if not source.exists():
        # Before the question whether to replace the target.
        raise StorageError("there is no such file or folder", file=options.source)
    if not terminal.may_write(target, force=options.force):
        terminal.error_line("nothing was written")
        return terminal.FAILED
    if formats == (NNEF, NNEF) and not options.quantized:
        graph = load(source, strict=options.strict)
        with storage.open_model(source) as files:
            storage.write_model(target, _contents(files, graph))
        return 0
    facts = []
    if foreign is None:
        graph = load(source, strict=options.strict)
        graph = graph.with_input_shapes(**shapes) if shapes else graph
    else:
        given = {"input_shapes": shapes, "constants": constants}
        graph = _read(source, foreign, given, options.verify)
        facts.append(_proof(graph))
    if formats[1] == NNEF:
        save(graph, target, quantized=options.quantized or None)
    else:
        facts.append(_written(graph, target, formats[1], options))
    terminal.line(f"{source} -> {target}: {'; '.join(facts)}")
    return 0


def _written(graph: Graph, target: Path, format_: str, options: argparse.Namespace) -> str:
    """Write a graph in another format; return what was written."""
    from nnefkit.exchange import to_onnx, to_tflite

    settings = {"verify": options.verify, "progress": _progress()}
    settings["quantized"] = options.quantized
    proved = ", same outputs" if options.verify else ", not verified"
    if format_ == TFLITE:
        model = to_tflite(graph, target, **settings)
        return f"written, {len(model):,} bytes{proved}"
    made = to_onnx(graph, target, opset=options.opset, **settings)
    return f"written in opset {made.opset_import[0].version}{proved}"


def _check(
    options: argparse.Namespace, source: str, target: str, parameters: Collection[str]
) -> None:
    """Refuse options that would have no effect."""
    refused = {
        "--input-shape": options.input_shape and "input_shapes" not in parameters,
        "--constant": options.constant and "constants" not in parameters,
        "--opset": options.opset is not None and target != ONNX,
    }
    for option, wrong in refused.items():
        if wrong:
            fixed = option == "--input-shape" and source == PYTORCH
            raise InputError(
                f"{option} does not apply to a conversion from {source} to {target}",
                hint=_FIXED if fixed else "",
            )


def _read(source: Path, format_: ForeignFormat, given: Mapping[str, Any], verify: bool) -> Graph:
    from nnefkit import exchange

    parameters = {name: given[name] for name in format_.parameters}
    try:
        read = getattr(exchange, format_.reader)
        graph: Graph = read(source, verify=verify, progress=_progress(), **parameters)
        return graph
    except NnefError as error:
        # The hints name parameters of functions; the command line has options instead.
        diagnostics = [replace(d, hint=_as_options(d.hint)) for d in error.diagnostics]
        raise type(error)(diagnostics) from None


def _progress() -> bool | None:
    """Return whether to show progress bars: on a terminal, in conversions that take a while."""
    return None if sys.stderr.isatty() else False


def _as_options(hint: str) -> str:
    def shapes(match: re.Match[str]) -> str:
        given = re.findall(r"'([^']+)': \(([^)]*)\)", match[0])
        texts = ("x".join(re.findall(r"\d+", shape)) for _, shape in given)
        named = zip((name for name, _ in given), texts, strict=True)
        return " ".join(f"--input-shape {name}={text}" for name, text in named)

    def constants(match: re.Match[str]) -> str:
        return " ".join(f"--constant {name}=..." for name in re.findall(r"'([^']+)'", match[0]))

    hint = re.sub(r"input_shapes=\{.*\}", shapes, hint)
    hint = re.sub(r"constants=\{[^}]*\}", constants, hint)
    return hint.replace("verify=False", "--no-verify")


def _proof(graph: Graph) -> str:
    facts = graph.provenance
    count = f"{len(graph.computations):,} operations"
    if not facts["verified"]:
        return f"{count}, not verified"
    return (
        f"{count}, largest relative difference {facts['largest_difference']:.2g} "
        f"(tolerance {facts['tolerance']:.2g})"
    )


# -- options -----------------------------------------------------------------------------------


def _shape(given: str) -> tuple[str, tuple[int, ...]]:
    name, equals, text = given.rpartition("=")
    if not equals or not name or not re.fullmatch(r"\[?\d+([x,]\d+)*\]?", text.replace(" ", "")):
        raise InputError(
            f"--input-shape {given}: expected a name and a shape",
            hint="For example: --input-shape image=1x3x224x224",
        )
    return name, tuple(map(int, re.findall(r"\d+", text)))


def _constant(given: str) -> tuple[str, Any]:
    name, equals, text = given.rpartition("=")
    if not equals or not name or not text:
        raise InputError(
            f"--constant {given}: expected a name and a value",
            hint="For example: --constant rate=16000, or --constant mask=mask.npy",
        )
    for number in (int, float):
        try:
            return name, number(text)
        except ValueError:
            continue
    if text.lower() in ("true", "false"):
        return name, text.lower() == "true"
    recording = record(Path(text))
    if len(recording) != 1:
        raise InputError(f"the file has {len(recording)} tensors, not one", file=text)
    return name, np.asarray(recording[next(iter(recording))])


# -- NNEF folders and archives ------------------------------------------------------------------


def _contents(files: storage.ModelFiles, graph: Graph) -> dict[str, Any]:
    """Return the files of a model: all of a folder or archive, or those a lone text refers to."""
    contents: dict[str, Any] = {storage.GRAPH: files.text.encode()}
    if files.quantization is not None:
        contents[storage.QUANTIZATION] = files.quantization.encode()
    everything = files.extra_files(()).contents
    if everything:
        return contents | everything
    folder = files.path.parent if files.path.is_file() else files.path
    for variable in graph.variables:
        name = files.find(variable.label or "")
        if name is not None:
            contents[name] = folder / name
    return contents
