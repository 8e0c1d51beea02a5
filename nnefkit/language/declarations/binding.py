"""Binding of arguments to the parameters of a declaration (3.3.1, 3.3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nnefkit.language.declarations.declaration import Declaration, Parameter
from nnefkit.language.report import Report
from nnefkit.language.syntax.tree import Argument, Constant, Invocation
from nnefkit.language.types import (
    EMPTY,
    GENERIC,
    INTEGER,
    SCALAR,
    SCALAR_TENSOR,
    UNKNOWN,
    PrimitiveType,
    Type,
    array_of,
    bind,
    castable,
    deduce,
    holds_opaque,
    opaque,
)

_SECTION = "3.3.2"


class Binding(NamedTuple):
    """The arguments of the parameters of an invocation, and the types of its results."""

    slots: list[int | None]
    """The index of the argument for each parameter; None for its default value."""
    dtype: PrimitiveType | None
    """The generic type argument; None if not generic, or unknown because of an error."""
    results: Sequence[Type]
    """Types of the results."""
    sound: bool
    """True if there were no errors."""


def bind_arguments(
    declaration: Declaration,
    invocation: Invocation,
    types: Sequence[Type],
    report: Report,
    generic: PrimitiveType | None = None,
) -> Binding:
    """Bind the arguments of an invocation, and report those that violate the rules.

    Args:
        declaration: The declaration of the operation.
        invocation: Its invocation.
        types: The types of the arguments.
        report: The report of the text with the invocation.
        generic: The meaning of ``?`` in the fragment around it, None in the graph.
    """
    slots = _regular_slots(declaration, invocation.arguments, types)
    if slots is not None and not declaration.generic and invocation.dtype is None:
        return Binding(slots, None, declaration.result_types, True)
    return _BoundInvocation(declaration, invocation, types, report).binding(slots, generic)


def _regular_slots(
    declaration: Declaration, arguments: Sequence[Argument], types: Sequence[Type]
) -> list[int | None] | None:
    """Return the slots of arguments without any problem; None if there is one to report.

    Nearly all invocations are of this form, so this is a single loop without calls.
    """
    parameters, by_name = declaration.parameters, declaration.by_name
    count = len(parameters)
    slots: list[int | None] = [None] * count
    for index, argument in enumerate(arguments):
        name = argument.name
        if name is None:
            if index >= count:
                return None
            parameter = parameters[index]
            if not parameter.is_tensor:
                return None
        else:
            count = 0  # so that a positional argument after a named one is a problem
            named = by_name.get(name)
            if named is None or named.is_tensor or slots[named.position] is not None:
                return None
            parameter = named
        slots[parameter.position] = index
        given, wanted = types[index], parameter.type
        if given is not wanted and not wanted.generic and not castable(given, wanted):
            return None
    return slots if arguments and _is_complete(declaration, slots) else None


def _is_complete(declaration: Declaration, slots: Sequence[int | None]) -> bool:
    """Return whether all parameters without a default value have an argument."""
    for parameter in declaration.required:  # noqa: SIM110 - a generator takes three times as long
        if slots[parameter.position] is None:
            return False
    return True


class _BoundInvocation:
    """An invocation whose arguments are bound."""

    def __init__(
        self,
        declaration: Declaration,
        invocation: Invocation,
        types: Sequence[Type],
        report: Report,
    ) -> None:
        self.declaration = declaration
        self.invocation = invocation
        self.types = types
        self.report = report
        self.slots: list[int | None] = []
        self.named = False
        """True if an argument was given by name."""
        self.displaced = False
        """True if it is unclear which parameter a positional argument belongs to."""

    def binding(self, slots: list[int | None] | None, generic: PrimitiveType | None) -> Binding:
        """Return the binding; `slots` are those of the arguments if they have no problem."""
        declaration, report = self.declaration, self.report
        errors = report.errors
        if slots is None:
            self._fill_slots()
        else:
            self.slots = slots
        if not declaration.generic:
            if self.invocation.dtype is not None:
                self._report_not_generic()
            return Binding(self.slots, None, declaration.result_types, report.errors == errors)
        dtype = self._dtype(generic)
        results: Sequence[Type]
        if dtype is not None:
            self._check_generic_types(dtype)
            results = [bind(type_, dtype) for type_ in declaration.result_types]
        elif report.errors == errors and any(map(holds_opaque, self.types)):
            results = [opaque(type_) for type_ in declaration.result_types]
        else:
            results = [UNKNOWN if type_.generic else type_ for type_ in declaration.result_types]
        return Binding(self.slots, dtype, results, report.errors == errors)

    # -- parameters ---------------------------------------------------------------------------

    def _fill_slots(self) -> None:
        """Find the argument of each parameter, and report all problems."""
        errors = self.report.errors
        slots: list[int | None] = [None] * len(self.declaration.parameters)
        self.slots = slots
        for index, argument in enumerate(self.invocation.arguments):
            if argument.name is None:
                parameter = self._positional_parameter(index, argument)
            else:
                parameter = self._named_parameter(argument, argument.name)
            if parameter is None:
                continue
            slots[parameter.position] = index
            given, wanted = self.types[index], parameter.type
            if not wanted.generic and not castable(given, wanted):
                self._report_mismatch(parameter, argument, given, wanted)
        if not self.displaced:
            self._check_required()
        if not self.invocation.arguments and self.report.errors == errors:
            self._report_no_arguments()

    def _check_required(self) -> None:
        for parameter in self.declaration.required:
            if self.slots[parameter.position] is None:
                self._report_missing(parameter)

    def _positional_parameter(self, index: int, argument: Argument) -> Parameter | None:
        parameters = self.declaration.parameters
        if self.named:
            self.displaced = True
            self._report_after_named(argument)
            return None
        if index >= len(parameters):
            self.displaced = True
            self._report_too_many(argument, index)
            return None
        parameter = parameters[index]
        if not parameter.is_tensor:
            self._report_positional_attribute(argument, parameter)
        return parameter

    def _named_parameter(self, argument: Argument, name: str) -> Parameter | None:
        self.named = True
        parameter = self.declaration.by_name.get(name)
        if parameter is None:
            self._report_unknown(argument, name)
            return None
        if parameter.is_tensor:
            self._report_named_tensor(argument)
        first = self.slots[parameter.position]
        if first is not None:
            self._report_duplicate(argument, first)
            return None
        return parameter

    # -- the generic type ---------------------------------------------------------------------

    def _dtype(self, generic: PrimitiveType | None) -> PrimitiveType | None:
        """Return the generic type argument, explicit or deduced; None if it is not known."""
        explicit = self.invocation.dtype
        if explicit is not GENERIC:
            return explicit or self.declaration.generic_default or self._deduced_dtype()
        if generic is None:
            self._report_generic_outside()
        return None if generic is GENERIC else generic

    def _deduced_dtype(self) -> PrimitiveType | None:
        candidates: dict[PrimitiveType, None] = {}
        is_vague = False
        # A vague type is unknown, for a reason that is reported elsewhere.
        for parameter, slot in zip(self.declaration.parameters, self.slots, strict=True):
            if slot is None or not parameter.type.generic:
                continue
            type_ = self.types[slot]
            if not castable(type_, parameter.type):
                argument = self.invocation.arguments[slot]
                self._report_mismatch(parameter, argument, type_, parameter.type)
                is_vague = True
                continue
            is_vague = is_vague or type_ is UNKNOWN or type_.generic or holds_opaque(type_)
            candidates.update(dict.fromkeys(deduce(type_, parameter.type)))
        candidates.pop(GENERIC, None)
        if len(candidates) == 1:
            return next(iter(candidates))
        if candidates:
            self._report_ambiguous(candidates)
        elif not is_vague and _is_complete(self.declaration, self.slots):
            self._report_undeduced()
        return None

    def _check_generic_types(self, dtype: PrimitiveType) -> None:
        for parameter, slot in zip(self.declaration.parameters, self.slots, strict=True):
            if slot is not None and parameter.type.generic:
                wanted = bind(parameter.type, dtype)
                if not castable(self.types[slot], wanted):
                    argument = self.invocation.arguments[slot]
                    self._report_mismatch(parameter, argument, self.types[slot], wanted)

    # -- problems -----------------------------------------------------------------------------

    def _list_parameters(self) -> str:
        names = ", ".join(parameter.name for parameter in self.declaration.parameters)
        return f"The parameters of '{self.declaration.name}' are {names}."

    def _report_after_named(self, argument: Argument) -> None:
        self.report.at(
            "positional-argument",
            f"a positional argument of '{self.declaration.name}' follows a named one",
            argument.at,
            _end(argument),
            hint="Positional arguments come first.",
            section=_SECTION,
        )

    def _report_too_many(self, argument: Argument, index: int) -> None:
        count = len(self.declaration.parameters)
        self.report.at(
            "too-many-arguments",
            f"'{self.declaration.name}' has {count} parameter{'s' * (count != 1)}, this is "
            f"argument {index + 1}",
            argument.at,
            _end(argument),
            hint=self._list_parameters(),
            section=_SECTION,
        )

    def _report_positional_attribute(self, argument: Argument, parameter: Parameter) -> None:
        self.report.at(
            "positional-attribute",
            f"attribute '{parameter.name}' of '{self.declaration.name}' must be given by name",
            argument.at,
            _end(argument),
            hint=f"Write: {parameter.name} = ...",
            section=_SECTION,
        )

    def _report_unknown(self, argument: Argument, name: str) -> None:
        nearest = self.report.suggest(name, self.declaration.by_name)
        self.report.at(
            "unknown-argument",
            f"'{self.declaration.name}' has no parameter '{name}'",
            argument.at,
            hint=f"{nearest} {self._list_parameters()}".strip(),
            section=_SECTION,
        )

    def _report_named_tensor(self, argument: Argument) -> None:
        self.report.at(
            "named-tensor",
            f"tensor '{argument.name}' of '{self.declaration.name}' is given by name, which is "
            "deprecated",
            argument.at,
            _end(argument),
            hint="Give tensors by position.",
            section=_SECTION,
            severity="warning",
        )

    def _report_duplicate(self, argument: Argument, first: int) -> None:
        by_position = self.invocation.arguments[first].name is None
        repeated = "by position already" if by_position else "twice"
        self.report.at(
            "duplicate-argument",
            f"'{argument.name}' of '{self.declaration.name}' is given {repeated}",
            argument.at,
            _end(argument),
            section=_SECTION,
        )

    def _report_missing(self, parameter: Parameter) -> None:
        # A misspelled name was reported already; the parameter that it may mean is not missing.
        if any(self._may_mean(argument, parameter) for argument in self.invocation.arguments):
            return
        self.report.at(
            "missing-argument",
            f"'{self.declaration.name}' needs '{parameter.name}' ({parameter.type})",
            self.invocation.at,
            hint=self._list_parameters(),
            section=_SECTION,
        )

    def _may_mean(self, argument: Argument, parameter: Parameter) -> bool:
        names = self.declaration.by_name
        if not argument.name or argument.name in names:
            return False
        return f"'{parameter.name}'" in self.report.suggest(argument.name, names)

    def _report_no_arguments(self) -> None:
        self.report.at(
            "syntax",
            f"an invocation needs an argument, '{self.declaration.name}' has none",
            self.invocation.at,
            self.invocation.end,
            section="3.2.1",
        )

    def _report_not_generic(self) -> None:
        name = self.declaration.name
        self.report.at(
            "not-generic",
            f"'{name}' is not generic and takes no <{self.invocation.dtype}>",
            self.invocation.at,
            self.invocation.at + 4,
            hint=f"Write: {name}(...)",
            section=_SECTION,
        )

    def _report_generic_outside(self) -> None:
        self.report.at(
            "type-mismatch",
            f"'{self.declaration.name}<?>' passes on a generic type, but there is none here",
            self.invocation.at,
            self.invocation.at + 4,
            hint="<?> has a meaning only in the body of a generic fragment.",
            section=_SECTION,
        )

    def _report_ambiguous(self, candidates: Iterable[PrimitiveType]) -> None:
        listed = " and ".join(type_.name for type_ in candidates)
        self.report.at(
            "ambiguous-type",
            f"the arguments of '{self.declaration.name}' disagree in type: {listed}",
            self.invocation.at,
            self.invocation.end,
            hint="All arguments of generic type must be of one type.",
            section=_SECTION,
        )

    def _report_undeduced(self) -> None:
        name = self.declaration.name
        self.report.at(
            "undeduced-type",
            f"the generic type of '{name}' does not follow from its arguments",
            self.invocation.at,
            hint=f"Write it: {name}<scalar>(...)",
            section=_SECTION,
        )

    def _report_mismatch(
        self, parameter: Parameter, argument: Argument, given: Type, wanted: Type
    ) -> None:
        value = argument.value
        hint = self._mismatch_hint(value, given, wanted) if isinstance(value, Constant) else ""
        if not hint and given is EMPTY:
            hint = "[] is an empty array."
        self.report.at(
            "type-mismatch",
            f"'{parameter.name}' of '{self.declaration.name}' must be {wanted}, not {given}",
            value.at,
            value.end,
            hint=hint,
            section="3.3.1",
        )

    def _mismatch_hint(self, value: Constant, given: Type, wanted: Type) -> str:
        declaration = self.declaration
        if given is INTEGER and wanted in (SCALAR, SCALAR_TENSOR):
            return f"A number without a point is an integer. Write: {value.value}.0"
        if given is array_of(INTEGER) and wanted is array_of(SCALAR):
            if declaration.generic and declaration.generic_default is SCALAR:
                return (
                    "A number without a point is an integer. Write the numbers with a point, or "
                    f"{declaration.name}<integer>(...)."
                )
            return "Numbers without a point are integers. Write them with a point."
        element: Type = getattr(wanted, "element", None) or EMPTY
        return "An array is written in brackets: [...]" if castable(given, element) else ""


def _end(argument: Argument) -> int:
    return max(argument.value.end, argument.at + 1)
