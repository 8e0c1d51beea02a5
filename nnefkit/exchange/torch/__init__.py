"""PyTorch modules to graphs and back.

`program` asks `torch.export` for the operators, `reader` goes through them, the modules of the
themes have one function for each operator (`registry`), `fragments` what no standard operation
says. `running` runs the source itself.
"""

from nnefkit.exchange.torch.reading import from_torch
from nnefkit.exchange.torch.tracing import trace_torch
from nnefkit.exchange.torch.writing import to_torch

__all__ = ["from_torch", "to_torch", "trace_torch"]
