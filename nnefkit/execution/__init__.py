"""Running graphs: once, many times, operation by operation, on one of several engines.

The function `engines` is exported by `nnefkit` itself, from `listing`: here it would hide the
folder of that name.
"""

from nnefkit.execution.running import run, trace
from nnefkit.execution.session import Session
from nnefkit.execution.step import Step, step
from nnefkit.execution.trace.trace import Trace

__all__ = ["Session", "Step", "Trace", "run", "step", "trace"]
