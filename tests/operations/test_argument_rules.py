"""Argument rules of chapter 4: each row violates one, and has the argument and the section."""

import pytest

import nnefkit.operations  # noqa: F401  (fills the tables)
from nnefkit.errors import ArgumentError
from nnefkit.operations.registry import SHAPE_RULES

X = (1, 3, 4, 5)
RESHAPE = {"shape": [1, 60], "axis_start": 0, "axis_count": -1}
SLICE = {"axes": [1], "begin": [0], "end": [2], "stride": []}
PAD = {"padding": [(0, 0)] * 4, "border": "constant", "value": 0.0}
MATMUL = {"transposeA": False, "transposeB": False}
QUANTIZE = {"bits": 8, "signed": True, "symmetric": False}

# operation, input shapes, attributes, argument that violates the rule, section, part of the message
BROKEN = [
    # 4.1 Tensor Introducing Operations
    ("external", [], {"shape": [1, 0]}, "shape", "4.1.1", "strictly positive"),
    ("external", [], {"shape": [-1, 2]}, "shape", "4.1.1", "strictly positive"),
    ("constant", [], {"shape": [0], "value": [1.0]}, "shape", "4.1.2", "strictly positive"),
    ("constant", [], {"shape": [2, 3], "value": [1.0] * 5}, "value", "4.1.2", "volume of 6"),
    ("constant", [], {"shape": [2, 3], "value": []}, "value", "4.1.2", "0 elements"),
    ("constant", [], {"shape": [], "value": [1.0, 2.0]}, "value", "4.1.2", "volume of 1"),
    ("variable", [], {"shape": [0], "label": "a"}, "shape", "4.1.3", "strictly positive"),
    ("variable", [], {"shape": [1], "label": ""}, "label", "4.1.3", "empty"),
    ("variable", [], {"shape": [1], "label": "a b"}, "label", "4.1.3", "' '"),
    ("variable", [], {"shape": [1], "label": "größe"}, "label", "4.1.3", "öß"),
    ("variable", [], {"shape": [1], "label": "a\n"}, "label", "4.1.3", "not allowed"),
    # 4.2 Element-wise Operations
    ("add", [X, (1, 2)], {}, "y", "4.2.2", "dimension 1"),
    ("add", [(2, 3, 4, 5), (5,)], {}, "y", "4.2.2", "[1, 1, 1, 5]"),
    ("lt", [(2,), (3,)], {}, "y", "4.2.2", "do not broadcast"),
    ("max", [(2,), (3,)], {}, "y", "4.2.2", "do not broadcast"),
    ("select", [(2,), (1,), (3,)], {}, "false_value", "4.2.3", "dimension 0"),
    ("clamp", [(2,), (), (3,)], {}, "b", "4.2.4", "dimension 0"),
    # 4.4 Reduce Operations
    ("sum_reduce", [X], {"axes": [4], "normalize": False}, "axes", "4.4", "rank is 4"),
    ("sum_reduce", [X], {"axes": [-1], "normalize": False}, "axes", "4.4", "write 3"),
    ("mean_reduce", [X], {"axes": [1, 1]}, "axes", "4.4", "repeats 1"),
    ("max_reduce", [()], {"axes": [0]}, "axes", "4.4", "no axes"),
    ("max_reduce", [(2, 0)], {"axes": [1]}, "axes", "4.4", "no elements to choose"),
    ("argmin_reduce", [X], {"axes": [2, 5]}, "axes", "4.4", "rank is 4"),
    ("any_reduce", [X], {"axes": [0, 2, 0]}, "axes", "4.4", "repeats 0"),
    # 4.5.1 Reshaping
    ("reshape", [X], RESHAPE | {"axis_start": 5}, "axis_start", "4.5.1", "rank is 4"),
    ("reshape", [X], RESHAPE | {"axis_start": -1}, "axis_start", "4.5.1", "0 to 4"),
    ("reshape", [X], RESHAPE | {"axis_count": -2}, "axis_count", "4.5.1", "-2"),
    ("reshape", [X], RESHAPE | {"axis_start": 2, "axis_count": 3}, "axis_count", "4.5.1", "0 to 2"),
    ("reshape", [X], RESHAPE | {"shape": [-2, 30]}, "shape", "4.5.1", "-2"),
    ("reshape", [X], RESHAPE | {"shape": [-1, -1]}, "shape", "4.5.1", "more than one -1"),
    ("reshape", [X], RESHAPE | {"shape": [1, 59]}, "shape", "4.5.1", "volume of 59"),
    ("reshape", [X], RESHAPE | {"shape": [7, -1]}, "shape", "4.5.1", "does not divide"),
    ("reshape", [X], RESHAPE | {"shape": [1, 3, 4, 5, 0]}, "shape", "4.5.1", "element 4"),
    ("reshape", [X], RESHAPE | {"shape": [3, 0], "axis_count": 1}, "shape", "4.5.1", "element 1"),
    ("squeeze", [X], {"axes": [1]}, "axes", "4.5.1", "extent of 3"),
    ("squeeze", [X], {"axes": [4]}, "axes", "4.5.1", "rank is 4"),
    ("squeeze", [X], {"axes": [0, 0]}, "axes", "4.5.1", "repeats 0"),
    ("unsqueeze", [X], {"axes": [5]}, "axes", "4.5.1", "rank is 5"),
    ("unsqueeze", [X], {"axes": [-1]}, "axes", "4.5.1", "write 4"),
    ("unsqueeze", [X], {"axes": [1, 1]}, "axes", "4.5.1", "repeats 1"),
    # 4.5.2 Transposing
    ("transpose", [X], {"axes": [0, 2]}, "axes", "4.5.2", "permutation"),
    ("transpose", [X], {"axes": [1, 1, 0]}, "axes", "4.5.2", "permutation"),
    ("transpose", [(2, 3)], {"axes": [2, 1, 0]}, "axes", "4.5.2", "rank is 2"),
    # 4.5.3 Splitting and Concatenation
    ("split", [X], {"axis": 1, "ratios": [1, 0]}, "ratios", "4.5.3", "strictly positive"),
    ("split", [X], {"axis": 1, "ratios": [1, 1]}, "ratios", "4.5.3", "does not divide"),
    ("split", [X], {"axis": 1, "ratios": []}, "ratios", "4.5.3", "empty"),
    ("split", [X], {"axis": 4, "ratios": [1]}, "axis", "4.5.3", "rank is 4"),
    ("split", [X], {"axis": -1, "ratios": [1]}, "axis", "4.5.3", "write 3"),
    ("concat", [[X, (1, 3, 4)]], {"axis": 1}, "values", "4.5.3", "rank 3"),
    ("concat", [[X, (1, 3, 4, 6)]], {"axis": 1}, "values", "4.5.3", "element 1"),
    ("concat", [[X, X]], {"axis": 4}, "axis", "4.5.3", "rank is 4"),
    ("concat", [[]], {"axis": 0}, "values", "4.5.3", "empty"),
    ("concat", [[(), ()]], {"axis": 0}, "axis", "4.5.3", "no axes"),
    ("stack", [[X, (1, 3, 4, 6)]], {"axis": 0}, "values", "4.5.3", "element 1"),
    ("stack", [[X]], {"axis": 5}, "axis", "4.5.3", "rank is 5"),
    ("unstack", [X], {"axis": 4}, "axis", "4.5.3", "rank is 4"),
    # 4.5.4 Slicing
    ("slice", [X], SLICE | {"begin": [0, 0]}, "begin", "4.5.4", "2 elements"),
    ("slice", [X], SLICE | {"end": []}, "end", "4.5.4", "0 elements"),
    ("slice", [X], SLICE | {"stride": [1, 1]}, "stride", "4.5.4", "2 elements"),
    ("slice", [X], SLICE | {"stride": [0]}, "stride", "4.5.4", "must not be 0"),
    ("slice", [X], SLICE | {"axes": [4]}, "axes", "4.5.4", "rank is 4"),
    (
        "slice",
        [X],
        {"axes": [1, 1], "begin": [0, 0], "end": [1, 1], "stride": []},
        "axes",
        "4.5.4",
        "repeats 1",
    ),
    ("slice", [X], SLICE | {"begin": [2], "end": [1]}, "end", "4.5.4", "before"),
    ("slice", [X], SLICE | {"begin": [-4]}, "begin", "4.5.4", "outside"),
    ("slice", [X], SLICE | {"begin": [0], "end": [2], "stride": [-1]}, "end", "4.5.4", "is after"),
    ("slice", [X], SLICE | {"begin": [3], "end": [0], "stride": [-1]}, "begin", "4.5.4", "outside"),
    ("slice", [X], SLICE | {"begin": [1], "end": [0], "stride": [2]}, "end", "4.5.4", "before"),
    ("slice", [X], SLICE | {"begin": [1], "end": [-1], "stride": [-1]}, "end", "4.5.4", "write -4"),
    # 4.5.5 to 4.5.7
    ("pad", [X], PAD | {"padding": [(1, 1)]}, "padding", "4.5.5", "1 element"),
    ("pad", [X], PAD | {"border": "reflet"}, "border", "4.5.5", "reflet"),
    ("pad", [(3,)], PAD | {"padding": [(-2, -2)]}, "padding", "4.5.5", "crops more"),
    ("pad", [(0,)], {"padding": [(1, 1)], "border": "reflect"}, "border", "4.5.5", "to repeat"),
    ("tile", [X], {"repeats": [2]}, "repeats", "4.5.6", "1 element"),
    ("tile", [(3,)], {"repeats": [0]}, "repeats", "4.5.6", "strictly positive"),
    ("gather", [X, (2,)], {"axis": 4}, "axis", "4.5.7", "rank is 4"),
    ("gather", [X, (2,)], {"axis": -1}, "axis", "4.5.7", "write 3"),
    # 4.7 Matrix Multiplication
    ("matmul", [(3,), (3, 3)], MATMUL, "A", "4.7", "at least 2"),
    ("matmul", [(2, 3), (1, 3, 4)], MATMUL, "B", "4.7", "rank 3"),
    ("matmul", [(2, 3), (4, 3)], MATMUL, "B", "4.7", "inner extents"),
    ("matmul", [(2, 3), (3, 4)], MATMUL | {"transposeB": True}, "B", "4.7", "3"),
    ("matmul", [(2, 3), (3, 4)], MATMUL | {"transposeA": True}, "B", "4.7", "2"),
    ("matmul", [(2, 3), (4, 3)], {"transposeA": True, "transposeB": True}, "B", "4.7", "2"),
    ("matmul", [(2, 2, 3), (3, 3, 4)], MATMUL, "B", "4.7", "dimension 0"),
    # 4.8 Variable Updates
    ("update", [(2, 3), (2, 1)], {}, "value", "4.8", "[2, 3]"),
    ("update", [(2, 3), ()], {}, "value", "4.8", "[2, 3]"),
    # 4.9 Compound Operations
    ("prelu", [X, (1, 4)], {}, "alpha", "4.9.1", "dimension 1"),
    ("softmax", [X], {"axes": [4]}, "axes", "4.9.1", "rank is 4"),
    ("softmax", [X], {"axes": [1, 1]}, "axes", "4.9.1", "repeats 1"),
    ("linear", [(2, 3), (4, 5), ()], {}, "filter", "4.9.2", "inner extents"),
    ("linear", [(2, 3), (4, 3), (4,)], {}, "bias", "4.9.2", "[1, 4]"),
    ("linear", [(2, 3), (4, 3), (1, 5)], {}, "bias", "4.9.2", "dimension 1"),
    ("linear", [(3,), (4, 3), ()], {}, "input", "4.9.2", "at least 2"),
    ("l1_normalization", [X], {"axes": [9], "bias": 0.0, "epsilon": 0.0}, "axes", "4.9.4", "rank"),
    ("l2_normalization", [X], {"axes": [0, 0], "bias": 0.0}, "axes", "4.9.4", "repeats 0"),
    ("batch_normalization", [X, (1, 3), (1, 2), (), ()], {}, "variance", "4.9.4", "dimension 1"),
    ("min_max_linear_quantize", [X, (), (1, 2)], QUANTIZE, "max", "4.9.5", "dimension 1"),
    ("min_max_linear_quantize", [X, (), ()], QUANTIZE | {"bits": 0}, "bits", "4.9.5", "at least 1"),
    (
        "min_max_linear_quantize",
        [X, (), ()],
        {"bits": 1, "signed": True, "symmetric": True},
        "bits",
        "4.9.5",
        "at least 2",
    ),
    ("zero_point_linear_quantize", [X, (1, 2), ()], QUANTIZE, "zero_point", "4.9.5", "dimension 1"),
    ("zero_point_linear_quantize", [X, (), ()], QUANTIZE | {"bits": -1}, "bits", "4.9.5", "-1"),
    ("linear_quantize", [X, (), ()], {"bits": 0}, "bits", "4.9.5", "at least 1"),
    ("logarithmic_quantize", [X, ()], {"bits": 0}, "bits", "4.9.5", "at least 1"),
    ("logarithmic_quantize", [(3, 4), (2,)], {"bits": 8}, "max", "4.9.5", "do not"),
    ("copy_n", [X], {"times": -1}, "times", "4.9.6", "negative"),
    ("copy_n", [X], {"times": 10**12}, "times", "3.3.2", "1000000000000 tensors"),
    ("unstack", [(10**12,)], {"axis": 0}, "axis", "3.3.2", "1000000000000 tensors"),
    ("logarithmic_quantize", [X, ()], {"bits": 10**12}, "bits", "4.9.5", "at most 64"),
    ("add_n", [[X, (2,), (3,)]], {}, "x", "4.9.6", "dimension 0"),
    ("moments", [X], {"axes": [4]}, "axes", "4.9.6", "rank is 4"),
]  # fmt: skip

# operation, input shapes, attributes, result: what is allowed, at its limits
ALLOWED = [
    ("external", [], {"shape": []}, ()),
    ("constant", [], {"shape": [2, 3], "value": [1.0]}, (2, 3)),
    ("constant", [], {"shape": [], "value": [1]}, ()),
    ("variable", [], {"shape": [2], "label": r"aZ9_-./\x"}, (2,)),
    ("add", [(1, 3), X], {}, X),
    ("add", [(), ()], {}, ()),
    ("select", [(2,), (1, 3), (1, 1, 4)], {}, (2, 3, 4)),
    ("clamp", [(3,), (1, 2), ()], {}, (3, 2)),
    ("sum_reduce", [X], {"axes": [], "normalize": True}, X),
    ("argmax_reduce", [X], {"axes": [3, 1]}, (1, 1, 4, 1)),
    ("sum_reduce", [(2, 0)], {"axes": [1], "normalize": False}, (2, 1)),
    ("moments", [X], {"axes": [2, 3]}, ((1, 3, 1, 1), (1, 3, 1, 1))),
    ("reshape", [X], RESHAPE, (1, 60)),
    ("reshape", [X], RESHAPE | {"shape": [0, -1]}, (1, 60)),
    ("reshape", [X], RESHAPE | {"shape": [0, 0, -1]}, (1, 3, 20)),
    ("reshape", [X], {"shape": [0, 2, -1], "axis_start": 1, "axis_count": 2}, (1, 3, 2, 2, 5)),
    ("reshape", [X], {"shape": [1, 1], "axis_start": 4, "axis_count": 0}, (*X, 1, 1)),
    ("reshape", [X], {"shape": [], "axis_start": 0, "axis_count": 1}, (3, 4, 5)),
    ("reshape", [(1, 1)], {"shape": [], "axis_start": 0, "axis_count": -1}, ()),
    ("reshape", [()], {"shape": [-1], "axis_start": 0, "axis_count": -1}, (1,)),
    ("squeeze", [(1, 3, 1)], {"axes": [2, 0]}, (3,)),
    ("squeeze", [(1, 3, 1)], {"axes": []}, (1, 3, 1)),
    ("unsqueeze", [(2, 3)], {"axes": [3, 0]}, (1, 2, 3, 1)),
    ("unsqueeze", [()], {"axes": [1, 0]}, (1, 1)),
    ("transpose", [X], {"axes": [1, 0]}, (3, 1, 4, 5)),
    ("transpose", [X], {"axes": [2, 0, 1]}, (4, 1, 3, 5)),
    ("transpose", [X], {"axes": []}, X),
    ("split", [(1, 6)], {"axis": 1, "ratios": [1, 2]}, [(1, 2), (1, 4)]),
    ("concat", [[(1, 2), (1, 3)]], {"axis": 1}, (1, 5)),
    ("stack", [[(2,), (2,), (2,)]], {"axis": 1}, (2, 3)),
    ("stack", [[(), ()]], {"axis": 0}, (2,)),
    ("unstack", [(2, 3)], {"axis": 1}, [(2,), (2,), (2,)]),
    ("slice", [(10,)], {"axes": [0], "begin": [2], "end": [0], "stride": []}, (8,)),
    ("slice", [(10,)], {"axes": [0], "begin": [2], "end": [0], "stride": [1]}, (8,)),
    ("slice", [(10,)], {"axes": [0], "begin": [0], "end": [0], "stride": [2]}, (0,)),
    ("slice", [(10,)], {"axes": [0], "begin": [0], "end": [10], "stride": [3]}, (4,)),
    ("slice", [(10,)], {"axes": [0], "begin": [-1], "end": [-11], "stride": [-1]}, (10,)),
    ("slice", [(10,)], {"axes": [0], "begin": [-1], "end": [-99], "stride": [-4]}, (3,)),
    ("slice", [(10,)], {"axes": [0], "begin": [5], "end": [99], "stride": []}, (5,)),
    ("slice", [(10,)], {"axes": [0], "begin": [99], "end": [99], "stride": []}, (0,)),
    ("slice", [X], {"axes": [3, 1], "begin": [1, 0], "end": [-1, 1], "stride": []}, (1, 1, 4, 3)),
    ("slice", [(2**64,)], {"axes": [0], "begin": [1], "end": [-1], "stride": [2]}, (2**63 - 1,)),
    ("slice", [X], {"axes": [], "begin": [], "end": [], "stride": []}, X),
    ("pad", [(3, 4)], PAD | {"padding": [(1, -2), (5, 9)], "border": "reflect"}, (2, 18)),
    ("pad", [(3,)], PAD | {"padding": [(-1, -2)]}, (0,)),
    ("tile", [(2, 3)], {"repeats": [2, 1]}, (4, 3)),
    ("gather", [X, (2, 7)], {"axis": 1}, (1, 2, 7, 4, 5)),
    ("gather", [X, ()], {"axis": 0}, (3, 4, 5)),
    ("matmul", [(5, 1, 2, 3), (1, 4, 3, 6)], MATMUL, (5, 4, 2, 6)),
    ("matmul", [(3, 2), (4, 3)], {"transposeA": True, "transposeB": True}, (2, 4)),
    ("linear", [(2, 3), (4, 3), (1, 4)], {}, (2, 4)),
    ("linear", [(7, 2, 3), (1, 4, 3), ()], {}, (7, 2, 4)),
    ("update", [(), ()], {}, ()),
    ("batch_normalization", [X, (1, 3), (1, 3), (), (1, 3)], {"epsilon": 0.0}, X),
    ("softmax", [()], {"axes": []}, ()),
    ("copy_n", [(2,)], {"times": 2}, [(2,), (2,)]),
    ("copy_n", [(2,)], {"times": 0}, []),
    ("add_n", [[]], {}, ()),
    ("add_n", [[(2,), (1, 3)]], {}, (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shapes", "attribs", "argument", "section", "words"), BROKEN)
def test_a_violated_rule_is_reported_with_argument_and_section(
    name, shapes, attribs, argument, section, words
):
    with pytest.raises(ArgumentError) as raised:
        SHAPE_RULES[name](*shapes, **attribs)
    (diagnostic,) = raised.value.diagnostics
    assert raised.value.arguments == (argument,)
    assert diagnostic.section == section
    assert words in f"{diagnostic.message} {diagnostic.hint}"


@pytest.mark.parametrize(("name", "shapes", "attribs", "result"), ALLOWED)
def test_calls_that_the_rules_allow_have_the_inferred_shape(name, shapes, attribs, result):
    assert SHAPE_RULES[name](*shapes, **attribs) == result


def test_all_violated_rules_of_one_operation_are_reported_at_once():
    with pytest.raises(ArgumentError) as raised:
        SHAPE_RULES["slice"](X, axes=[1, 9], begin=[0], end=[1, 2, 3], stride=[0, 1])
    assert raised.value.arguments == ("axes", "begin", "end", "stride")


def test_a_border_mode_that_is_nearly_right_is_named():
    with pytest.raises(ArgumentError, match="Did you mean 'reflect'") as raised:
        SHAPE_RULES["pad"](X, padding=[(0, 0)] * 4, border="reflet", value=0.0)
    assert "'replicate'" in raised.value.diagnostics[0].hint


def test_the_transposition_that_would_fit_is_named():
    with pytest.raises(ArgumentError, match="transposeB = true"):
        SHAPE_RULES["matmul"]((2, 3), (4, 3), transposeA=False, transposeB=False)
    with pytest.raises(ArgumentError, match="transposeA = false"):
        SHAPE_RULES["matmul"]((2, 3), (3, 4), transposeA=True, transposeB=False)
