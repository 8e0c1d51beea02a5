"""Reports of operators that NNEF cannot express, with workarounds."""

from __future__ import annotations

from torch import fx

from nnefkit.errors import Diagnostic
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.torch.exported_program import base_name, source_of
from nnefkit.exchange.torch.origins import module_path, source_line

_NO_OPERATION = "NNEF has no operation for it"
_SHAPE = "The shape of its result depends on values, and NNEF fixes shapes. "
_MASK = _SHAPE + "Use torch.where, which keeps the shape."
_SORTING = "NNEF has no sorting. Remove it from the network, and sort the output of the network."
_VALUE = "Compute with tensors, not with their values (item, tolist, int, float): use torch.where."
_BRANCH = "Its control flow must not depend on the values of tensors: use torch.where."
_WORKAROUNDS = {
    "item": _VALUE,
    "_local_scalar_dense": _VALUE,
    "scalar_tensor": _VALUE,
    "cond": _BRANCH,
    "while_loop": "The number of its steps must not depend on the values of tensors.",
    "nonzero": _MASK,
    "argwhere": _MASK,
    "masked_select": _MASK,
    "unique": _SHAPE + "Remove it from the network.",
    "nms": _SHAPE + "Remove it from the network, and apply it to the output of the network.",
    "sort": _SORTING,
    "argsort": _SORTING,
    "kthvalue": _SORTING,
    "median": _SORTING,
    "multinomial": "It generates random numbers. Remove it from the network.",
    "cummax": "Use max_pool1d with padding on one side.",
}
_COMPLEX = ("fft", "view_as_complex", "complex", "stft", "istft", "polar")
_SOLVERS = ("linalg_", "cholesky", "lu_", "svd", "qr", "inverse", "triangular_solve")


def unknown_operator(node: fx.Node) -> Refusal:
    """Return the refusal of an operator that has no reader, with a workaround."""
    name = operator_name(node)
    if name in _WORKAROUNDS:
        return Refusal(_NO_OPERATION, _WORKAROUNDS[name])
    if any(word in name for word in _COMPLEX):
        return Refusal(
            "it computes with complex numbers, which NNEF does not have (3.3.1)",
            "Write a Fourier transform as a convolution with fixed sine and cosine filters.",
        )
    if name.startswith(_SOLVERS):
        return Refusal(
            _NO_OPERATION,
            "Results that depend only on weights are computed during the conversion; remove all "
            "others from the network.",
        )
    if "quantize" in name:
        return Refusal(
            "it belongs to a quantized network",
            "Export the network before it is quantized; graph.quant describes the quantization.",
        )
    target = str(node.target)
    if not target.startswith("aten.") and "::" not in target and "." in target:
        return Refusal(
            "it is an operator of a library other than PyTorch",
            "Export the module with its parts written in PyTorch.",
        )
    return Refusal(
        _NO_OPERATION,
        "Write the layer with other operators, or export the network without it.",
    )


def operator_name(node: fx.Node) -> str:
    """Return the name of the operator in the module that `node` is, or is a part of."""
    _, target = source_of(node)
    parts = target.split(".")
    if len(parts) != 3:
        return base_name(node)
    return parts[1] if parts[1].endswith("__") else parts[1].removesuffix("_")


class ProgramProblems:
    """The problems of a program; each operator of the source is reported once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._reported: set[str] = set()

    def refuse(self, node: fx.Node, refusal: Refusal) -> None:
        """Report that NNEF cannot express an operator."""
        name, _ = source_of(node)
        if name in self._reported:
            return
        self._reported.add(name)
        path, _ = module_path(node)
        where = f" in '{path}'" if path else ""
        self.add(node, f"{operator_name(node)}{where}: {refusal.reason}", refusal.hint)

    def add(self, node: fx.Node, message: str, hint: str) -> None:
        """Report a problem at the place in the source that a node comes from."""
        file, line, code = source_line(node)
        self.diagnostics.append(
            Diagnostic("not-expressible", message, file=file, line=line, hint=hint, excerpt=code)
        )
