"""Costs of graphs: arithmetic, memory traffic and peak memory, from shapes alone."""

from nnefkit.analysis.costs.cost import cost
from nnefkit.analysis.costs.cost_result import Cost
from nnefkit.analysis.costs.profile import profile
from nnefkit.analysis.costs.profile_result import Profile

__all__ = ["Cost", "Profile", "cost", "profile"]
