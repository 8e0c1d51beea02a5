"""The reader of a Torch7 network, module by module; all refused ones are reported at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, UnknownNameError, did_you_mean
from nnefkit.exchange.compositions.pooling import PoolingWindow
from nnefkit.exchange.network_reader import NetworkReader
from nnefkit.exchange.refusal import UNREAD, Refusal, Unread, refusal_for, refuse
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import INVALID, READERS, Call, EarlierRefusalError, has_unread
from nnefkit.exchange.torch7.memory import Held, Memory, held, values
from nnefkit.exchange.torch7.model import InputInfo, Torch7Model
from nnefkit.exchange.torch7.objects import LuaFunction, LuaTable, TorchObject
from nnefkit.exchange.torch7.operators import (  # noqa: F401  (they register their readers)
    activation,
    container,
    convolution,
    elementwise,
    linear_algebra,
    normalization,
    pooling,
    reduction,
    resampling,
    shaping,
    table,
    temporal,
)
from nnefkit.exchange.torch7.operators.refused import REFUSED
from nnefkit.exchange.torch7.weights import TensorConstants
from nnefkit.graph import Graph

_CALL = "nnefkit.from_torch7(path, input_shapes)"
_MAX_DEPTH = 100
_VIEWS = frozenset(
    ("View", "Reshape", "Collapse", "Squeeze", "Unsqueeze", "Replicate", "SplitTable")
)
"""Modules whose results are in the memory of what they read."""
_IN_PLACE = frozenset(
    ("ReLU", "Threshold", "ReLU6", "HardTanh", "Clamp", "LeakyReLU", "ELU", "RReLU", "AddConstant")
).union(("MulConstant", "CAddTable", "Dropout", "Sigmoid", "Tanh", "ClippedReLU", "ConstAffine"))
"""Modules that overwrite what they read, the first one of a table, if their field inplace says."""


class _CompleteError(Exception):
    """All wanted results are known."""


class ModuleReader(NetworkReader):
    """Reads one network.

    Args:
        source: The network.
    """

    def __init__(self, source: Torch7Model) -> None:
        super().__init__(source.path, source.size, _CALL)
        self.source = source
        self._weights = TensorConstants(self.graph, self.allowance)
        self._active: list[TorchObject] = []
        self._overwritten: list[Memory] = []
        self._pooled: dict[int, tuple[Value, PoolingWindow]] = {}
        self._results: dict[str, Any] = {}
        """Name of a module -> what it computes."""
        self._count = 0
        self._began = time.monotonic()
        self._bar: ProgressBar | None = None

    @property
    def size(self) -> int:
        """The number of modules in the file; one in several places is read several times."""
        return sum(1 for _ in inner_modules(self.source.module))

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems.

        Args:
            bar: Counts the modules.

        Raises:
            UnknownNameError: There is no module of a name that is wanted.
        """
        self._bar = bar
        given = self._inputs(self.source.inputs)
        try:
            result = self._read(self.source.module, given, "module")
        except _CompleteError:
            result = UNREAD
        outputs = self._outputs(result)
        return self.finished(self.source.name, outputs)

    @property
    def facts(self) -> dict[str, Any]:
        """What the provenance notes about modules.

        Of the modules SoftMax of three dimensions, ``batches_of_one`` has those that take the first
        one for a batch, where Torch7 does not, and ``classes_first`` those that do not, either.
        ``rewritten`` has modules that overwrite what others read afterwards.
        """
        rewritten = {name for memory in self._overwritten for name in memory.reread}
        facts = {name: tuple(names) for name, names in self.graph.notes.items()}
        return {**facts, **({"rewritten": tuple(sorted(rewritten))} if rewritten else {})}

    # -- inputs and outputs -----------------------------------------------------------------------

    def _inputs(self, tree: Any) -> Any:
        if isinstance(tree, list):
            return [self._inputs(part) for part in tree]
        info: InputInfo = tree
        value = self.external(info.name, info.shape, np.dtype(np.float32))
        return Held(value) if isinstance(value, Value) else value

    def _outputs(self, result: Any) -> list[tuple[str, Value]]:
        wanted = [("output", result)]
        if self.source.outputs:
            wanted = [(name, self._wanted(name)) for name in self.source.outputs]
        outputs: list[tuple[str, Value]] = []
        for name, tree in wanted:
            try:
                # Modules that run later overwrite what earlier ones computed.
                flat = _named(values(tree), name)
            except Refusal as refusal:
                self.problem(f"{name}: {refusal.reason}", refusal.hint)
                continue
            for each, value in flat:
                if isinstance(value, Value) and 0 not in value.shape:
                    outputs.append((each, value))
                elif isinstance(value, Value):
                    self.problem(f"output '{each}' is empty", NO_EMPTY_TENSORS)
        if not outputs and not self.problems:
            self.problem("the network computes an empty table", INVALID)
        return outputs

    def _wanted(self, name: str) -> Any:
        if name in self._results:
            return self._results[name]
        if self.problems:
            return UNREAD
        raise UnknownNameError(
            f"the network has no module '{name}'",
            hint=did_you_mean(name, self._results)
            or f"It has {', '.join([*self._results][:8])}, ...",
            file=self.source.path,
        )

    # -- modules ----------------------------------------------------------------------------------

    def _read(self, module: TorchObject, given: Any, path: str, name: str = "") -> Any:
        """Return what a module computes, as held tensors; `UNREAD` if it, or its input, is not."""
        name = name or path
        if has_unread(given):
            self._note_unknown(module, path)
            return UNREAD
        first = len(self.graph.operations)
        try:
            self._check_limits(module)
            self._active.append(module)
            try:
                result = self._result(module, given, path, name)
            finally:
                self._active.pop()
        except _CompleteError:
            raise
        except EarlierRefusalError:
            return UNREAD
        except Exception as error:  # noqa: BLE001 - invalid networks can cause any error
            del self.graph.operations[first:]
            refusal = refusal_for(error, INVALID)
            self.problem(f"{module.class_name} '{path}': {refusal.reason}", refusal.hint)
            return UNREAD
        self._results[path] = self._results[name] = result
        if self.source.outputs and self._results.keys() >= {*self.source.outputs}:
            raise _CompleteError
        return result

    def _result(self, module: TorchObject, given: Any, path: str, name: str) -> Any:
        reader: Callable[[Call], Any] | None = READERS.get(module.class_name)
        if reader is None:
            raise _unknown(module)
        for method in ("updateOutput", "forward"):
            # That of a Copy does what the class does.
            if isinstance(module.get(method), LuaFunction) and module.short_name != "Copy":
                refuse(
                    f"a function in the file replaces its '{method}'",
                    f"Functions are not read. Save the network without it: module.{method} = nil.",
                )
        call = Call(
            module.class_name,
            self.graph,
            module,
            given,
            path,
            name,
            self.allowance,
            self._read,
            self._pooled,
            self._weights.read,
        )
        result = self._held(call, reader(call))
        if self._bar is not None:
            self._bar.update(1)
        if not has_unread(result):
            flat = _named(values(result), name)
            self.graph.name_results([value for _, value in flat], [each for each, _ in flat])
        return result

    def _held(self, call: Call, result: Any) -> Any:
        """Return the results of a module in their memory."""
        if isinstance(result, (Held, Unread)):
            return result
        kind, first = call.module.short_name, call.given
        if isinstance(first, list):
            first = first[0] if first else None
        if not isinstance(first, Held):
            return held(result)
        if kind in _VIEWS:
            return held(result, first.memory)
        if kind in _IN_PLACE and call.flag("inplace"):
            is_same = isinstance(result, Value) and result is first.value
            self._overwritten.append(first.memory)
            return first if is_same else first.overwrite(result, call.path)
        return held(result)

    def _check_limits(self, module: TorchObject) -> None:
        self._count += 1
        limits = current_budget()
        limit, attribute = limits.exceeded(self._count, 0, time.monotonic() - self._began)
        if limit:
            refuse(f"reading the modules takes more than {limit}", remedy(attribute, _CALL))
        if any(module is each for each in self._active):
            refuse("it is inside of itself", INVALID)
        if len(self._active) >= _MAX_DEPTH:
            refuse(f"it is inside of more than {_MAX_DEPTH} containers", INVALID)

    # -- problems ---------------------------------------------------------------------------------

    def _note_unknown(self, module: TorchObject, path: str) -> None:
        """Report what is refused by its name alone in a module whose input is not read."""
        for each, place in inner_modules(module, path):
            if each.class_name not in READERS:
                refusal = _unknown(each)
                self.problem(f"{each.class_name} '{place}': {refusal.reason}", refusal.hint)


def inner_modules(module: TorchObject, path: str = "") -> Iterator[tuple[TorchObject, str]]:
    """Yield a module and those that it contains, each once, with the paths to them."""
    pending, seen = [(module, path)], set()
    while pending:
        each, place = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each, place
        inner = each.get("modules")
        parts = inner.list() if isinstance(inner, LuaTable) else []
        named = [(part, f"{place}_{number}") for number, part in enumerate(parts, 1)]
        pending += [pair for pair in reversed(named) if isinstance(pair[0], TorchObject)]


def _unknown(module: TorchObject) -> Refusal:
    """Return the refusal of a module without a reader."""
    if module.class_name in REFUSED:
        return Refusal(*REFUSED[module.class_name])
    package = module.class_name.rpartition(".")[0]
    known = [name for name in READERS if name.rpartition(".")[2] == module.short_name]
    reason = f"modules of the package {package} are not read"
    if package in ("nn", ""):
        reason = "it is not a module of nn, or only some derivative of nn has it"
    hint = "Cut the network before it: outputs=[name of a module]."
    if known:
        hint = f"Convert it to {known[0]} in Torch7, if that computes the same."
    return Refusal(reason, hint)


def _named(tree: Any, name: str) -> list[tuple[str, Any]]:
    """Return the tensors of a tree with names: that of a table, and their places in it."""
    if not isinstance(tree, list):
        return [(name, tree)]
    join = "" if name in ("output", "module") else "_"
    parts = (_named(part, f"{name}{join}{number}") for number, part in enumerate(tree, 1))
    return [each for part in parts for each in part]
