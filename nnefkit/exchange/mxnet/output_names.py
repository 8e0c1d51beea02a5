"""The outputs of nodes, and their names in MXNet."""

from __future__ import annotations

from collections.abc import Mapping

from nnefkit.exchange.mxnet.attribute_values import is_true, numbers

_RECURRENT = frozenset(("RNN", "_npx_rnn"))
_SPLITS = frozenset(("SliceChannel", "split"))
_PARTS = frozenset(("_split_v2", "_npi_split", "_npi_array_split"))
_MAX_OUTPUTS = 1 << 16


def output_names(op: str, name: str, attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the outputs of a node that other nodes may read.

    Args:
        op: The operator.
        name: The name of the node.
        attributes: Its attributes; invalid ones count as missing.
    """
    if op in _RECURRENT:
        parts = ["output"]
        if _is_true(attributes.get("state_outputs", "False")):
            parts += ["state", "state_cell"] if attributes.get("mode") == "lstm" else ["state"]
        return tuple(f"{name}_{part}" for part in parts)
    count = _count(op, attributes)
    if count == 1:
        return (f"{name}_output",)
    return tuple(f"{name}_output{number}" for number in range(count))


def _is_true(text: str) -> bool:
    try:
        return is_true(text)
    except ValueError:
        return False


def _count(op: str, attributes: Mapping[str, str]) -> int:
    if op in _SPLITS:
        return _bounded(numbers(attributes.get("num_outputs", "1")))
    if op in _PARTS:
        sections = _bounded(numbers(attributes.get("sections", "0")), 0)
        # The places begin with 0.
        return sections or max(len(numbers(attributes.get("indices", "()"))), 1)
    if op in ("amp_multicast", "_split_outputs"):
        return _bounded(numbers(attributes.get("num_outputs", "1")))
    if op in ("topk", "_npx_topk") and attributes.get("ret_typ") == "both":
        return 2
    return 2 if op == "moments" else 1


def _bounded(given: list[int], least: int = 1) -> int:
    return min(max(given[0], least), _MAX_OUTPUTS) if given else least
