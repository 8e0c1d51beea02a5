"""Files <-> graph: tensor files, folders, archives (chapter 5)."""

from nnefkit.storage.atomic import replacing_file, telling
from nnefkit.storage.header import Header, ItemType
from nnefkit.storage.labels import GRAPH, QUANTIZATION, data_name
from nnefkit.storage.mapping import check_readable, reason, remedy
from nnefkit.storage.model_files import ExtraFiles, ModelFiles, open_model
from nnefkit.storage.quantized import dequantize
from nnefkit.storage.tensor_file import (
    StoredTensor,
    TensorContent,
    read_tensor,
    tensor_content,
    write_tensor,
)
from nnefkit.storage.variables import attach_data, data_files
from nnefkit.storage.writing import write_model

__all__ = [
    "GRAPH",
    "QUANTIZATION",
    "ExtraFiles",
    "Header",
    "ItemType",
    "ModelFiles",
    "StoredTensor",
    "TensorContent",
    "attach_data",
    "check_readable",
    "data_files",
    "data_name",
    "dequantize",
    "open_model",
    "read_tensor",
    "reason",
    "remedy",
    "replacing_file",
    "telling",
    "tensor_content",
    "write_model",
    "write_tensor",
]
