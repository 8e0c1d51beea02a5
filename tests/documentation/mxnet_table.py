"""The operators of MXNet that are read and refused, and the reference networks."""

import re

from oracles.mxnet_references import difference, index

from documentation.generated import markdown, table

FILE = "docs/reference/support/mxnet.md"


@table("mxnet_operators", FILE)
def operators() -> str:
    from nnefkit.exchange.mxnet import nodes  # noqa: F401  (it registers the operators)
    from nnefkit.exchange.mxnet.call import READERS

    several: dict[tuple[str, str], list[str]] = {}
    for name, reader in READERS.items():
        line = str(reader.__doc__).strip().splitlines()[0].removeprefix("Read ").rstrip(".")
        theme = reader.__module__.rpartition(".")[2].replace("_", " ")
        several.setdefault((theme, re.sub(r"`+", "`", line)), []).append(f"`{name}`")
    rows = [[key[0], ", ".join(sorted(found)), key[1]] for key, found in sorted(several.items())]
    return f"{len(READERS)} operators:\n\n" + markdown(["about", "operators", "in NNEF"], rows)


@table("mxnet_refused", FILE)
def refused() -> str:
    from nnefkit.exchange.mxnet.refused import PREFIXES, REFUSED

    several: dict[tuple[str, str], list[str]] = {}
    for name, why in REFUSED.items():
        several.setdefault(why, []).append(f"`{name}`")
    for name, why in PREFIXES.items():
        several.setdefault(why, []).append(f"`{name}...`")
    rows = [
        [", ".join(sorted(found)), why.reason, why.hint.replace("{outputs}", "[...]")]
        for why, found in several.items()
    ]
    return markdown(["operators", "refused since", "what to do"], rows)


@table("mxnet_models", FILE)
def models() -> str:
    rows = [
        [f"`{name}`", ", ".join(known["ops"]), "yes" if difference(name) <= 1e-6 else "**no**"]
        for name, known in index().items()
    ]
    return markdown(["network", "operators", "equal to 1e-6"], rows)
