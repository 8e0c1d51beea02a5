"""Models in files: tensor files, folders and archives (chapter 5)."""

from nnefkit.storage.archive import unpacked_limit
from nnefkit.storage.atomic_write import replacing_file, writing_to
from nnefkit.storage.blob import check_readable
from nnefkit.storage.file_names import GRAPH, QUANTIZATION, data_name
from nnefkit.storage.leftovers import TemporaryFolder, identity, is_being_saved
from nnefkit.storage.mapped_file import map_npy, view_npy
from nnefkit.storage.model_files import ExtraFiles, ModelFiles, open_model
from nnefkit.storage.model_writer import write_model
from nnefkit.storage.other_models import refuse_other_target
from nnefkit.storage.quantized_codes import dequantize
from nnefkit.storage.system_errors import unreadable
from nnefkit.storage.tensor_file import (
    StoredTensor,
    TensorContent,
    read_tensor,
    tensor_content,
    write_tensor,
)
from nnefkit.storage.tensor_header import Header, ItemType, warn_of_long_headers
from nnefkit.storage.variable_data import attach_data, data_files

__all__ = [
    "GRAPH",
    "QUANTIZATION",
    "ExtraFiles",
    "Header",
    "ItemType",
    "ModelFiles",
    "StoredTensor",
    "TemporaryFolder",
    "TensorContent",
    "attach_data",
    "check_readable",
    "data_files",
    "data_name",
    "dequantize",
    "identity",
    "is_being_saved",
    "map_npy",
    "open_model",
    "read_tensor",
    "refuse_other_target",
    "replacing_file",
    "tensor_content",
    "unpacked_limit",
    "unreadable",
    "view_npy",
    "warn_of_long_headers",
    "write_model",
    "write_tensor",
    "writing_to",
]


def __dir__() -> list[str]:
    return sorted(__all__)
