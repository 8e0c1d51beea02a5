"""Nodes that ONNX Runtime, or ONNX's evaluator in its place, is known to compute wrongly.

Each condition names the fault.
"""

from onnx import ModelProto, NodeProto, TensorProto, helper

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


FAULTS = (
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
    types = {info.name: info.type.tensor_type.elem_type for info in model.graph.input}
    types.update((tensor.name, tensor.data_type) for tensor in model.graph.initializer)
    return any(fault(node, opset, types) for node in model.graph.node for fault in FAULTS)


def attributes(node: NodeProto):
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
