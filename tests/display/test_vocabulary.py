"""The vocabulary covers the standard operations, and describes their attributes briefly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from nnefkit.display.vocabulary import OTHERS, PRODUCTS, VOCABULARY, brief, family
from nnefkit.language import declarations

CONV: dict[str, Any] = {"stride": [], "dilation": [], "padding": [], "groups": 1}
POOL: dict[str, Any] = {"size": [1, 1, 3, 3], "stride": [], "dilation": [], "padding": []}


@pytest.mark.parametrize(
    ("name", "attribs", "filter_shape", "words"),
    [
        ("conv", CONV, (8, 3, 5, 5), "5×5"),
        ("conv", CONV | {"stride": [2, 2], "dilation": [1, 1]}, (8, 3, 3, 3), "3×3 stride 2"),
        ("conv", CONV | {"stride": [2, 1]}, (8, 3, 3, 3), "3×3 stride 2×1"),
        ("conv", CONV | {"dilation": [4, 4]}, (8, 3, 3, 3), "3×3 dilation 4"),
        ("conv", CONV | {"groups": 0}, (24, 1, 3, 3), "3×3 depthwise"),
        ("conv", CONV | {"groups": 24}, (24, 1, 3, 3), "3×3 depthwise"),
        ("conv", CONV | {"groups": 4}, (24, 6, 3, 3), "3×3 4 groups"),
        ("conv", CONV, (8, 3, 9), "9"),
        ("conv", CONV, None, ""),
        ("conv", {}, None, ""),
        ("max_pool", POOL, None, "3×3"),
        ("max_pool", POOL | {"stride": [1, 1, 2, 2]}, None, "3×3 stride 2"),
        ("avg_pool", {"size": [1, 3, 2, 1], "stride": [1, 3, 2, 1]}, None, "3×2 stride 3×2"),
        ("box", {"size": [1, 1, 1]}, None, ""),
        ("nearest_upsample", {"factor": [2, 2]}, None, "factor 2"),
        ("transpose", {"axes": [0, 2, 3, 1]}, None, "axes 0, 2, 3, 1"),
        ("mean_reduce", {"axes": [2]}, None, "axis 2"),
        ("softmax", {"axes": [1]}, None, ""),
        ("softmax", {"axes": [3]}, None, "axis 3"),
        ("linear", {}, (1000, 1280), "1280 → 1000"),
        ("linear", {}, None, ""),
        ("reshape", {"shape": [0, -1]}, None, "to 0×-1"),
        ("concat", {"axis": 1}, None, "axis 1"),
        ("leaky_relu", {"alpha": 0.1}, None, "alpha 0.1"),
        ("tile", {"repeats": [1, 2]}, None, "repeats 1×2"),
        ("relu", {}, None, ""),
        ("an_operation_of_a_vendor", {"axis": 1}, None, ""),
    ],
)
def test_attributes_in_brief(
    name: str, attribs: Mapping[str, Any], filter_shape: Sequence[int] | None, words: str
) -> None:
    assert brief(name, attribs, filter_shape) == words


def test_every_declared_operation_has_a_row_and_no_other_has() -> None:
    assert list(VOCABULARY) == list(declarations())


def test_custom_operations_belong_to_the_other_family() -> None:
    assert family("conv") == PRODUCTS
    assert family("my_vendor_op") == OTHERS
