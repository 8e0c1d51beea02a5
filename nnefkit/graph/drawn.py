"""The mixin that draws a graph: as an SVG document, and as a file."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from nnefkit.graph.operation import Operation

if TYPE_CHECKING:
    import pandas as pd

    Overlay = str | pd.Series[Any] | dict[str, float] | None
    Mark = str | Operation | Iterable[str | Operation]


class Drawn:
    """The pictures of a graph.

    They are drawn by a room above this one, which is imported when a picture is asked for.
    """

    __slots__ = ()

    def svg(
        self,
        overlay: Overlay = None,
        *,
        mark: Mark = (),
        trace: Any = None,
        comparison: Any = None,
        cost: Any = None,
        blame: Any = None,
        theme: Literal["light", "dark"] = "light",
        detail: Literal["blocks", "operations"] = "blocks",
        width: int = 980,
    ) -> str:
        """Return the graph as an SVG document, of less than 250 KiB for a graph of any size.

        Each box has a ``<title>`` that names its tensors. The document refers to nothing outside.

        Args:
            overlay: What colors the boxes, and is written into them: ``"error"`` and
                ``"own error"`` (SNR), ``"time"``, ``"macs"``, ``"parameters"``, ``"bytes"``,
                ``"nan"``, or a pandas Series of numbers, whose index has names of tensors or
                numbers of operations. With None, errors or times if there are any, otherwise the
                families of operations; ``"none"`` for these in any case.
            mark: Operations that are outlined: the names of their tensors, or operations.
            trace: A run of the graph, for ``"time"`` and ``"nan"``.
            comparison: A comparison of two runs of it, for ``"error"``; what introduces a
                difference is marked.
            cost: What `nnefkit.cost` or `nnefkit.profile` returned.
            blame: What `nnefkit.blame` found; what is guilty is marked.
            theme: ``"light"`` or ``"dark"``.
            detail: ``"blocks"`` folds repetitions and small operations, ``"operations"`` has a box
                for each operation (at most 1,000).
            width: Width in pixels at which rows end.

        Raises:
            InputError: An argument is of another type, of another graph, or has no data.
            UnknownNameError: There is no such overlay, or no such tensor.

        Example:
            >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
            ...     "x = external(shape = [1, 8]); y = relu(x); }")
            >>> graph.svg(mark="y").startswith("<svg")
            True
        """
        picture: str = import_module("nnefkit.pictures.graph_picture").svg(
            self,
            overlay,
            mark=mark,
            trace=trace,
            comparison=comparison,
            cost=cost,
            blame=blame,
            theme=theme,
            detail=detail,
            width=width,
        )
        return picture

    def save_picture(
        self,
        path: str | PathLike[str],
        overlay: Overlay = None,
        *,
        mark: Mark = (),
        trace: Any = None,
        comparison: Any = None,
        cost: Any = None,
        blame: Any = None,
        theme: Literal["light", "dark"] = "light",
        detail: Literal["blocks", "operations"] = "blocks",
        width: int = 980,
    ) -> None:
        """Save the graph as a picture.

        No other program is needed. An interrupted write leaves an existing file as it was.

        Args:
            path: The file, which is replaced: ``.svg``, ``.png`` or ``.pdf``.
            overlay: As for `svg`.
            mark: As for `svg`.
            trace: As for `svg`.
            comparison: As for `svg`.
            cost: As for `svg`.
            blame: As for `svg`.
            theme: ``"light"`` or ``"dark"``.
            detail: As for `svg`.
            width: As for `svg`; a PNG file has two pixels for each.

        Raises:
            InputError: The file has another ending; or as for `svg`.
            UnknownNameError: There is no such overlay, or no such tensor.
            StorageError: The file cannot be written.

        Example:
            >>> graph = nk.parse("version 1.0; graph g( x ) -> ( y ) {"
            ...     "x = external(shape = [1, 8]); y = relu(x); }")
            >>> graph.save_picture("relu.svg", "macs")
        """
        import_module("nnefkit.pictures.saved_picture").save_picture(
            self,
            path,
            overlay,
            mark=mark,
            trace=trace,
            comparison=comparison,
            cost=cost,
            blame=blame,
            theme=theme,
            detail=detail,
            width=width,
        )
