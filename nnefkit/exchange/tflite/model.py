"""A TFLite model as plain data, copied out of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from nnefkit.arrays import Array

DTYPES: Mapping[str, Any] = {
    "FLOAT32": np.dtype(np.float32),
    "FLOAT16": np.dtype(np.float16),
    "FLOAT64": np.dtype(np.float64),
    "INT4": np.dtype(np.int8),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "BOOL": np.dtype(np.bool_),
    "COMPLEX64": np.dtype(np.complex64),
    "COMPLEX128": np.dtype(np.complex128),
}
"""Type of a tensor -> the dtype of its elements; other types have no elements that NumPy knows."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """How codes stand for numbers: ``(code - zero_point) * scale``, along an axis or overall."""

    scale: Array
    zero_point: Array
    axis: int


@dataclass(frozen=True, eq=False)
class DimensionFormat:
    """How a dimension of sparse weights is stored."""

    size: int
    """The extent of a dense dimension."""
    segments: Array | None = None
    """Where the elements of each row begin, of a sparse dimension."""
    indices: Array | None = None
    """The positions of these elements."""


@dataclass(frozen=True, eq=False)
class Sparsity:
    """How sparse weights are stored."""

    order: tuple[int, ...]
    """The dimensions and blocks in the order of storage."""
    block_map: tuple[int, ...]
    dimensions: tuple[DimensionFormat, ...]


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """A tensor of a subgraph."""

    name: str
    type: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    """The shape with -1 for open dimensions; empty if the file does not state it."""
    data: memoryview | None
    """The bytes of a constant."""
    quantization: Quantization | None
    sparsity: Sparsity | None
    is_variable: bool

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The dtype of the elements in the file; None for a type that NumPy lacks."""
        dtype: np.dtype[Any] | None = DTYPES.get(self.type)
        return dtype

    @property
    def is_quantized(self) -> bool:
        """Whether its integers are codes of real numbers."""
        return self.quantization is not None and (self.dtype or np.dtype(bool)).kind in "iu"

    @property
    def open_axes(self) -> list[int]:
        """The axes whose extent the file leaves open."""
        shape = self.signature or self.shape
        return [axis for axis, extent in enumerate(shape) if extent < 0]


@dataclass(frozen=True, eq=False)
class OperatorInfo:
    """An operator of a subgraph."""

    name: str
    """The name of a builtin operator; that of a custom one with the prefix ``CUSTOM ``."""
    inputs: tuple[int, ...]
    """Numbers of tensors, -1 for an optional input that is not given."""
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Subgraph:
    """A graph of a file."""

    name: str
    tensors: tuple[TensorInfo, ...]
    operators: tuple[OperatorInfo, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def source_name(self, number: int) -> str:
        """Return the name of a tensor, with its number if it is not the only one of that name."""
        name = self.tensors[number].name
        if not name or self._counts[name] > 1:
            return f"{name or 'tensor'}#{number}"
        return name

    @cached_property
    def _counts(self) -> Mapping[str, int]:
        return Counter(tensor.name for tensor in self.tensors)


@dataclass(frozen=True, eq=False)
class SignatureInfo:
    """Names for the inputs and outputs of a subgraph."""

    key: str
    inputs: Mapping[int, str]
    """Number of a tensor -> name."""
    outputs: tuple[tuple[str, int], ...]
    subgraph: int


@dataclass(frozen=True, eq=False)
class TfliteModel:
    """A model that is ready to be read and to be run."""

    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[SignatureInfo, ...]
    description: str
    name: str
    path: str
    data: bytes = field(repr=False)
    main: int = 0
    """The number of the subgraph that is read."""
    shapes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Number of an input -> its shape."""

    @property
    def graph(self) -> Subgraph:
        """The subgraph that is read."""
        return self.subgraphs[self.main]

    @property
    def signature(self) -> SignatureInfo | None:
        """The first signature of the subgraph that is read."""
        return next((each for each in self.signatures if each.subgraph == self.main), None)

    def input_names(self) -> dict[int, str]:
        """Return the number of each input tensor -> its name in the signature, or its own."""
        graph = self.graph
        signature = dict(self.signature.inputs) if self.signature else {}
        names = {}
        for number in graph.inputs:
            # Converters may name another tensor that has the name of the input.
            alike = (n for n in signature if graph.tensors[n].name == graph.tensors[number].name)
            given = number if number in signature else next(alike, None)
            own = graph.source_name(number)
            names[number] = own if given is None else signature.get(given, own)
        return names

    def output_names(self) -> list[tuple[str, int]]:
        """Return the name of each output in the signature, or its own, and its number.

        They are in the order of the subgraph.
        """
        remaining = [*(self.signature.outputs if self.signature else ())]
        named = []
        for number in self.graph.outputs:
            match = next((one for one in remaining if one[1] == number), None)
            if match is None:
                named.append((self.graph.source_name(number), number))
            else:
                remaining.remove(match)
                named.append(match)
        return named
