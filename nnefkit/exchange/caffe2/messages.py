"""The protobuf messages of Caffe2's files, as far as they are read."""

from __future__ import annotations

from nnefkit.exchange.protobuf_messages import MessageFormat

FORMAT = MessageFormat(
    "nnefkit.caffe2",
    {
        "NetDef": "1 name bytes, 2 op OperatorDef*, 3 type bytes, 6 arg Argument*, "
        "7 external_input bytes*, 8 external_output bytes*",
        "OperatorDef": "1 input bytes*, 2 output bytes*, 3 name bytes, 4 type bytes, "
        "5 arg Argument*, 7 engine bytes, 9 is_gradient_op bool = false",
        "Argument": "1 name bytes, 2 f float, 3 i int64, 4 s bytes, 5 floats float*, "
        "6 ints int64*, 7 strings bytes*, 8 n NetDef, 9 nets NetDef*",
    },
    {},
    syntax="proto2",
    extra="caffe2",
)
"""A net: its operators and their arguments."""

DTYPES = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "str",
    5: "bool",
    6: "uint8",
    7: "int8",
    8: "uint16",
    9: "int16",
    10: "int64",
    12: "float16",
    13: "float64",
}
"""Number of a type of data -> the name of its dtype."""

TYPE_NAMES = {
    "FLOAT": 1,
    "INT32": 2,
    "INT": 2,
    "BYTE": 3,
    "STRING": 4,
    "BOOL": 5,
    "UINT8": 6,
    "INT8": 7,
    "UINT16": 8,
    "INT16": 9,
    "INT64": 10,
    "LONG": 10,
    "FLOAT16": 12,
    "DOUBLE": 13,
}
"""Name of a type of data -> its number."""
