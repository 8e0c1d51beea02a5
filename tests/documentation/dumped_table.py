"""The operations of Chainer and Theano that are read, and the reference networks."""

from __future__ import annotations

import re
from typing import Any

from oracles.dumped_references import difference, names, operators

from documentation.generated import markdown, table

CHAINER = "docs/reference/support/chainer.md"
THEANO = "docs/reference/support/theano.md"


def _operations(framework: Any, what: str) -> str:
    """Return what is read, by theme, and what is refused, with the reason."""
    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in framework.readers.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{name}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, reason in framework.refused.items():
        reasons.setdefault(reason, []).append(f"`{name}`")
    refused = [
        [", ".join(sorted(found)), reason, hint] for (reason, hint), found in reasons.items()
    ]
    return (
        f"{len(framework.readers)} {what}:\n\n"
        + markdown(["about", what, "in NNEF"], rows)
        + f"\nRefused are {len(framework.refused)}:\n\n"
        + markdown([what, "since", "what to do"], refused)
    )


def _models(framework: str, what: str) -> str:
    rows = [
        [
            f"`{name.partition('/')[2].removesuffix('.graph')}`",
            ", ".join(operators(framework, name)),
            "yes" if difference(framework, name) <= 1e-5 else "**no**",
        ]
        for name in names(framework)
    ]
    return markdown(["network", what, "equal to 1e-5"], rows)


@table("chainer_functions", CHAINER)
def functions() -> str:
    from nnefkit.exchange.chainer.functions import CHAINER as FRAMEWORK

    return _operations(FRAMEWORK, "functions")


@table("chainer_models", CHAINER)
def chainer_models() -> str:
    return _models("chainer", "functions")


@table("theano_operations", THEANO)
def operations() -> str:
    from nnefkit.exchange.theano.operations import THEANO as FRAMEWORK

    return _operations(FRAMEWORK, "operations")


@table("theano_scalars", THEANO)
def scalar_operations() -> str:
    from nnefkit.exchange.theano import operations  # noqa: F401  (it registers them)
    from nnefkit.exchange.theano.scalar_call import SCALARS

    several: dict[str, list[str]] = {}
    for name, reader in SCALARS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        several.setdefault(re.sub(r"`+", "`", line), []).append(f"`{name}`")
    rows = [[", ".join(sorted(found)), line] for line, found in several.items()]
    return f"{len(SCALARS)} operations:\n\n" + markdown(["operations", "in NNEF"], rows)


@table("theano_models", THEANO)
def theano_models() -> str:
    return _models("theano", "operations")
