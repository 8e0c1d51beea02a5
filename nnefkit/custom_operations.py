"""Registries of custom operations, which extend the standard (3.2.2, 3.3.2).

They combine the declarations that `language` reads documents with, and the shape rules and kernels
that `operations` and the engines use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any, Self, TypeVar

from nnefkit.arguments import wrong_type
from nnefkit.display.visible_text import LONGEST, visible
from nnefkit.errors import InputError, UnknownNameError, did_you_mean
from nnefkit.language import Declaration
from nnefkit.language.declarations.custom_declarations import EXAMPLE, custom_operation
from nnefkit.operations.custom import STANDARD, Definition, definitions, enter, leave

Rule = Callable[..., Any]
F = TypeVar("F", bound=Rule)

_FUNCTIONS = {"shape": "shape rule", "kernel": "kernel", "macs": "cost"}


class CustomOperation:
    """A registered operation; its methods, also usable as decorators, add missing functions."""

    def __init__(self, registry: CustomOperations, definition: Definition) -> None:
        self.name = definition.name
        self.declaration = definition.declaration
        """Its declaration on one line; empty if only its name is registered."""
        self._registry = registry
        self._registration = definition.registration

    def shape(self, rule: F) -> F:
        """Add the shape rule; see `register_operation`."""
        return self._add("shape", rule)

    def kernel(self, function: F) -> F:
        """Add the kernel; see `register_operation`."""
        return self._add("kernel", function)

    def macs(self, rule: F) -> F:
        """Add the cost; see `register_operation`."""
        return self._add("macs", rule)

    def _add(self, role: str, function: F) -> F:
        definition = self._registry.definitions.get(self.name)
        if definition is None or definition.registration is not self._registration:
            raise UnknownNameError(
                f"'{self.name}' has been unregistered, or registered again",
                hint="Register it again with nk.register_operation.",
            )
        _refuse_uncallable(self.name, role, function)
        self._registry.definitions[self.name] = definition.with_function(role, function)
        return function

    def __repr__(self) -> str:
        definition = self._registry.definitions.get(self.name)
        has: list[str] = []
        if definition is not None and definition.registration is self._registration:
            has = [word for role, word in _FUNCTIONS.items() if getattr(definition, role)]
        parts = f"with {' and '.join(has)}" if has else "without a kernel"
        declaration = " ".join((self.declaration or self.name).splitlines())
        return f"<custom operation {parts}: {visible(declaration, LONGEST)}>"


class CustomOperations(Mapping[str, CustomOperation]):
    """A registry of custom operations: a mapping from names to registered operations.

    It takes effect where it is passed as ``custom_operations`` (to `nnefkit.parse`, `load`,
    `validate`, `infer_shapes`, `Session`, `run`, `trace`, `step`), or for all calls inside a
    ``with`` block. Names are looked up in the innermost registry first, last among those of
    `register_operation`, which are always in effect. A block affects its own thread or asynchronous
    task only.

    Graphs hold declarations of custom operations, but no functions: to run one that was read with a
    registry, pass the registry again. A `Session` uses the operations that were in effect when it
    was made.

    Example:
        >>> custom = nk.CustomOperations()
        >>> text = "fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
        >>> custom.register(text, shape=lambda x: x, kernel=lambda x: 2 * x)
        <custom operation with shape rule and kernel: fragment twice( x: tensor<scalar> ) -> \
( y: tensor<scalar> );>
        >>> document = ("version 1.0; extension KHR_enable_fragment_definitions;" + text
        ...     + "graph g( x ) -> ( y ) { x = external(shape = [2]); y = twice(x); }")
        >>> with custom:
        ...     graph = nk.parse(document)
        ...     result = nk.run(graph, np.array([1.0, 3.0]))
        >>> result["y"]
        array([2., 6.], dtype=float32)
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Definition] = {}
        """The registered functions, in the form that `nnefkit.operations` uses."""

    def register(
        self,
        declaration: str,
        shape: Rule | None = None,
        kernel: Rule | None = None,
        macs: Rule | None = None,
    ) -> CustomOperation:
        """Define a custom operation in this registry; see `register_operation` for the arguments.

        Registering a name again replaces everything that was registered under it before.
        """
        if not isinstance(declaration, str):
            raise wrong_type("declaration", "a str", declaration, f"For example: {EXAMPLE}")
        name, parsed = _parsed(declaration)
        functions = {"shape": shape, "kernel": kernel, "macs": macs}
        for role, function in functions.items():
            if function is not None:
                _refuse_uncallable(name, role, function)
        definition = Definition(name, parsed.text if parsed else "", **functions)
        self.definitions[name] = definition
        return CustomOperation(self, definition)

    def unregister(self, name: str) -> None:
        """Remove a custom operation.

        Raises:
            UnknownNameError: No operation of that name is registered here.
        """
        if name not in self.definitions:
            raise self._unknown(name)
        del self.definitions[name]

    def _unknown(self, name: object) -> UnknownNameError:
        return UnknownNameError(
            f"no custom operation '{name}' is registered",
            hint=did_you_mean(name, self.definitions),
        )

    def __getitem__(self, name: str) -> CustomOperation:
        if name not in self.definitions:
            raise self._unknown(name)
        return CustomOperation(self, self.definitions[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.definitions)

    def __len__(self) -> int:
        return len(self.definitions)

    def __enter__(self) -> Self:
        enter(self.definitions)
        return self

    def __exit__(self, *_: object) -> None:
        leave(self.definitions)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.values())) or "<no custom operations>"


_STANDARD = CustomOperations()
_STANDARD.definitions = STANDARD


def register_operation(
    declaration: str,
    shape: Rule | None = None,
    kernel: Rule | None = None,
    macs: Rule | None = None,
) -> CustomOperation:
    """Define a custom operation, so that documents that declare it can be run.

    Documents declare it as a fragment without a body (3.2.2). Registering a name again replaces all
    that was registered under it before. It is in effect everywhere from then on; `CustomOperations`
    limits definitions to some calls.

    Args:
        declaration: The declaration, such as ``"fragment gain( x: tensor<scalar>, factor: scalar =
            1.0 ) -> ( y: tensor<scalar> );"``; or just the name, if documents declare it.
        shape: ``shape(*input_shapes, **attribs)`` returns the shape of the result as a tuple of
            ints, or a tuple of shapes for several results. The shapes of an array of tensors, an
            argument or a result, are a list; a literal in the place of a tensor has shape ``()``. A
            ValueError that it raises reports what is wrong with the arguments. Without a shape
            rule, shapes after the operation are unknown until it is run.
        kernel: ``kernel(*arrays, **attribs)`` returns the result as an array, several results as a
            tuple. It must not change its arguments, nor depend on anything else. Scalars are
            float32 or float64, integers int64, logicals bool. If it has a parameter ``dtype``, that
            is the data-type of a generic operation, such as ``"scalar"``.
        macs: ``macs(input_shapes, output_shapes, attribs)`` returns the number of
            multiply-accumulates of a run.

    Returns:
        The operation, whose methods ``shape``, ``kernel`` and ``macs`` can be used as decorators
        for functions that are not passed here.

    Raises:
        DocumentError: The declaration breaks the rules of 3.3.2.
        InputError: It is not one declaration without a body, or it declares a standard operation;
            or a rule or kernel is not a function.

    Example:
        >>> text = "fragment twice( x: tensor<scalar> ) -> ( y: tensor<scalar> );"
        >>> nk.register_operation(text, shape=lambda x: x, kernel=lambda x: 2 * x).name
        'twice'
        >>> nk.unregister_operation("twice")
    """
    return _STANDARD.register(declaration, shape, kernel, macs)


def unregister_operation(name: str) -> None:
    """Remove a custom operation that was registered with `register_operation`.

    Raises:
        UnknownNameError: No operation of that name is registered.

    Example:
        >>> operation = nk.register_operation("twice", kernel=lambda x: 2 * x)
        >>> nk.unregister_operation("twice")
    """
    _STANDARD.unregister(name)


def using(custom_operations: CustomOperations | None) -> AbstractContextManager[object]:
    """Return a context manager that puts a registry, if one is given, into effect.

    Raises:
        InputError: `custom_operations` is not a registry.
    """
    if custom_operations is None:
        return nullcontext()
    if not isinstance(custom_operations, CustomOperations):
        raise wrong_type("custom_operations", "an nk.CustomOperations", custom_operations)
    return custom_operations


def declarations_in_effect() -> dict[str, Declaration]:
    """Return the declarations of the custom operations in effect, by name."""
    declared = {}
    for name, definition in definitions().items():
        if definition.declaration:
            _, declaration = _parsed(definition.declaration)
            if declaration is not None:
                declared[name] = declaration
    return declared


@lru_cache(maxsize=1024)
def _parsed(text: str) -> tuple[str, Declaration | None]:
    """Return the name in a declaration, and the declaration; None if the text is only a name."""
    return custom_operation(text)


def _refuse_uncallable(name: str, role: str, function: object) -> None:
    if not callable(function):
        raise InputError(
            f"the {_FUNCTIONS[role]} of '{name}' must be a function, "
            f"not of type {type(function).__name__}"
        )
