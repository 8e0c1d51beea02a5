"""What is said of operators that NNEF has no way to say, and what may help."""

from __future__ import annotations

from torch import fx

from nnefkit.errors import Diagnostic
from nnefkit.exchange.torch.origins import module_path, source_line
from nnefkit.exchange.torch.program import base_name, source_of

_DEPENDS = "How many items it gives depends on their values; NNEF fixes shapes. "
_MASK = _DEPENDS + "Use torch.where, which keeps the shape."
_SORTING = "NNEF has no sorting. Leave it out of the network and sort its output."
_WAYS_OUT = {
    "nonzero": _MASK,
    "masked_select": _MASK,
    "unique": _DEPENDS + "Leave it out of the network.",
    "nms": _DEPENDS + "Leave it out of the network and do it with its output.",
    "sort": _SORTING,
    "argsort": _SORTING,
    "kthvalue": _SORTING,
    "median": _SORTING,
    "grid_sampler": "Use interpolate or pad, if the grid is a regular one; if it is not, cut the "
    "network before it.",
    "scatter": "NNEF has no scatter. Use torch.where or concatenation.",
    "scatter_add": "NNEF has no scatter. Use a product with a matrix of ones and zeros.",
    "index_put": "NNEF has no scatter. Use torch.where or concatenation.",
    "multinomial": "It draws random numbers. Leave it out of the network.",
    "cdist": "Write it as sqrt(|a|^2 - 2 a b + |b|^2).",
    "cumprod": "Write it as the exponential of a cumsum of logarithms, if all items are positive.",
    "cummax": "Use max_pool1d with padding on one side.",
}
_COMPLEX = ("fft", "view_as_complex", "complex", "stft", "istft", "polar")
_SOLVERS = ("linalg_", "cholesky", "lu_", "svd", "qr", "inverse", "triangular_solve")


def unknown(node: fx.Node) -> tuple[str, str]:
    """Why an operator that has no reader is refused, and a way out."""
    kind = operator_name(node)
    if kind in _WAYS_OUT:
        return "NNEF has no operation for it", _WAYS_OUT[kind]
    if any(word in kind for word in _COMPLEX):
        return (
            "it computes with complex numbers, which NNEF does not have (3.3.1)",
            "Write a Fourier transform as a convolution with fixed sine and cosine filters.",
        )
    if kind.startswith(_SOLVERS):
        return (
            "NNEF has no operation for it",
            "What depends on weights alone is computed before; leave the rest out of the network.",
        )
    if "quantize" in kind:
        return (
            "it belongs to a network that is quantized already",
            "Export the network before it is quantized; graph.quant says how it is to be.",
        )
    target = str(node.target)
    if not target.startswith("aten.") and "::" not in target and "." in target:
        return (
            "it is an operator of another library than PyTorch's own",
            "Export the module with its parts written in PyTorch.",
        )
    return (
        "NNEF has no operation for it",
        "Write the layer with other operators, or cut it off the exported part.",
    )


def operator_name(node: fx.Node) -> str:
    """The operator that the module calls, of which `node` may be a part."""
    _, target = source_of(node)
    parts = target.split(".")
    if len(parts) != 3:
        return base_name(node)
    return parts[1] if parts[1].endswith("__") else parts[1].removesuffix("_")


class Problems:
    """What is wrong with a program, each operator of the source told once."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self._told: set[str] = set()

    def refuse(self, node: fx.Node, reason: str, hint: str) -> None:
        """Says of an operator why it cannot be expressed."""
        name, _ = source_of(node)
        if name in self._told:
            return
        self._told.add(name)
        path, _ = module_path(node)
        where = f" in '{path}'" if path else ""
        self.add(node, f"{operator_name(node)}{where}: {reason}", hint)

    def add(self, node: fx.Node, message: str, hint: str) -> None:
        """Says what is wrong at the place of a node."""
        file, line, code = source_line(node)
        self.found.append(
            Diagnostic("not-expressible", message, file=file, line=line, hint=hint, excerpt=code)
        )
