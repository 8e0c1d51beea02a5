"""Nodes that ONNX Runtime, or ONNX's evaluator in its place, is known to compute wrongly.

Each condition names the fault.
"""

import contextlib
import math

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

REAL = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)


def ignores_the_factor_of_the_bias(node, opset, types):
    """Before opset 7, which ONNX Runtime lacks, the evaluator multiplies no bias by `beta` unless
    `broadcast` is set."""
    given = attributes(node)
    return (
        node.op_type == "Gemm"
        and opset < 7
        and not given.get("broadcast", 0)
        and given.get("beta", 1.0) != 1
    )


def compares_fractions_as_indices(node, opset, types):
    """The evaluator casts no indices to integers; ONNX Runtime, which does, lacks a depth that is
    an integer."""
    return (
        node.op_type == "OneHot"
        and types.get(node.input[0]) in REAL
        and types.get(node.input[1]) != TensorProto.FLOAT
    )


def rounds_exponentials_near_1(node, opset, types):
    """ONNX Runtime computes exp(x / alpha) - 1 in float32: for a large alpha, nothing is left."""
    return node.op_type == "Celu" and abs(attributes(node).get("alpha", 1.0)) > 100


def casts_numbers_beyond_the_range(node, opset, types):
    """ONNX leaves open what a number becomes that the integer type does not have."""
    if node.op_type not in ("Cast", "CastLike") or types.get(node.input[0]) not in REAL:
        return False
    given = attributes(node).get("to") if node.op_type == "Cast" else types.get(node.input[1])
    return given not in (*REAL, TensorProto.BOOL, TensorProto.BFLOAT16)


def divides_far_apart(node, opset, types):
    """A remainder whose quotient has too many digits is NaN, since arithmetic does not find it."""
    return node.op_type == "Mod" and types.get(node.input[0]) in REAL


def transforms_inexactly(node, opset, types):
    """ONNX Runtime rounds transforms whose length is no power of two to four digits."""
    return node.op_type in ("DFT", "STFT")


def loses_a_tiny_epsilon(node, opset, types):
    """ONNX Runtime takes an epsilon that is not a normal number for 0, and loses the bias."""
    return node.op_type == "InstanceNormalization" and attributes(node).get("epsilon", 1) < 1e-37


def keeps_axes_or_not(node, opset, types):
    """ONNX leaves open what another number than 0 and 1 means: ONNX Runtime takes it for 0, the
    evaluator for 1."""
    return attributes(node).get("keepdims", 1) not in (0, 1)


def reads_beyond_the_scales(node, opset, types):
    """ONNX Runtime takes the scales of the columns for those of all matrices, of which there are
    more, and reads what is in memory behind them."""
    if node.op_type != "MatMulIntegerToFloat":
        return False
    return len(types.shapes.get(node.input[1], ())) > 2 and any(
        math.prod(types.shapes.get(name, ())) > 1 for name in node.input[2:6]
    )


def rounds_beyond_all_codes(node, opset, types):
    """ONNX Runtime rounds what 32 bits do not hold to the least code, or to the greatest."""
    if "QLinear" not in node.op_type and "Quantize" not in node.op_type:
        return False
    arrays = [types.arrays[name] for name in node.input if name in types.arrays]
    return any(a.dtype.kind == "f" and (np.abs(a) < 1e-30).any() for a in arrays)


def adds_the_leaves_of_all_nodes(node, opset, types):
    """ONNX Runtime adds up all leaves of a tree whose first node is a leaf."""
    if not node.op_type.startswith("TreeEnsemble"):
        return False
    given = attributes(node)
    trees, modes = given.get("nodes_treeids", []), given.get("nodes_modes", [])
    pairs = [*zip(trees, modes, strict=False)]
    first = dict(reversed(pairs))
    return any(first[tree] == b"LEAF" and trees.count(tree) > 1 for tree in trees)


FAULTS = (
    keeps_axes_or_not,
    reads_beyond_the_scales,
    rounds_beyond_all_codes,
    adds_the_leaves_of_all_nodes,
    loses_a_tiny_epsilon,
    divides_far_apart,
    transforms_inexactly,
    casts_numbers_beyond_the_range,
    ignores_the_factor_of_the_bias,
    compares_fractions_as_indices,
    rounds_exponentials_near_1,
)


def has_known_fault(model: ModelProto) -> bool:
    """Return whether a node of a model is known to be computed wrongly."""
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
    types = Types(model)
    return any(fault(node, opset, types) for node in model.graph.node for fault in FAULTS)


class Types(dict):
    """The types of the inputs and weights of a model, their shapes, and the elements of weights."""

    def __init__(self, model: ModelProto) -> None:
        infos, weights = model.graph.input, model.graph.initializer
        super().__init__((info.name, info.type.tensor_type.elem_type) for info in infos)
        self.update((tensor.name, tensor.data_type) for tensor in weights)
        self.shapes = {
            info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim] for info in infos
        }
        self.shapes.update((tensor.name, [*tensor.dims]) for tensor in weights)
        self.arrays = {}
        for tensor in weights:
            with contextlib.suppress(Exception):  # A weight that is broken.
                self.arrays[tensor.name] = numpy_helper.to_array(tensor)


def attributes(node: NodeProto):
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
