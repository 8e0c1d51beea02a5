"""The test sets of the `onnx` package.

The documentation has a table of the same, operator by operator (`documentation.onnx_table`).
"""

import collections

import pytest
from oracles.onnx_conformance import Case, judge, node_cases, verdicts


def counts(which):
    cases = verdicts(which)
    bad = [v for v in cases if v.result in ("wrong", "crashed")]
    assert not bad, "\n".join(f"{v.name}: {v.result}: {v.reason}" for v in bad[:20])
    return collections.Counter(v.result for v in cases)


def test_all_networks_converted_from_pytorch_are_read_correctly():
    assert counts("pytorch-converted") == {"passed": 82}


def test_operators_of_pytorch_are_read_correctly_or_refused():
    results = counts("pytorch-operator")
    # The recorded data of the refused ones exceed float32.
    assert results["passed"] >= 31
    assert results["refused"] <= 4


def test_simple_models_are_read_correctly_or_refused():
    assert counts("simple")["passed"] >= 3


@pytest.mark.slow
def test_operators_are_read_correctly_or_refused():
    results = counts("node")
    assert results["passed"] >= 1100
    assert results["passed"] + results["fixed"] >= 1390


def test_a_wrong_value_is_detected():
    case = next(case for case in node_cases() if case.name == "test_add")
    spoiled = Case(case.name, case.model, case.inputs, [case.outputs[0] + 1])
    assert judge(spoiled).result == "wrong"
