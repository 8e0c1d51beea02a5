"""Running a model as the Khronos package does: arrays by position."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, Self

from nnefkit.arrays import Array
from nnefkit.compat.models import load_graph
from nnefkit.errors import ExecutionError, InputError
from nnefkit.execution import Session as _Session


class Session:
    """A model that is called with the arrays of its inputs, and returns those of its outputs.

    Args:
        path: The model.
        stdlib: As in `load_graph`.
        lowered: As in `load_graph`.

    Raises:
        Error: The model cannot be loaded or run.

    Example:
        >>> import tempfile
        >>> draft = nk.compat.parse_string("version 1.0; graph net( x ) -> ( y ) {"
        ...                                " x = external(shape = [2]); y = relu(x); }")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     nk.compat.save_graph(draft, f"{folder}/model")
        ...     with nk.compat.Session(f"{folder}/model") as session:
        ...         session(np.float32([-1, 3]))
        (array([0., 3.], dtype=float32),)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        stdlib: str | None = None,
        lowered: Collection[str] | None = None,
    ) -> None:
        self._graph = load_graph(path, stdlib=stdlib, lowered=lowered).to_nnefkit()
        self._session: _Session | None = _Session(self._graph)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def __call__(self, *inputs: Any) -> tuple[Array, ...]:
        """Run the model on one array for each input, and return one for each output.

        Raises:
            Error: The number of inputs, a shape or a dtype does not fit (also a `ValueError`), or
                the session is closed.
        """
        if self._session is None:
            raise ExecutionError("the session is closed", hint="Make a new one.")
        names = self._graph.inputs
        if len(inputs) != len(names):
            raise InputError(
                f"the graph has {len(names)} inputs, but {len(inputs)} arrays are given",
                hint=f"The inputs are: {', '.join(names)}.",
            )
        results = self._session.run(dict(zip(names, inputs, strict=True)))
        return tuple(results[name] for name in self._graph.outputs)
