"""Variables, which have the values of the checkpoint."""

from __future__ import annotations

from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_operators.indexing import gather
from nnefkit.exchange.tensorflow.call import Call, VariableHandle, operator


def _name(c: Call) -> str:
    return str(c.option("shared_name", "")) or c.name


@operator("VariableV2", "Variable")
def variable(c: Call) -> Value:
    """Read `variable`."""
    return c.read_variable(_name(c))


@operator("VarHandleOp")
def handle(c: Call) -> VariableHandle:
    """Read the handle of a variable."""
    return VariableHandle(_name(c))


@operator("ReadVariableOp")
def read(c: Call) -> Value:
    """Read `variable`."""
    return c.read_variable(c.resource(0).name)


@operator("ResourceGather")
def resource_gather(c: Call) -> Value:
    """Read rows of a variable."""
    c.inputs = [c.read_variable(c.resource(0).name), *c.inputs[1:]]
    return gather(c)
