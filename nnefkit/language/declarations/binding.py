"""Arguments of an invocation to parameters of a declaration: the rules of 3.3.1 and 3.3.2."""

from __future__ import annotations

from collections.abc import Sequence
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
    bind,
    castable,
    deduce,
    holds_opaque,
    opaque,
)


class Binding(NamedTuple):
    """Which argument goes to which parameter."""

    slots: list[int | None]
    """For each parameter the index of its argument; None for its default value."""
    dtype: PrimitiveType | None
    """The generic type argument; None if not generic, or if it is not known due to an error."""
    results: Sequence[Type]
    """Types of the results."""
    sound: bool
    """Whether there were no errors."""


def bind_arguments(
    declaration: Declaration,
    invocation: Invocation,
    kinds: Sequence[Type],
    report: Report,
    generic: PrimitiveType | None = None,
) -> Binding:
    """Binds arguments of types `kinds`; `generic` is what ``?`` means in the fragment around."""
    errors = report.errors
    parameters = declaration.parameters
    slots: list[int | None] = [None] * len(parameters)
    named = displaced = False
    for index, argument in enumerate(invocation.arguments):
        name = argument.name
        if name is None:
            misplaced = named or index >= len(parameters) or not parameters[index].is_tensor
            if misplaced and not _positional_problem(declaration, argument, index, named, report):
                displaced = True
                continue
            parameter = parameters[index]
        else:
            named = True
            found = declaration.by_name.get(name)
            if found is None:
                _unknown_argument(declaration, argument, report)
                continue
            parameter = found
            if parameter.is_tensor:
                _named_tensor(declaration, argument, report)
            if slots[parameter.position] is not None:
                _duplicate(declaration, argument, slots[parameter.position], invocation, report)
                continue
        slots[parameter.position] = index
        kind, wanted = kinds[index], parameter.type
        if kind is not wanted and not wanted.generic and not castable(kind, wanted):
            _mismatch(declaration, parameter, argument, kind, wanted, report)
    if None in slots and not displaced:
        for parameter in declaration.required:
            if slots[parameter.position] is None:
                _missing(declaration, parameter, invocation, named, report)
    if not invocation.arguments and report.errors == errors:
        _no_arguments(declaration, invocation, report)
    if not declaration.generic:
        if invocation.dtype is not None:
            _not_generic(declaration, invocation, report)
        results: Sequence[Type] = [result.type for result in declaration.results]
        return Binding(slots, None, results, report.errors == errors)
    dtype = _generic_type(declaration, invocation, kinds, slots, report, generic)
    if dtype is None and report.errors == errors and any(map(holds_opaque, kinds)):
        return Binding(slots, None, [opaque(r.type) for r in declaration.results], True)
    if isinstance(dtype, PrimitiveType):
        for parameter, slot in zip(parameters, slots, strict=True):
            if slot is not None and parameter.type.generic:
                wanted = bind(parameter.type, dtype)
                if not castable(kinds[slot], wanted):
                    argument = invocation.arguments[slot]
                    _mismatch(declaration, parameter, argument, kinds[slot], wanted, report)
        results = [bind(result.type, dtype) for result in declaration.results]
        return Binding(slots, dtype, results, report.errors == errors)
    results = [UNKNOWN if r.type.generic else r.type for r in declaration.results]
    return Binding(slots, None, results, report.errors == errors)


def _generic_type(
    declaration: Declaration,
    invocation: Invocation,
    kinds: Sequence[Type],
    slots: Sequence[int | None],
    report: Report,
    generic: PrimitiveType | None,
) -> PrimitiveType | None:
    explicit = invocation.dtype
    if explicit is GENERIC:
        if generic is None:
            report.at(
                "type-mismatch",
                f"'{declaration.name}<?>' passes on a generic type, but there is none here",
                invocation.at,
                invocation.at + 4,
                hint="<?> has a meaning only in the body of a generic fragment.",
                section="3.3.2",
            )
            return None
        return None if generic is GENERIC else generic
    if explicit is not None:
        return explicit
    if declaration.generic_default is not None:
        return declaration.generic_default
    candidates: dict[PrimitiveType, None] = {}
    vague = False
    for parameter, slot in zip(declaration.parameters, slots, strict=True):
        if slot is not None and parameter.type.generic:
            if not castable(kinds[slot], parameter.type):
                argument = invocation.arguments[slot]
                _mismatch(declaration, parameter, argument, kinds[slot], parameter.type, report)
                vague = True
                continue
            kind = kinds[slot]
            vague = vague or kind is UNKNOWN or kind.generic or holds_opaque(kind)
            candidates.update(dict.fromkeys(deduce(kinds[slot], parameter.type)))
    candidates.pop(GENERIC, None)
    if len(candidates) == 1:
        return next(iter(candidates))
    if len(candidates) > 1:
        listed = " and ".join(kind.name for kind in candidates)
        report.at(
            "ambiguous-type",
            f"the arguments of '{declaration.name}' disagree in type: {listed}",
            invocation.at,
            invocation.end,
            hint="All arguments of generic type must be of one type.",
            section="3.3.2",
        )
    elif not vague and all(
        slots[parameter.position] is not None for parameter in declaration.required
    ):
        report.at(
            "undeduced-type",
            f"the generic type of '{declaration.name}' does not follow from its arguments",
            invocation.at,
            hint=f"Say it: {declaration.name}<scalar>(...)",
            section="3.3.2",
        )
    return None


# -- problems ----------------------------------------------------------------------------------


def _end(argument: Argument) -> int:
    return max(argument.value.end, argument.at + 1)


def _listing(declaration: Declaration) -> str:
    names = ", ".join(parameter.name for parameter in declaration.parameters)
    return f"The parameters of '{declaration.name}' are {names}."


def _positional_problem(
    declaration: Declaration, argument: Argument, index: int, named: bool, report: Report
) -> bool:
    """Reports a positional argument in a wrong place; True if it is clear what was meant."""
    at, end, name = argument.at, _end(argument), declaration.name
    count = len(declaration.parameters)
    if named:
        report.at(
            "positional-argument",
            f"a positional argument of '{name}' stands behind a named one",
            at,
            end,
            hint="Positional arguments come first.",
            section="3.3.2",
        )
        return False
    if index >= count:
        report.at(
            "too-many-arguments",
            f"'{name}' has {count} parameter{'s' * (count != 1)}, this is argument {index + 1}",
            at,
            end,
            hint=_listing(declaration),
            section="3.3.2",
        )
        return False
    parameter = declaration.parameters[index]
    report.at(
        "positional-attribute",
        f"attribute '{parameter.name}' of '{name}' must be given by name",
        at,
        end,
        hint=f"Write: {parameter.name} = ...",
        section="3.3.2",
    )
    return True


def _unknown_argument(declaration: Declaration, argument: Argument, report: Report) -> None:
    assert argument.name is not None  # noqa: S101 - for the type checker
    nearest = report.suggest(argument.name, declaration.by_name)
    report.at(
        "unknown-argument",
        f"'{declaration.name}' has no parameter '{argument.name}'",
        argument.at,
        hint=f"{nearest} {_listing(declaration)}".strip(),
        section="3.3.2",
    )


def _named_tensor(declaration: Declaration, argument: Argument, report: Report) -> None:
    report.at(
        "named-tensor",
        f"tensor '{argument.name}' of '{declaration.name}' is given by name, which is deprecated",
        argument.at,
        _end(argument),
        hint="Give tensors by position.",
        section="3.3.2",
        severity="warning",
    )


def _duplicate(
    declaration: Declaration,
    argument: Argument,
    first: int | None,
    invocation: Invocation,
    report: Report,
) -> None:
    by_position = first is not None and invocation.arguments[first].name is None
    how = "by position already" if by_position else "twice"
    report.at(
        "duplicate-argument",
        f"'{argument.name}' of '{declaration.name}' is given {how}",
        argument.at,
        _end(argument),
        section="3.3.2",
    )


def _missing(
    declaration: Declaration,
    parameter: Parameter,
    invocation: Invocation,
    named: bool,
    report: Report,
) -> None:
    # A misspelt name was told already; the parameter that it may have meant is not told again.
    if named and any(
        argument.name and argument.name not in declaration.by_name
        for argument in invocation.arguments
    ):
        unknown = [a.name for a in invocation.arguments if a.name not in declaration.by_name]
        if any(
            name and report.suggest(name, declaration.by_name).find(f"'{parameter.name}'") > 0
            for name in unknown
        ):
            return
    report.at(
        "missing-argument",
        f"'{declaration.name}' needs '{parameter.name}' ({parameter.type})",
        invocation.at,
        hint=_listing(declaration),
        section="3.3.2",
    )


def _no_arguments(declaration: Declaration, invocation: Invocation, report: Report) -> None:
    report.at(
        "syntax",
        f"an invocation needs an argument, '{declaration.name}' has none",
        invocation.at,
        invocation.end,
        section="3.2.1",
    )


def _not_generic(declaration: Declaration, invocation: Invocation, report: Report) -> None:
    report.at(
        "not-generic",
        f"'{declaration.name}' is not generic and takes no <{invocation.dtype}>",
        invocation.at,
        invocation.at + 4,
        hint=f"Write: {declaration.name}(...)",
        section="3.3.2",
    )


def _mismatch(
    declaration: Declaration,
    parameter: Parameter,
    argument: Argument,
    kind: Type,
    wanted: Type,
    report: Report,
) -> None:
    hint = ""
    value = argument.value
    if isinstance(value, Constant):
        if kind is INTEGER and wanted in (SCALAR, SCALAR_TENSOR):
            hint = f"A number without a point is an integer. Write: {value.value}.0"
        elif str(kind) == "integer[]" and str(wanted) == "scalar[]":
            if declaration.generic and declaration.generic_default is SCALAR:
                hint = (
                    "A number without a point is an integer. Write the numbers with a point, or "
                    f"{declaration.name}<integer>(...)."
                )
            else:
                hint = "Numbers without a point are integers. Write them with a point."
        elif castable(kind, _item(wanted)):
            hint = "An array is written in brackets: [...]"
    if not hint and kind is EMPTY:
        hint = "[] is an empty array."
    report.at(
        "type-mismatch",
        f"'{parameter.name}' of '{declaration.name}' must be {wanted}, not {kind}",
        value.at,
        value.end,
        hint=hint,
        section="3.3.1",
    )


def _item(kind: Type) -> Type:
    item: Type = getattr(kind, "item", None) or EMPTY
    return item
