"""Parameters that the text of a network has, but Caffe does not.

Derivatives of Caffe added parameters that change what a layer computes. Protobuf skips fields that
it does not know, so that they are looked for in the text.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from nnefkit.exchange.caffe.messages import FORMAT

_WORD = re.compile(
    r"#[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|[\w.+-]+|\S",
)
_OPEN, _CLOSE = ("{", "<"), ("}", ">")
_WITHOUT_EFFECT = frozenset(
    (
        *("weight_filler", "bias_filler", "filler", "scale_filler", "engine", "debug_info"),
        *("force_nd_im2col", "moving_average_fraction", "stable_prod_grad"),
    )
)
"""Caffe's own parameters of training and of implementations."""


def unknown_fields(text: str) -> list[list[str]]:
    """Return for each layer of a valid text the parameters that Caffe does not have."""
    names = {"layer": "LayerParameter", "layers": "V1LayerParameter"}
    found: list[list[str]] = []
    path: list[str] = []
    words = [word for word in _WORD.findall(text) if not word.startswith("#")]
    field, is_value = "", False
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in _OPEN:
            path.append(field)
            if len(path) == 1 and field in names:
                found.append([])
        elif word in _CLOSE:
            del path[-1:]
        elif following in (":", *_OPEN) and not is_value:
            field = word
            if len(path) == 2 and path[0] in names and _is_unknown(names[path[0]], path[1], word):
                found[-1].append(f"{path[1]}.{word}")
        is_value = word == ":"
    return found


@cache
def _is_unknown(message: str, parameters: str, name: str) -> bool:
    known = FORMAT.parsed(message, b"").DESCRIPTOR.fields_by_name
    if parameters not in known or not parameters.endswith("_param"):
        return False
    fields: Any = known[parameters].message_type.fields_by_name
    return bool(fields) and name not in fields and name not in _WITHOUT_EFFECT
