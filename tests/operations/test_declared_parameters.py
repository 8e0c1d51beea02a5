"""Every standard operation has a shape rule and a kernel, which take the parameters declared."""

import inspect

import pytest

from nnefkit.language import declarations
from nnefkit.operations import COSTS, KERNELS, SHAPE_RULES

DECLARED = sorted(declarations())
WITHOUT_KERNEL = {"external", "variable"}
"""Their values do not come from a computation."""


def parameters(name):
    """How many tensors an operation takes, and the names of its attributes."""
    declared = declarations()[name].parameters
    tensors = [p for p in declared if "tensor<" in str(p.type)]
    return len(tensors), [p.name for p in declared if p not in tensors]


def test_all_standard_operations_have_a_rule_and_a_kernel():
    assert set(SHAPE_RULES) >= set(DECLARED)
    assert set(KERNELS) >= set(DECLARED) - WITHOUT_KERNEL
    assert set(COSTS) <= set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
def test_rules_and_kernels_accept_the_declared_parameters(name):
    count, attribs = parameters(name)
    keywords = dict.fromkeys(attribs)
    inspect.signature(SHAPE_RULES[name]).bind(*[None] * count, **keywords)
    if name in WITHOUT_KERNEL:
        return
    if name in ("cast", "constant"):
        keywords["dtype"] = None
    inspect.signature(KERNELS[name]).bind(*[None] * count, **keywords)
