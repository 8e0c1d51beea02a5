"""The networks of `modules` as the ONNX models that PyTorch's exporter writes."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings

import torch
from torch import nn


def onnx_form(module: nn.Module, shape: tuple[int, ...]) -> bytes:
    """The serialized model, as the current exporter writes and optimizes it."""
    file = io.BytesIO()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (torch.zeros(shape),),
            input_names=["input"],
            output_names=["output"],
            dynamo=True,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    program.save(file)
    return file.getvalue()
