"""Objects of every kind that has a display, small and large, tame and hostile."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

from nnefkit.analysis.validation import ValidationReport
from nnefkit.diagnostic_codes import DIAGNOSTIC_CODES
from nnefkit.display import html, text
from nnefkit.display.cards.compared_inputs import (
    ComparedInputsRow,
    ComparedInputsSummary,
    compared_inputs_card,
)
from nnefkit.display.cards.compared_tensor import ComparedSummary, compared_tensor_card
from nnefkit.display.cards.comparison import ComparisonRow, ComparisonSummary, comparison_card
from nnefkit.display.cards.cost import (
    BlockRow,
    BlockSummary,
    CostRow,
    CostSummary,
    blocks_card,
    cost_card,
)
from nnefkit.display.cards.diff import (
    ChangedOperationRow,
    ChangedWeightRow,
    DifferenceRow,
    DiffSummary,
    diff_card,
)
from nnefkit.display.cards.engines import engine_card, engines_card
from nnefkit.display.cards.graph import graph_card
from nnefkit.display.cards.operation import operation_card
from nnefkit.display.cards.precision import PrecisionRow, PrecisionSummary, precision_card
from nnefkit.display.cards.profile import ProfileRow, ProfileSummary, profile_card
from nnefkit.display.cards.quantization import (
    QuantizationRow,
    QuantizationSummary,
    quantization_card,
)
from nnefkit.display.cards.report import report_card
from nnefkit.display.cards.sensitivity import (
    SensitivityRow,
    SensitivitySummary,
    sensitivity_card,
)
from nnefkit.display.cards.tensor import tensor_card
from nnefkit.display.cards.trace import TraceRow, TraceSummary, trace_card
from nnefkit.display.cards.traced_inputs import RangeRow, TracedInputsSummary, traced_inputs_card
from nnefkit.display.elements import Card
from nnefkit.display.statistics import statistics
from nnefkit.errors import Diagnostic, Source, Span
from nnefkit.execution.engine_list import EngineInfo, Engines
from nnefkit.graph import Graph, Identifier, Operation, Tensor

OPERATIONS = ("conv", "relu", "max_pool", "add", "reshape", "batch_normalization", "my_op")


class Shown(NamedTuple):
    """One object, by the function that makes its card."""

    kind: str
    card: Callable[..., Card]
    """Called with `brief`."""

    @property
    def text(self):
        """The card as plain text."""
        return text.write(self.card(brief=True))

    @property
    def html(self):
        """The card as HTML."""
        return html.write(self.card(brief=False))


def shown(make, *arguments, **options):
    """The object whose card `make(*arguments, brief=..., **options)` returns."""
    return Shown(make.__name__.removesuffix("_card"), partial(make, *arguments, **options))


SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="80"></svg>'


def graph(count=40, name=lambda i: f"tensor{i}", values=True, picture=SVG):
    """A chain of `count` operations with as many variables."""
    rng = np.random.default_rng(1)
    lines = [f"version 1.0;\ngraph {name(7)}\n" * count]
    operations, tensors = [], {name(count): Tensor(name(count), "integer")}
    for i in range(count):
        data = rng.standard_normal((4, 3, 3, 3)).astype(np.float32) if values else None
        result, weight = Identifier(name(i)), Identifier(name(i) + "w")
        tensors[weight] = Tensor(weight, "scalar", (4, 3, 3, 3), data, name(i) + "/filter")
        tensors[result] = Tensor(result, "scalar", (1, 24, 64, 64))
        outputs = {"output": result} if i % 9 else {"output": [result, Identifier(name(i) + "b")]}
        operations.append(Operation("variable", {}, {"output": weight}))
        operations.append(
            Operation(
                OPERATIONS[i % len(OPERATIONS)],
                {"input": Identifier(name(max(i - 1, 0))), "filter": weight},
                outputs,
                scope=("block1", f"unit{i}") if i % 2 else (),
                span=Span(i, i + 1),
                macs=1_234_567 * i,
            )
        )
    of = Graph(
        name(7),
        (name(0),),
        (name(0), name(count)),
        tuple(operations),
        tensors,
        {
            "path": "models/some_model.nnef.tgz",
            "source": "PyTorch module Net",
            "versions": {"torch": "2.13.0"},
            "verified": True,
            "engine": "numpy",
            "tolerance": 1e-4,
            "largest_difference": 3.2e-7,
        },
        extensions=("KHR_enable_fragment_definitions",),
        source=Source("".join(lines)),
    )
    return shown(graph_card, of, picture=picture)


def operation(name="conv1"):
    """A convolution with all its arguments."""
    names = [Identifier(name + suffix) for suffix in ("", "w", "out")]
    return shown(
        operation_card,
        Operation(
            "conv",
            {"input": names[0], "filter": names[1], "bias": 0.0},
            {"output": names[2]},
            {"border": "constant", "stride": [2, 2], "groups": 1},
            dtype="scalar",
            scope=("backbone", "block1"),
            macs=7_370_000,
        ),
    )


def tensor(values, name="conv1", **more):
    """A tensor with `values`."""
    shape = None if values is None else values.shape
    return shown(tensor_card, Tensor(name, "scalar", shape, values), **more)


def trace(count=60, name=lambda i: f"tensor{i}", bad=(41,), every=5):
    """A run of `count` operations; those at `bad` have NaN and Inf, one of `every` no values."""
    rng = np.random.default_rng(2)
    rows, taken = [], {}
    for i in range(count):
        values = rng.standard_normal(600) * i
        if i in bad:
            values[3:5] = math.nan, math.inf
        if i != 7:
            taken[name(i)] = statistics(values)
        rows.append(
            TraceRow(
                i,
                OPERATIONS[i % len(OPERATIONS)],
                name(i),
                (1, 6, 10, 10),
                None if i == 7 else i not in bad,
                1e-4 * i,
                4800,
                i + 5,
                stored=bool(i % every) if every else True,
            )
        )
    of = TraceSummary("some_graph", "numpy", tuple(rows), 0.0241, statistics=taken)
    return shown(trace_card, of)


def compared(name):
    """One tensor of two runs."""
    of = ComparedSummary(
        name(1),
        "inherits",
        (f"{name(2)}, line 7", "1×3×4", "float32"),
        f"largest difference 0.5; against {name(3)}",
        (("SNR", "40", "dB"), ("outside", "3%", "3 of 100")),
    )
    return Shown("compared_tensor", lambda *, brief: compared_tensor_card(of))


def comparison(count=60, name=lambda i: f"tensor{i}", parts_at=20):
    """Two runs that diverge at one operation, or agree (None)."""
    rows = []
    for i in range(count):
        equal = parts_at is None or i < parts_at
        verdict = "equal" if equal else "introduces" if i == parts_at else "inherits"
        rows.append(
            ComparisonRow(
                i,
                OPERATIONS[i % len(OPERATIONS)],
                name(i),
                verdict,
                0.0 if equal else 2.15 + i,
                0.0 if equal else 0.087,
                math.inf if equal else 18.9 + i % 7,
                1.0 if equal else 0.99388,
                i + 5,
                (1, 3, 4),
                output=i == count - 1,
                note="" if equal else "2 NaN",
            )
        )
    missing = ComparisonRow(count, "relu", name(count), "missing", note="only in a")
    of = ComparisonSummary(
        f"float against 8 bit of {name(3)}",
        parts_at is None,
        "The runs agree" if parts_at is None else f"The runs diverge at `{name(parts_at)}`",
        f"Its weights `{name(2)}` differ.",
        "some_graph",
        ("numpy", name(1)),
        (*rows, missing),
        "1e-5 relative",
        2,
    )
    return shown(comparison_card, of)


def report(count=3, word="bordr", severities=("error", "warning", "note"), marked=False):
    """`count` diagnostics of all severities, perhaps with the text that they are about."""
    lines = [f"    x{i} = conv({word} = 'ignore');" for i in range(count)]
    diagnostics = [
        Diagnostic(
            "unknown-argument",
            f"conv has no parameter '{word}'",
            severities[i % len(severities)],
            "broken.nnef" if i % 4 else "other/file.dat",
            i + 1,
            12 + len(str(i)) + 2,
            Span(0, len(word)),
            "Did you mean 'border'?",
            "3.3.2",
            line,
        )
        for i, line in enumerate(lines)
    ]
    source = Source("\n".join(lines), "broken.nnef") if marked else None
    checked = Graph("some_graph", (), (), (Operation("relu", {}, {}),) * 132, {})
    of = ValidationReport("broken.nnef", tuple(diagnostics), checked, source)
    return shown(report_card, of, DIAGNOSTIC_CODES)


def engine(name=lambda i: f"tensor{i}", count=3):
    """An engine that runs `count` operations, half of them in part."""
    names = [name(i) for i in range(count)]
    partly = frozenset(names[::2])
    return EngineInfo(name(4), True, "1.2", frozenset(names), partly, (name(5),))


def away(name):
    """An engine that is not installed."""
    return EngineInfo(name(6), False, hint=f"pip install {name(7)}")


def engines(name=lambda i: f"tensor{i}"):
    """Two engines that are installed, one that is not, and one that is broken."""
    whole = dataclasses.replace(engine(name, 5), partly=frozenset())
    broken = EngineInfo(name(8), False, hint=name(9), problem=name(3))
    of = Engines(dict(enumerate([engine(name), whole, away(name), broken])), (name(2),))
    return Shown("engines", lambda *, brief: engines_card(of))


def everything(name):
    """Objects of every kind; `name(i)` are the names in them."""
    rng = np.random.default_rng(3)
    maps = rng.standard_normal((1, 30, 40, 40)).astype(np.float32)
    yield graph(name=name)
    yield graph(3, name=name, values=False)
    yield operation(name(1))
    yield tensor(maps, name(2), producer=name(3), line=7, access=f'trace["{name(2)}"]')
    yield tensor(rng.random((8, 3, 3, 3)), name(2), label=name(5), origin=name(6))
    yield tensor(rng.random((50, 90)), name(2), quantization={"op-name": name(4)})
    yield tensor(rng.standard_normal(700), name(2))
    yield tensor(np.full((2, 2), np.nan), name(2))
    yield tensor(None, name(2))
    yield trace(name=name)
    yield trace(3, name=name, bad=())
    yield comparison(name=name)
    yield comparison(name=name, parts_at=None)
    yield compared(name)
    yield report(word=name(1))
    yield report(60, word=name(1))
    yield report(0)
    yield report(4, word=name(1), marked=True)
    yield report(300, word=name(2), marked=True)
    yield engines(name)
    yield Shown("engine", lambda *, brief: engine_card(engine(name)))
    yield Shown("engine", lambda *, brief: engine_card(away(name)))
    yield from quantized(name)
    yield from costs(name)
    yield from differences(name)
    yield from over_inputs(name)


def quantized(name, count=40):
    """Cards of a quantization, of a precision curve and of a sensitivity."""
    rows = tuple(
        QuantizationRow(
            *(name(i), "conv", ("input", "activation", "weight", "bias")[i % 4], 8),
            *(-1.5, 2.5, 0.01, i + 1, i / count, 30.0 + i, 0.289, 20.0 + i),
        )
        for i in range(count)
    )
    summary = QuantizationSummary(
        *(name(1), ("1 calibration input",), "In 8 bits the outputs have 20 dB.", "It is so."),
        *((("plain", 15.0), ("equalized", 20.0)), rows, {name(3): "kept on request"}),
    )
    yield Shown("report", lambda *, brief: quantization_card(summary, brief=brief))
    points = tuple(PrecisionRow(i, name(i) if i else "", "conv", 10.0 + i) for i in range(count))
    curve = PrecisionSummary(
        name(1), False, ("60 layers",), "39 layers do not.", "So.", 30.0, points
    )
    yield Shown("curve", lambda *, brief: precision_card(curve, brief=brief))
    perturbed = tuple(
        SensitivityRow(i, "conv", name(i), i, 30.0, 20.0 + i, 10.0 - i) for i in range(count)
    )
    found = SensitivitySummary(name(1), ("1 input",), "It moves.", "Most.", perturbed)
    yield Shown("sensitivity", lambda *, brief: sensitivity_card(found, brief=brief))


def costs(name, count=40):
    """Cards of the costs of operations and of blocks."""
    rows = tuple(
        CostRow(
            *(i, "conv", name(i), i, 10**i, None if i == 3 else 2 * 10**i, i, 1 << i, 0.5),
            *(1 << i, ("", "unknown", "at most")[i % 3]),
        )
        for i in range(count)
    )
    blocks = BlockSummary(
        name(1), "label", tuple(BlockRow(name(i), 2, 3, 4, 5, 6, 0.1, i % 2) for i in range(count))
    )
    summary = CostSummary(name(2), ("40 operations",), "So much.", f"At `{name(1)}`.", blocks, rows)
    yield Shown("cost", lambda *, brief: cost_card(summary, brief=brief))
    yield Shown("cost", lambda *, brief: blocks_card(blocks))
    steps = tuple(
        ProfileRow(
            *(i, "conv", name(i), 1 + i % 2, i, 10.0**-i, 0.5 * 10.0**-i, 2 * 10.0**-i, i / count),
            *(None if i == 3 else i, i / 3, None),
        )
        for i in range(count)
    )
    times = ProfileSummary(name(2), (name(3),), "A run.", f"At `{name(1)}`.", steps)
    yield Shown("profile", lambda *, brief: profile_card(times, brief=brief))


def differences(name, count=40):
    """Cards of the differences of two graphs."""
    kinds = ("same", "added", "removed", "changed")
    changed = tuple(
        ChangedOperationRow(kinds[1 + i % 3], "conv", name(i), name(i + 1), i, None, name(i))
        for i in range(count)
    )
    weights = tuple(
        ChangedWeightRow(name(i), name(i + i % 2), 0.1, 0.2, 10.0 + i, 0.99, i % 3 == 0, name(i))
        for i in range(count)
    )
    others = tuple(DifferenceRow("shape", name(i), name(i + 1), "[1]") for i in range(count))
    facts = ("40 and 41 operations",)
    differ = DiffSummary(
        *(name(1), False, "The graphs differ: `a`.", f"At `{name(2)}`.", facts, kinds * 9),
        *(changed, weights, others),
    )
    yield Shown("diff", lambda *, brief: diff_card(differ, brief=brief))
    same = DiffSummary(name(1), True, "The graphs are equal.", "", facts, ("same",) * 9)
    yield Shown("diff", lambda *, brief: diff_card(same, brief=brief))


def over_inputs(name, count=40):
    """Cards of a comparison and of statistics over many inputs."""
    rows = tuple(
        ComparedInputsRow(
            *("conv" if i % 2 else "", name(i), i % 3, 7, i % 7),
            *(None if i == 3 else 0.1 * i, None if i == 3 else 20.0 + i, 0.05, 0.01),
        )
        for i in range(count)
    )
    of = ComparedInputsSummary(
        *(name(1), name(2), False, f"The runs diverge at `{name(3)}`", f"Not `{name(4)}`.", rows)
    )
    yield Shown("compared_inputs", lambda *, brief: compared_inputs_card(of, brief=brief))
    ranges = tuple(
        RangeRow("conv", name(i), -0.1 * i, 2.0 * i, 0.5, 0.25, i // 39, None if i == 3 else i)
        for i in range(count)
    )
    traced = TracedInputsSummary(name(5), name(6), 7, f"The first is `{name(7)}`.", False, ranges)
    yield Shown("traced_inputs", lambda *, brief: traced_inputs_card(traced, brief=brief))


@pytest.fixture
def tame():
    """Objects of every kind, with names as they usually are."""
    return list(everything(lambda i: f"tensor{i}"))


@pytest.fixture
def hostile():
    """Objects of every kind, with names that nobody should have."""
    names = (
        "<script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "'; DROP TABLE --",
        "a&b&lt;c",
        "evil\u202egnp.exe",
        "bell\a\x1b[31mred\x00nul\nnew\tline\r",
        "`code` and \\u0041 ${x} {{y}}",
        "n" * 3000,
        "標本\u200b🙂",
        "",
    )
    return list(everything(lambda i: names[i % len(names)]))


@pytest.fixture
def builders():
    """The functions of this module, for tests that need other sizes."""
    return {
        "graph": graph,
        "trace": trace,
        "comparison": comparison,
        "report": report,
        "tensor": tensor,
    }
