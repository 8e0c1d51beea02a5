"""The values that tensors have over calibration inputs, as histograms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnefkit.analysis.quantization.histogram import ValueHistogram
from nnefkit.arguments import wrong_type
from nnefkit.arrays import Array
from nnefkit.display.progress_bar import ProgressBar, bar_delay
from nnefkit.errors import InputError
from nnefkit.execution import Session, Trace

RETAINED = 16
"""Number of calibration inputs, the first ones, that the loss is measured with."""
RETAINED_BYTES = 1 << 28
_EXPECTED = "one input, or an iterable of inputs"


@dataclass
class Calibration:
    """What was observed in one graph."""

    session: Session
    names: list[str]
    histograms: dict[str, ValueHistogram] = field(default_factory=dict)

    def observe(self, example: Any, number: int) -> Trace:
        """Run the graph on an input, and count the values of the observed tensors."""
        names = {*self.names, *self.session.graph.inputs}
        run = self.session.trace(example, names, progress=False)
        for name in self.names:
            values = run[name]
            if not np.isfinite(values).all():
                is_input = name in self.session.graph.inputs
                raise InputError(
                    f"'{name}' has NaN or infinite values for calibration input {number}",
                    hint="Leave this input out."
                    if is_input
                    else "nnefkit.trace shows which "
                    "operation computes the first one; leave the input out, or keep the tensor in "
                    "floating point: keep=[...].",
                )
            if values.size:
                self.histograms.setdefault(name, ValueHistogram()).add(values)
        return run


def listed(inputs: Any, argument: str) -> Iterable[Any]:
    """Return inputs as an iterable: an array or a mapping is one input.

    Args:
        inputs: One input, or an iterable of them.
        argument: The name of the argument, for messages.

    Raises:
        InputError: It is neither an input nor an iterable of inputs.
    """
    if isinstance(inputs, Mapping) or hasattr(inputs, "__array__"):
        return [inputs]
    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        hint = "np.load(path) reads the arrays of a file."
        raise wrong_type(argument, _EXPECTED, inputs, hint)
    return inputs


def observed(
    runs: list[Calibration], calibration: Any, title: str, *, progress: bool | None
) -> tuple[list[dict[str, Array]], int]:
    """Run graphs on calibration inputs, one after the other; none is held longer than needed.

    Args:
        runs: The graphs; all have the same inputs.
        calibration: One input, or an iterable of inputs.
        title: The name of the progress bar.
        progress: Whether to show it; None shows it if it takes more than a second.

    Returns:
        The first inputs, and the number of all.

    Raises:
        InputError: There are no inputs, one does not fit, or a tensor has NaN or infinite values.
    """
    inputs = listed(calibration, "calibration")
    total = len(inputs) if isinstance(inputs, Sized) else None
    retained: list[dict[str, Array]] = []
    held = count = 0
    with ProgressBar(total, title, "input", delay=bar_delay(progress)) as bar:
        for example in _each(inputs):
            count += 1
            for run in runs[1:]:
                run.observe(example, count)
            trace = runs[0].observe(example, count)
            if len(retained) < RETAINED and held < RETAINED_BYTES:
                retained.append({name: trace[name] for name in runs[0].session.graph.inputs})
                held += sum(array.nbytes for array in retained[-1].values())
            bar.update(1)
    if not count:
        raise InputError(
            "there are no calibration inputs",
            hint="Pass at least one; some dozens that are typical of what the network will see "
            "give better ranges. An iterator that was used before is empty.",
        )
    return retained, count


def _each(inputs: Iterable[Any]) -> Iterator[Any]:
    for number, example in enumerate(inputs, 1):
        if isinstance(example, (int, float)):
            raise InputError(
                f"calibration input {number} is a number",
                hint="A list has one array for each input, or one dictionary of arrays: "
                "pass [array, ...]; np.asarray(values) makes one input of a list of numbers.",
            )
        yield example
