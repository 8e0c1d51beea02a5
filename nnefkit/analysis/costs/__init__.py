"""Costs of graphs: arithmetic, memory traffic and peak memory, from shapes alone."""

from nnefkit.analysis.costs.cost import cost
from nnefkit.analysis.costs.cost_result import Cost

__all__ = ["Cost", "cost"]
