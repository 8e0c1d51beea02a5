"""`register_operation`: what custom operations mean, as users say it (3.2.2, 3.3.2).

Joins the declaration, which `language` reads documents by, with the rules and kernels, which
`operations` keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.language.declarations.custom import EXAMPLE, REGISTERED, custom_operation
from nnefkit.operations import custom
from nnefkit.operations.registry import COSTS, KERNELS, SHAPE_RULES

Rule = Callable[..., Any]
F = TypeVar("F", bound=Rule)


class CustomOperation:
    """A registered operation; its methods add what was not given yet, as decorators too."""

    def __init__(self, name: str, declaration: str) -> None:
        self.name = name
        self.declaration = declaration
        """Its declaration in one line; empty if it is registered by its name only."""
        self._given: dict[str, Rule | None] = {"shape": None, "kernel": None, "macs": None}

    def shape(self, rule: F) -> F:
        """Adds the shape rule; see `register_operation`."""
        return self._add("shape", rule)

    def kernel(self, function: F) -> F:
        """Adds the kernel; see `register_operation`."""
        return self._add("kernel", function)

    def macs(self, rule: F) -> F:
        """Adds the cost; see `register_operation`."""
        return self._add("macs", rule)

    def _add(self, what: str, function: F) -> F:
        if _OPERATIONS.get(self.name) is not self:
            raise UnknownNameError(
                f"'{self.name}' was unregistered, or registered anew, in the meantime",
                hint="Register it again with nk.register_operation.",
            )
        _refuse_uncallable(self.name, what, function)
        self._given[what] = function
        custom.install(self.name, **self._given)
        return function

    def __repr__(self) -> str:
        has = [
            word
            for word, table in zip(_WORDS.values(), (SHAPE_RULES, KERNELS, COSTS), strict=True)
            if _OPERATIONS.get(self.name) is self and self.name in table
        ]
        what = f"with {' and '.join(has)}" if has else "without a kernel"
        return f"<custom operation {what}: {self.declaration or self.name}>"


_WORDS = {"shape": "shape rule", "kernel": "kernel", "macs": "cost"}
_OPERATIONS: dict[str, CustomOperation] = {}


def register_operation(
    declaration: str,
    shape: Rule | None = None,
    kernel: Rule | None = None,
    macs: Rule | None = None,
) -> CustomOperation:
    """Says what a custom operation means, so that documents that declare it can be run.

    Documents declare it by a fragment without a body (3.2.2). Registering a name again replaces all
    that was registered under it before.

    Args:
        declaration: The declaration, such as ``"fragment gain( x: tensor<scalar>, factor: scalar =
            1.0 ) -> ( y: tensor<scalar> );"``; or just the name, if documents declare it.
        shape: ``shape(*input_shapes, **attribs)`` gives the shape of the result as a tuple of ints,
            or a tuple of shapes for several results; an array of tensors, as an argument or as a
            result, is a list of shapes, and a literal in the place of a tensor has shape ``()``. A
            ValueError that it raises says what is wrong with the arguments. Without a shape rule,
            shapes behind the operation are unknown until it is run.
        kernel: ``kernel(*arrays, **attribs)`` gives the result as an array, several results as a
            tuple; it must not change its arguments, and depend on nothing else. If it has a
            parameter ``dtype``, it is told the data-type of a generic operation.
        macs: ``macs(input_shapes, output_shapes, attribs)`` gives the multiply-accumulates of a
            run.

    Returns:
        The operation, whose methods ``shape``, ``kernel`` and ``macs`` can be used as decorators
        for what is not given here.

    Raises:
        DocumentError: the declaration breaks the rules of 3.3.2.
        InputError: it is not one declaration without a body, or one of a standard operation; or
            what is given for it is no function.
    """
    if not isinstance(declaration, str):
        raise InputError(
            f"a declaration is a text, not of type {type(declaration).__name__}",
            hint=f"Write, for example: {EXAMPLE}",
        )
    name, parsed = custom_operation(declaration)
    for what, function in (("shape", shape), ("kernel", kernel), ("macs", macs)):
        if function is not None:
            _refuse_uncallable(name, what, function)
    _forget(name)
    if parsed is not None:
        REGISTERED[name] = parsed
    operation = _OPERATIONS[name] = CustomOperation(name, parsed.text if parsed else "")
    operation._given.update(shape=shape, kernel=kernel, macs=macs)
    custom.install(name, shape, kernel, macs)
    return operation


def unregister_operation(name: str) -> None:
    """Forgets a custom operation.

    Raises:
        UnknownNameError: no operation of that name is registered.
    """
    if name not in _OPERATIONS:
        raise UnknownNameError(
            f"no custom operation '{name}' is registered",
            hint=did_you_mean(str(name), _OPERATIONS),
        )
    _forget(name)


def _refuse_uncallable(name: str, what: str, function: object) -> None:
    if not callable(function):
        raise InputError(
            f"the {_WORDS[what]} of '{name}' must be a function, "
            f"not of type {type(function).__name__}"
        )


def _forget(name: str) -> None:
    _OPERATIONS.pop(name, None)
    REGISTERED.pop(name, None)
    custom.uninstall(name)
