"""The protobuf messages of TensorFlow's files, as far as they are read."""

from __future__ import annotations

from nnefkit.exchange.protobuf_messages import MessageFormat

_DATA_TYPES = (
    ("FLOAT", "DOUBLE", "INT32", "UINT8", "INT16", "INT8", "STRING", "COMPLEX64", "INT64", "BOOL"),
    ("QINT8", "QUINT8", "QINT32", "BFLOAT16", "QINT16", "QUINT16", "UINT16", "COMPLEX128"),
    ("HALF", "RESOURCE", "VARIANT", "UINT32", "UINT64", "FLOAT8_E5M2", "FLOAT8_E4M3FN"),
)
_NAMES = [name for row in _DATA_TYPES for name in row]
DATA_TYPES = dict(enumerate(_NAMES, 1))
"""Number of a type of elements -> its name, without the ``DT_``."""
REFERENCE = 100
"""What is added to the number of the type of a variable of TensorFlow 1."""

FORMAT = MessageFormat(
    "nnefkit.tensorflow",
    {
        "GraphDef": "1 node NodeDef*, 2 library FunctionDefLibrary, 4 versions VersionDef",
        "VersionDef": "1 producer int32, 2 min_consumer int32",
        "NodeDef": "1 name string, 2 op string, 3 input string*, 5 attr map<AttrValue>",
        "AttrValue": "| 1 list ListValue, 2 s bytes, 3 i int64, 4 f float, 5 b bool, "
        "6 type DataType, 7 shape TensorShapeProto, 8 tensor TensorProto, 9 placeholder string, "
        "10 func NameAttrList",
        "ListValue": "2 s bytes*, 3 i int64*, 4 f float*, 5 b bool*, 6 type DataType*, "
        "7 shape TensorShapeProto*, 8 tensor TensorProto*, 9 func NameAttrList*",
        "NameAttrList": "1 name string, 2 attr map<AttrValue>",
        "TensorShapeProto": "2 dim Dim*, 3 unknown_rank bool",
        "Dim": "1 size int64, 2 name string",
        "TensorProto": "1 dtype DataType, 2 tensor_shape TensorShapeProto, 4 tensor_content bytes, "
        "5 float_val float*, 6 double_val double*, 7 int_val int32*, 8 string_val bytes*, "
        "9 scomplex_val float*, 10 int64_val int64*, 11 bool_val bool*, 12 dcomplex_val double*, "
        "13 half_val int32*, 16 uint32_val uint32*, 17 uint64_val uint64*",
        "FunctionDefLibrary": "1 function FunctionDef*",
        "FunctionDef": "1 signature OpDef, 3 node_def NodeDef*, 4 ret map<string>",
        "OpDef": "1 name string, 2 input_arg ArgDef*, 3 output_arg ArgDef*",
        "ArgDef": "1 name string, 3 type DataType, 4 type_attr string, 5 number_attr string, "
        "6 type_list_attr string",
        "SavedModel": "1 saved_model_schema_version int64, 2 meta_graphs MetaGraphDef*",
        "MetaGraphDef": "1 meta_info_def MetaInfoDef, 2 graph_def GraphDef, "
        "5 signature_def map<SignatureDef>",
        "MetaInfoDef": "1 meta_graph_version string, 4 tags string*, 5 tensorflow_version string",
        "SignatureDef": "1 inputs map<TensorInfo>, 2 outputs map<TensorInfo>, 3 method_name string",
        "TensorInfo": "2 dtype DataType, 3 tensor_shape TensorShapeProto | 1 name string, "
        "4 coo_sparse Other, 5 composite_tensor Other",
        "Other": "",
        "BundleHeaderProto": "1 num_shards int32, 2 endianness int32, 3 version VersionDef",
        "BundleEntryProto": "1 dtype int32, 2 shape TensorShapeProto, 3 shard_id int32, "
        "4 offset int64, 5 size int64, 6 crc32c fixed32, 7 slices Other*",
        "TrackableObjectGraph": "1 nodes TrackableObject*",
        "TrackableObject": "2 attributes SerializedTensor*",
        "SerializedTensor": "1 name string, 2 full_name string, 3 checkpoint_key string",
    },
    {
        "DataType": {
            "DT_INVALID": 0,
            **{f"DT_{name}": number for number, name in DATA_TYPES.items()},
            **{f"DT_{name}_REF": number + REFERENCE for number, name in DATA_TYPES.items()},
        }
    },
    extra="tensorflow",
)
"""GraphDef, SavedModel, MetaGraphDef, the index of a checkpoint and the graph of its objects."""
