"""``nnefkit quantize``: quantization info from calibration inputs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nnefkit.analysis import PrecisionCurve, QuantizedGraph, precision_curve, quantize
from nnefkit.analysis.quantization.settings import Symmetric
from nnefkit.cli import terminal
from nnefkit.cli.options import Commands, command, json_output, model_path, overwriting, strictness
from nnefkit.cli.recorded_inputs import series_of_inputs
from nnefkit.display.numbers import plural
from nnefkit.errors import NnefError
from nnefkit.graph import Graph
from nnefkit.io import load, save

_EXAMPLES = """\
  nnefkit quantize model/ --calibration images/ -o quantized/
  nnefkit quantize model/ --calibration cat.npy --calibration dog.npy --method mse \\
      --equalize --correct-biases --min-snr 20 -o quantized.nnef.tgz

  nnefkit quantize model/ --calibration images/ --target 30 -o mixed/

exit status: 0 quantized; 1 the outputs lose more than --min-snr, or --target is
not reached; 2 it cannot be quantized.
"""
_SYMMETRIC: dict[str, Symmetric] = {"weights": "weights", "all": True, "none": False}


def declare(commands: Commands) -> None:
    """Add the command."""
    parser = command(
        commands,
        "quantize",
        run,
        summary="write quantization info from calibration inputs",
        description="Run a model on calibration inputs, choose a range for each tensor, and save "
        "the model with a quantization file. What it costs is measured.",
        examples=_EXAMPLES,
    )
    model_path(parser)
    parser.add_argument(
        "--calibration",
        action="append",
        required=True,
        metavar="PATH",
        help="the values of one input of the model (.npy, .npz or .dat), an .npz file with all "
        "inputs by name, or a folder of such files; may be repeated",
    )
    parser.add_argument(
        "-o", "--output", required=True, metavar="PATH", help="where to save the quantized model"
    )
    parser.add_argument(
        "--bits", type=int, default=8, help="bits of activations and weights (default: 8)"
    )
    parser.add_argument(
        "--method",
        default="minmax",
        metavar="M",
        help="how ranges are chosen: minmax (default), percentile or mse",
    )
    parser.add_argument(
        "--percentile",
        type=float,
        default=99.99,
        metavar="P",
        help="percentage of values in a range, for the method percentile (default: 99.99)",
    )
    parser.add_argument(
        "--per-tensor", action="store_true", help="one range for each filter, not for each channel"
    )
    parser.add_argument(
        "--symmetric",
        choices=tuple(_SYMMETRIC),
        default="weights",
        help="the ranges that are symmetric about 0 (default: weights)",
    )
    parser.add_argument(
        "--keep",
        action="append",
        default=[],
        metavar="TENSOR",
        help="leave a tensor in floating point; may be repeated",
    )
    parser.add_argument(
        "--equalize", action="store_true", help="scale channels of layers to equal ranges first"
    )
    parser.add_argument(
        "--correct-biases",
        action="store_true",
        help="take the mean error of rounded weights off the biases",
    )
    parser.add_argument(
        "--engine", default="numpy", help="the engine that runs the model (default: numpy)"
    )
    parser.add_argument(
        "--min-snr",
        type=float,
        metavar="DB",
        help="fail, and save nothing, if the outputs have a lower ratio against floating point",
    )
    parser.add_argument(
        "--target",
        type=float,
        metavar="DB",
        help="keep the few layers precise that it takes for this ratio of the outputs; show the "
        "ratio for each number of layers; save nothing if it is not reached",
    )
    parser.add_argument(
        "--target-bits",
        type=int,
        metavar="N",
        help="bits of the layers that --target keeps precise (default: floating point)",
    )
    parser.add_argument(
        "--target-limit",
        type=int,
        default=12,
        metavar="N",
        help="largest number of layers that --target keeps (default: 12)",
    )
    overwriting(parser)
    strictness(parser)
    json_output(parser)


def run(options: argparse.Namespace) -> int:
    """Quantize a model; return 1 if it loses too much, and 2 if it cannot be quantized."""
    try:
        graph = load(Path(options.path), strict=options.strict)
        if not terminal.may_write(Path(options.output), force=options.force):
            terminal.error_line("nothing was written")
            return terminal.FAILED
        quantized = _quantized(options, graph)
        curve = _curve(options, graph, quantized)
        reason = _failed_gate(options, quantized, curve)
        if not reason:
            save(quantized if curve is None else curve.graph, options.output)
    except NnefError as error:
        terminal.error_diagnostics(error.diagnostics)
        return terminal.USAGE
    if options.json:
        terminal.as_json(_record(quantized, curve, ok=not reason))
    else:
        terminal.card(quantized.report, "nnefkit quantize --json")
        if curve is not None:
            terminal.card(curve, "nnefkit quantize --json")
        if reason:
            terminal.line(f"failed: {reason}")
    return terminal.FAILED if reason else 0


def _quantized(options: argparse.Namespace, graph: Graph) -> QuantizedGraph:
    return quantize(
        graph,
        series_of_inputs(options.calibration, graph, "calibration inputs"),
        options.bits,
        not options.per_tensor,
        _SYMMETRIC[options.symmetric],
        options.method,
        percentile=options.percentile,
        keep=options.keep,
        equalize=options.equalize,
        correct_biases=options.correct_biases,
        engine=options.engine,
    )


def _curve(
    options: argparse.Namespace, graph: Graph, quantized: QuantizedGraph
) -> PrecisionCurve | None:
    if options.target is None:
        return None
    return precision_curve(
        quantized,
        series_of_inputs(options.calibration, graph, "calibration inputs"),
        target=options.target,
        bits=options.target_bits,
        limit=options.target_limit,
        reference=graph,
        engine=options.engine,
    )


def _failed_gate(
    options: argparse.Namespace, quantized: QuantizedGraph, curve: PrecisionCurve | None
) -> str:
    """Return why a quantization fails the limits, in one line; empty if it does not."""
    snr = quantized.report.snr if curve is None else curve.points[-1].snr
    if options.min_snr is not None and not snr >= options.min_snr:
        return f"{snr:.4g} dB is less than {options.min_snr:g} dB"
    if curve is not None and not curve.reached:
        kept = plural(len(curve.keep), "layer")
        return f"with {kept} kept, {snr:.4g} dB is less than {curve.target:g} dB"
    return ""


def _record(quantized: QuantizedGraph, curve: PrecisionCurve | None, *, ok: bool) -> dict[str, Any]:
    report = quantized.report
    steps = [{"step": step, "snr": snr} for step, snr in report.steps]
    tensors = [asdict(each) for each in report.tensors]
    known = {"ok": ok, "summary": report.summary, "snr": report.snr, "steps": steps}
    points = {} if curve is None else {"curve": curve.to_frame().to_dict("records")}
    return {**known, **points, "tensors": tensors, "left": dict(report.left)}
