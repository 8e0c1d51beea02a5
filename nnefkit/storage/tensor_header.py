"""The header of a tensor file (5.2): 128 bytes that describe the data after them.

The header of the provisional specification of 2017, which is shorter and contains the offset of
the data instead of its length, is recognized by its contents and can be read, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from nnefkit.caller_warning import warn_caller
from nnefkit.display.numbers import plural
from nnefkit.errors import Diagnostic, StorageError

MAGIC = b"N\xef"
HEADER_SIZE = 128
LONG_HEADER_SIZE = 132
"""Size of the header that the NNEF Tools wrote from August to October 2018: 4 zeros too many."""
LONG_HEADER = "long-header"
"""Code of the warning about it."""
MAX_RANK = 8
MAX_DATA_LENGTH = 2**32 - 1
"""The length of the data is stored in 4 bytes."""
MAX_EXTENT = 2**32 - 1
SECTION = "5.2"

_LAYOUT = struct.Struct("<2sBBII8III32s44s")
_PROVISIONAL = struct.Struct("<2sBBII")


class ItemType(IntEnum):
    """The interpretation of the bits of an item, with the codes of the Khronos Group (5.2)."""

    FLOAT = 0
    UNSIGNED = 1
    QUANTIZED_UNSIGNED = 2
    QUANTIZED_SIGNED = 3
    SIGNED = 4
    BOOL = 5

    @property
    def signed(self) -> bool:
        """True if the items are signed integers."""
        return self in (ItemType.SIGNED, ItemType.QUANTIZED_SIGNED)

    @property
    def quantized(self) -> bool:
        """True if the items are codes of real numbers."""
        return self in (ItemType.QUANTIZED_UNSIGNED, ItemType.QUANTIZED_SIGNED)

    @property
    def words(self) -> str:
        """The name that messages use."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Header:
    """The description of the data of a tensor file."""

    shape: tuple[int, ...]
    item: ItemType
    bits: int
    parameters: bytes = bytes(32)
    """The deprecated 32 bytes of parameters of the item type."""
    version: tuple[int, int] = (1, 0)
    data_offset: int = HEADER_SIZE
    algorithm: str = ""
    """The quantization algorithm, which only files of the provisional specification carry."""
    provisional: bool = False
    """True if the file follows the provisional specification."""

    @property
    def count(self) -> int:
        """Number of items; 1 for rank 0."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    def describes(self, shape: tuple[int, ...]) -> bool:
        """Return True if the file contains a tensor of `shape`.

        In the provisional specification, trailing extents of 1 may be missing.
        """
        if not self.provisional:
            return self.shape == shape
        count = min(len(shape), len(self.shape))
        rest = {*shape[count:], *self.shape[count:]}
        return self.shape[:count] == shape[:count] and rest <= {1}

    @property
    def data_length(self) -> int:
        """Size of the data in bytes: the bits of all items, rounded up to a whole byte."""
        return (self.count * self.bits + 7) // 8

    @property
    def range(self) -> tuple[float, float] | None:
        """The deprecated parameters min and max of quantized items, None where they are zero."""
        if not self.item.quantized or not any(self.parameters[:8]):
            return None
        minimum, maximum = struct.unpack_from("<ff", self.parameters)
        return minimum, maximum

    def encode(self) -> bytes:
        """Return the 128 bytes of the file."""
        extents = self.shape + (0,) * (MAX_RANK - len(self.shape))
        return _LAYOUT.pack(
            MAGIC,
            *self.version,
            self.data_length,
            len(self.shape),
            *extents,
            self.bits,
            int(self.item),
            self.parameters,
            bytes(44),
        )


def parse_header(head: bytes, size: int, file: str) -> tuple[Header, list[Diagnostic]]:
    """Return the header at the beginning of a file, and warnings about it.

    Args:
        head: The first bytes of the file, all of them or at least 4 KiB.
        size: The size of the file in bytes.
        file: The name that messages use.

    Raises:
        StorageError: It is not a tensor file, or cannot be read; with all reasons.
    """
    _check_beginning(head, size, file)
    provisional = None
    if len(head) < HEADER_SIZE:
        provisional = _parse_provisional(head, size)
        if provisional is None:
            raise StorageError(
                f"the file has {size:,} bytes, but a header has {HEADER_SIZE}",
                hint="The file is truncated: copy or write it again.",
                file=file,
                section=SECTION,
            )
        return provisional, [_provisional_note(file)]
    reader = _HeaderReader(head, size, file)
    header = reader.read()
    if header is None:
        provisional = _parse_provisional(head, size)
        if provisional is None:
            raise StorageError(reader.errors)
        return provisional, [_provisional_note(file)]
    return header, reader.warnings


def _check_beginning(head: bytes, size: int, file: str) -> None:
    if size == 0:
        raise StorageError(
            "the tensor file is empty",
            hint="Write it again: nnefkit.write_tensor(path, array).",
            file=file,
            section=SECTION,
        )
    if head[:2] != MAGIC:
        raise StorageError(
            f"this is not a tensor file: it starts with the bytes {head[:2].hex(' ')}, "
            f"not with {MAGIC.hex(' ')}",
            hint="Copy or export it again: nnefkit.write_tensor(path, array) writes tensor files.",
            file=file,
            section=SECTION,
        )
    if len(head) >= 4 and head[2] != 1:
        raise StorageError(
            f"the tensor file has version {head[2]}.{head[3]}; versions 1.x can be read",
            hint="Export the model again as NNEF 1.0.",
            file=file,
            section=SECTION,
        )


class _HeaderReader:
    """Reader of the fields of a header, which collects their problems."""

    def __init__(self, head: bytes, size: int, file: str) -> None:
        (_, major, minor, self.length, self.rank, *rest) = _LAYOUT.unpack_from(head)
        self.extents, (self.bits, self.code, self.parameters, self.reserved) = rest[:8], rest[8:]
        self.version = (major, minor)
        self.head, self.size, self.file = head, size, file
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []

    def _error(self, code: str, message: str, hint: str = "") -> None:
        self.errors.append(Diagnostic(code, message, "error", self.file, hint=hint, section="5.2"))

    def _warn(self, code: str, message: str, hint: str = "") -> None:
        self.warnings.append(
            Diagnostic(code, message, "warning", self.file, hint=hint, section="5.2")
        )

    def read(self) -> Header | None:
        shape = self._shape()
        item = self._item()
        if shape is None or item is None:
            return None
        header = Header(shape, item, self.bits, self.parameters, self.version)
        header = self._with_long_header(header) or header
        self._check_length(header)
        self._check_zeros(header)
        return None if self.errors else header

    def _with_long_header(self, header: Header) -> Header | None:
        """Return the header of a file whose data begins after 132 bytes, or None."""
        data = self.size - LONG_HEADER_SIZE
        if any(self.head[HEADER_SIZE:LONG_HEADER_SIZE]) or self.length != header.data_length:
            return None
        if header.bits == 1 and data == header.count:
            self._error(
                "data-length",
                f"the file has a byte for each of its {header.count:,} items, but its header one "
                "bit, as the NNEF Tools of 2018 wrote tensors of bools",
                "Write it again: nnefkit.write_tensor(path, array).",
            )
        if data != header.data_length:
            return None
        self._warn(
            LONG_HEADER,
            f"the header has {LONG_HEADER_SIZE} bytes, as the NNEF Tools of 2018 wrote it; the "
            f"data is read from there, not after {HEADER_SIZE} bytes",
            "Writing the tensor again uses the right header.",
        )
        return replace(header, data_offset=LONG_HEADER_SIZE)

    def _shape(self) -> tuple[int, ...] | None:
        if self.rank > MAX_RANK:
            self._error(
                "invalid-rank", f"the tensor has rank {self.rank}; at most {MAX_RANK} is allowed"
            )
            return None
        shape = tuple(self.extents[: self.rank])
        if 0 in shape:
            self._error("invalid-extent", f"the extents {list(shape)} are not all positive")
            return None
        return shape

    def _item(self) -> ItemType | None:
        vendor, code = self.code >> 16, self.code & 0xFFFF
        if vendor:
            self._error(
                "vendor-item-type",
                f"the item type {code} belongs to vendor {vendor:#06x}; "
                "only those of the Khronos Group (vendor 0) can be read",
            )
            return None
        if code > max(ItemType):
            self._error("unknown-item-type", f"the item type {code} does not exist")
            return None
        item = ItemType(code)
        if item is ItemType.UNSIGNED and any(self.parameters[:4]):
            # The deprecated flag for signed integers.
            item = ItemType.SIGNED
            self._warn(
                "deprecated-parameters",
                "the integers are marked as signed by a deprecated parameter",
                "Writing the tensor again uses the item type of signed integers.",
            )
        valid = allowed_bits(item)
        if self.bits not in valid:
            self._error(
                "invalid-bits",
                f"{item.words} items cannot have {self.bits} bits, only {_listed(valid)}",
            )
            return None
        return item

    def _check_length(self, header: Header) -> None:
        expected = header.data_length
        if expected > MAX_DATA_LENGTH:
            self._error(
                "data-too-long",
                f"a tensor of shape {list(header.shape)} with {header.bits} bits per item "
                f"needs {expected:,} bytes, more than a tensor file can hold",
            )
            return
        if self.length != expected:
            self._error(
                "data-length",
                f"the header has a data length of {self.length:,} bytes, "
                f"but shape {list(header.shape)} "
                f"with {header.bits} bits per item needs {expected:,}",
            )
            return
        excess = self.size - header.data_offset - expected
        if excess < 0:
            self._error(
                "truncated-data",
                f"the file ends after {max(self.size - HEADER_SIZE, 0):,} of its {expected:,} "
                "bytes of data",
                "The file is truncated: copy or write it again.",
            )
        elif excess > 0:
            message = f"{excess:,} bytes follow the data of the tensor"
            self._warn("trailing-bytes", message, "They are not read.")

    def _check_zeros(self, header: Header) -> None:
        if self.version[1] > 0:
            self._warn(
                "unknown-version",
                f"the tensor file has version 1.{self.version[1]}; it is read as version 1.0",
            )
        if any(self.extents[self.rank :]):
            self._warn("reserved-bytes", f"extents beyond the rank {self.rank} are not zero")
        if any(self.reserved):
            self._warn("reserved-bytes", "reserved bytes of the header are not zero")
        if header.item.quantized:
            if any(self.parameters[:8]):
                self._warn(
                    "deprecated-parameters",
                    "the tensor file carries its own quantization range, which is deprecated",
                    "Put the quantization in graph.quant.",
                )
        elif header.item is not ItemType.SIGNED and any(self.parameters):
            self._warn(
                "reserved-bytes",
                f"parameters are given, but {header.item.words} items have no parameters",
            )


def allowed_bits(item: ItemType) -> tuple[int, ...] | range:
    """Return the widths in bits that items of a type can have."""
    if item is ItemType.FLOAT:
        return (16, 32, 64)
    if item is ItemType.BOOL:
        return (1, 8)
    return range(1, 65)


def _listed(bits: tuple[int, ...] | range) -> str:
    if isinstance(bits, range):
        return f"{bits[0]} to {bits[-1]}"
    return ", ".join(map(str, bits))


def warn_of_long_headers(diagnostics: Iterable[Diagnostic]) -> None:
    """Issue a Python warning if some files have headers of 132 bytes."""
    files = [diagnostic.file for diagnostic in diagnostics if diagnostic.code == LONG_HEADER]
    if files:
        more = f" and {plural(len(files) - 1, 'other file')}" if len(files) > 1 else ""
        warn_caller(
            f"{files[0]}{more} with a header of {LONG_HEADER_SIZE} bytes, as the NNEF Tools of "
            "2018 wrote it; its last four are skipped. Saving the model or the tensor again writes "
            "the right header."
        )


def _provisional_note(file: str) -> Diagnostic:
    return Diagnostic(
        "provisional-tensor-file",
        "the tensor file has the header of the provisional specification of 2017",
        "note",
        file,
        hint="Saving the model writes the header of version 1.0.",
        section=SECTION,
    )


def _parse_provisional(head: bytes, size: int) -> Header | None:
    """Return a header of the provisional specification, or None if it is not one.

    All of its fields must be consistent with one another and with the size of the file.
    """
    if len(head) < _PROVISIONAL.size + 4:
        return None
    _, major, minor, offset, rank = _PROVISIONAL.unpack_from(head)
    end = _PROVISIONAL.size + 4 * rank + 4
    if rank > MAX_RANK or offset > len(head) or end > len(head):
        return None
    shape = struct.unpack_from(f"<{rank}I", head, _PROVISIONAL.size)
    code, bits, length = struct.unpack_from("<BBH", head, end - 4)
    items = (
        ItemType.FLOAT,
        ItemType.QUANTIZED_UNSIGNED,
        ItemType.SIGNED,
        ItemType.UNSIGNED,
    )
    if offset != end + length or 0 in shape or code >= len(items):
        return None
    if bits not in allowed_bits(items[code]):
        return None
    algorithm = head[end : end + length].decode("ascii", "replace")
    header = Header(
        shape,
        items[code],
        bits,
        version=(major, minor),
        data_offset=offset,
        algorithm=algorithm,
        provisional=True,
    )
    return header if size == offset + header.data_length else None
