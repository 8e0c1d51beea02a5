"""Conversion of PyTorch modules to graphs, and of graphs to modules.

`exported_program` exports a module by `torch.export`, `nodes` reads the exported program node by
node, and `operators` has one function for each ATen operator. `exported_module` runs the module
itself.
"""

from nnefkit.exchange.torch.from_torch import from_torch
from nnefkit.exchange.torch.to_torch import to_torch
from nnefkit.exchange.torch.trace_torch import trace_torch

__all__ = ["from_torch", "to_torch", "trace_torch"]
