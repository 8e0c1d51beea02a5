"""The modules of Torch7 that are read or refused, and the reference networks."""

import re

from oracles.torch7_references import difference, modules, names

from documentation.generated import markdown, table

FILE = "docs/reference/support/torch7.md"


@table("torch7_modules", FILE)
def operators() -> str:
    from nnefkit.exchange.torch7 import modules as _  # noqa: F401  (it registers the modules)
    from nnefkit.exchange.torch7.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        shown = name.removeprefix("nn.")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{shown}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    return f"{len(READERS)} modules, of nn if no package is named:\n\n" + markdown(
        ["about", "modules", "in NNEF"], rows
    )


@table("torch7_refused", FILE)
def refused() -> str:
    from nnefkit.exchange.torch7.operators.refused import REFUSED

    several: dict[tuple[str, str], list[str]] = {}
    for name, why in REFUSED.items():
        several.setdefault(why, []).append(f"`{name.removeprefix('nn.')}`")
    rows = [[", ".join(found), *why] for why, found in several.items()]
    return markdown(["modules", "because", "what to do"], rows)


@table("torch7_models", FILE)
def models() -> str:
    rows = [
        [f"`{name}`", ", ".join(modules(name)), "yes" if difference(name) <= 1e-5 else "**no**"]
        for name in names()
    ]
    return markdown(["network", "modules", "equal to 1e-5"], rows)
