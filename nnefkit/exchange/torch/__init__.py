"""PyTorch modules to graphs and back.

`program` asks `torch.export` for the operators, `reader` goes through them, the modules of the
themes have one function for each operator (`registry`), `fragments` what no standard operation
says. `running` runs the source itself.
"""

from nnefkit.exchange.torch.from_torch import from_torch
from nnefkit.exchange.torch.to_torch import to_torch
from nnefkit.exchange.torch.trace_torch import trace_torch

__all__ = ["from_torch", "to_torch", "trace_torch"]
