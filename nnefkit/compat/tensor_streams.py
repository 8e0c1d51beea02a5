"""Tensor files as open files: `read_tensor` and `write_tensor`."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from nnefkit import storage
from nnefkit.arrays import Array
from nnefkit.compat.errors import TensorFileError
from nnefkit.errors import InputError, StorageError
from nnefkit.storage.blob import Blob
from nnefkit.storage.tensor_file import open_tensor


def read_tensor(
    file: IO[Any],
    return_quantization: bool = False,
) -> Array | tuple[Array, bool]:
    """Read a tensor from an open file, up to its end.

    Args:
        file: The file; one that was opened as text is read as bytes.
        return_quantization: Whether to return if the elements are quantized codes, too.

    Returns:
        The array, or the array and whether it holds quantized codes.

    Raises:
        Error: `file` is not an open file, or not a tensor file; also a `ValueError`.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> nk.compat.write_tensor(file, np.uint8([1, 2]), quantized=True)
        >>> _ = file.seek(0)
        >>> nk.compat.read_tensor(file, return_quantization=True)
        (array([1, 2], dtype=uint8), True)
    """
    content = _binary(file, "read").read()
    name = str(getattr(file, "name", "tensor"))
    try:
        stored = open_tensor(Blob(name, content, content, 0, len(content)))
    except StorageError as error:
        raise TensorFileError(error.diagnostics) from None
    array = np.array(stored.data)
    return (array, bool(stored.header.item.quantized)) if return_quantization else array


def write_tensor(
    file: IO[bytes],
    tensor: Any,
    quantized: bool = False,
    version: tuple[int, int] = (1, 0),
) -> None:
    """Write a tensor to an open file.

    Args:
        file: The file, opened for bytes.
        tensor: An array of floats, integers or bools.
        quantized: Whether integers are marked as quantized codes.
        version: The version of the format, which is ``(1, 0)``.

    Raises:
        Error: `file` is not an open file, or the array cannot be stored; also a `ValueError`.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> nk.compat.write_tensor(file, np.float32([[1, 2]]))
        >>> len(file.getvalue())
        136
    """
    stream = _binary(file, "write")
    if tuple(version) != (1, 0):
        raise TensorFileError(
            f"tensor files of version {version} are not known, only (1, 0)", section="5.2"
        )
    try:
        content = storage.tensor_content(tensor, None, bool(quantized))
    except StorageError as error:
        raise TensorFileError(error.diagnostics) from None
    for chunk in content.chunks():
        stream.write(chunk)


def _binary(file: Any, method: str) -> Any:
    stream = getattr(file, "buffer", file)
    if not callable(getattr(stream, method, None)):
        raise InputError(
            "'file' must be an open file",
            hint=f"Open the path: open(path, '{method[0]}b'). "
            f"nnefkit.{method}_tensor takes the path itself.",
        )
    return stream
