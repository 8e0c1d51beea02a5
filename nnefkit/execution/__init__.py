"""Running graphs: once, many times, operation by operation, on one of several engines.

The function `engines` is exported by `nnefkit` itself, from `engine_list`; exported from
here, it would hide the subpackage of that name.
"""

from nnefkit.execution.engine import Engine, Prepared, Watch
from nnefkit.execution.many.tensor_range import TensorRange
from nnefkit.execution.many.traced_inputs import TracedInputs, trace_many
from nnefkit.execution.session import Session, run, trace
from nnefkit.execution.step import Step
from nnefkit.execution.stepper import Stepper, step
from nnefkit.execution.trace.trace import Trace

__all__ = [
    "Engine",
    "Prepared",
    "Session",
    "Step",
    "Stepper",
    "TensorRange",
    "Trace",
    "TracedInputs",
    "Watch",
    "run",
    "step",
    "trace",
    "trace_many",
]


def __dir__() -> list[str]:
    return sorted(__all__)
