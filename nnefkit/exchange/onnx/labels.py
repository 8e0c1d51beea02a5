"""Labels of classes: strings become indices, and dictionaries of scores become tensors.

NNEF has neither strings nor dictionaries. The model is changed before it is read and run, so that
both sides of the proof return the same; the provenance of the graph lists the labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnefkit.exchange.onnx.call import ML, ONNX_DOMAINS
from nnefkit.exchange.onnx.python_values import attributes_of

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

Labels = list[str] | list[int]

_CLASSIFIERS = {
    "LinearClassifier": "classlabels_ints",
    "SVMClassifier": "classlabels_ints",
    "TreeEnsembleClassifier": "classlabels_int64s",
}
"""Operators whose first result is a label -> their attribute for labels that are integers."""
_COPIES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Gather")
"""Operators that move the elements of their first input."""


def index_labels(graph: GraphProto) -> dict[str, Labels]:
    """Replace strings by indices and `ZipMap` by its input.

    Nothing is replaced if other nodes compute with the strings.

    Args:
        graph: The graph, which is changed.

    Returns:
        Name of an output -> its labels: that of each index, or that of each column of scores.
    """
    labels = _unzipped(graph)
    strings = _Strings(graph)
    if not strings.collect():
        return labels
    strings.replace()
    labels.update(
        {info.name: strings.of[info.name] for info in graph.output if info.name in strings.of}
    )
    return labels


def _unzipped(graph: GraphProto) -> dict[str, Labels]:
    """Replace each `ZipMap` by a copy; return the labels of the columns of outputs."""
    from onnx import TensorProto, helper

    labels: dict[str, Labels] = {}
    for node in graph.node:
        if node.domain != ML or node.op_type != "ZipMap":
            continue
        attributes = _attributes(node)
        columns = attributes.get("classlabels_strings") or attributes.get("classlabels_int64s")
        node.op_type, node.domain = "Identity", ""
        del node.attribute[:]
        for info in graph.output:
            if info.name == node.output[0]:
                info.type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
                labels[info.name] = list(columns or [])
    return labels


class _Strings:
    """The tensors of strings of a graph, with the labels that their elements are among."""

    def __init__(self, graph: GraphProto) -> None:
        from onnx import TensorProto

        self.graph = graph
        self.of: dict[str, list[str]] = {
            tensor.name: [item.decode(errors="replace") for item in tensor.string_data]
            for tensor in graph.initializer
            if tensor.data_type == TensorProto.STRING and len(tensor.dims) == 1
        }

    def collect(self) -> bool:
        """Find the tensors of strings; return whether there are any and all can be replaced."""
        return all(map(self._follow, self.graph.node)) and bool(self.of)

    def _follow(self, node: NodeProto) -> bool:
        """Add the results of a node that are strings; return whether it can be replaced."""
        read = [name for name in _names(node) if name in self.of]
        labels = self._labels_of(node, _attributes(node) if node.domain == ML else {})
        if labels is not None and node.output:
            self.of[node.output[0]] = labels
        is_copy = node.op_type in _COPIES and node.domain in ONNX_DOMAINS
        is_lookup = node.domain == ML and node.op_type in ("LabelEncoder", "ArrayFeatureExtractor")
        return not read or ((is_copy or is_lookup) and read == [node.input[0]])

    def _labels_of(self, node: NodeProto, attributes: dict[str, Any]) -> list[str] | None:
        """Return the labels of the first result of a node; None if it is not strings."""
        if node.domain == ML and node.op_type in _CLASSIFIERS:
            return attributes.get("classlabels_strings") or None
        if node.domain == ML and node.op_type == "LabelEncoder":
            values = attributes.get("values_strings")
            default = attributes.get("default_string", "_Unused")
            return [*dict.fromkeys([*values, default])] if values else None
        is_copy = node.domain in ONNX_DOMAINS and node.op_type in _COPIES
        if is_copy or (node.domain == ML and node.op_type == "ArrayFeatureExtractor"):
            return self.of.get(node.input[0]) if node.input else None
        return None

    def replace(self) -> None:
        """Replace the strings by indices."""
        from onnx import TensorProto, helper, numpy_helper

        for tensor in self.graph.initializer:
            if tensor.name in self.of:
                indices = np.arange(len(tensor.string_data))
                tensor.CopyFrom(numpy_helper.from_array(indices, tensor.name))
        for node in self.graph.node:
            if node.domain == ML and node.op_type in _CLASSIFIERS and node.output[0] in self.of:
                count = len(self.of[node.output[0]])
                _replace_attributes(
                    node, ["classlabels_strings"], {_CLASSIFIERS[node.op_type]: [*range(count)]}
                )
            elif node.domain == ML and node.op_type == "LabelEncoder":
                self._replace_keys(node)
                self._replace_values(node)
        for info in self.graph.output:
            if info.name in self.of:
                info.type.CopyFrom(helper.make_tensor_type_proto(TensorProto.INT64, None))

    def _replace_keys(self, node: NodeProto) -> None:
        attributes = _attributes(node)
        keys, known = attributes.get("keys_strings"), self.of.get(node.input[0])
        if not keys or known is None:
            return
        pairs = [
            (index, number)
            for index, label in enumerate(known)
            for number, key in enumerate(keys)
            if key == label
        ]
        new = {"keys_int64s": [index for index, _ in pairs]}
        (field,) = [name for name in attributes if name.startswith("values_")]
        new[field] = [attributes[field][number] for _, number in pairs]
        _replace_attributes(node, ["keys_strings", field], new)

    def _replace_values(self, node: NodeProto) -> None:
        attributes, labels = _attributes(node), self.of.get(node.output[0])
        if "values_strings" not in attributes or labels is None:
            return
        default = attributes.get("default_string", "_Unused")
        values = [labels.index(value) for value in attributes["values_strings"]]
        new = {"values_int64s": values, "default_int64": labels.index(default)}
        _replace_attributes(node, ["values_strings", "default_string"], new)


def _attributes(node: NodeProto) -> dict[str, Any]:
    """Return the attributes of a node, none where they are damaged: its reader refuses them."""
    try:
        return attributes_of(node)
    except (ValueError, TypeError, LookupError):
        return {}


def _names(node: NodeProto) -> Iterable[str]:
    """Return the tensors that a node and the graphs in its attributes read."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from _names(inner)


def _replace_attributes(node: NodeProto, old: Sequence[str], new: dict[str, Any]) -> None:
    from onnx import helper

    remaining = [attribute for attribute in node.attribute if attribute.name not in old]
    made = [helper.make_attribute(name, value) for name, value in new.items()]
    del node.attribute[:]
    node.attribute.extend([*remaining, *made])
