"""Summaries of every kind of object, small and large, tame and hostile."""

import dataclasses
import math

import numpy as np
import pytest

from nnefkit.display import summary as s
from nnefkit.display.statistics import statistics

OPERATIONS = ("conv", "relu", "max_pool", "add", "reshape", "batch_normalization", "my_op")


def graph(count=40, name=lambda i: f"tensor{i}", values=True):
    """A chain of `count` operations with as many variables."""
    rng = np.random.default_rng(1)
    rows, variables = [], []
    for i in range(count):
        data = rng.standard_normal((4, 3, 3, 3)).astype(np.float32) if values else None
        variables.append(s.VariableRow(name(i) + "w", name(i) + "/filter", (4, 3, 3, 3), data))
        rows.append(s.OperationRow(2 * i, "variable", (name(i) + "w",), (4, 3, 3, 3)))
        rows.append(
            s.OperationRow(
                2 * i + 1,
                OPERATIONS[i % len(OPERATIONS)],
                (name(i),) if i % 9 else (name(i), name(i) + "b"),
                (1, 24, 64, 64),
                1_234_567 * i,
                108,
                i + 3,
                ("block1", f"unit{i}") if i % 2 else (),
            )
        )
    port = s.Port(name(0), "scalar", (1, 3, 224, 224))
    return s.GraphSummary(
        name(7),
        path="models/some_model.nnef.tgz",
        extensions=("KHR_enable_fragment_definitions",),
        inputs=(port,),
        outputs=(port, s.Port(name(count), "integer", None)),
        operations=tuple(rows),
        variables=tuple(variables),
        parameters=108 * count,
        bytes=432 * count,
        macs=123_456_789,
        quantized=3,
        proof=s.Proof("PyTorch module Net", {"torch": "2.13.0"}, True, "numpy", 1e-4, 3.2e-7),
        picture='<svg xmlns="http://www.w3.org/2000/svg" width="900" height="80"></svg>',
        picture_caption="two blocks are folded",
        text=f"version 1.0;\ngraph {name(7)}\n" * count,
    )


def operation(name="conv1"):
    """A convolution with all its arguments."""
    return s.OperationSummary(
        "conv",
        {"input": name, "filter": f"{name}w", "bias": "0.0"},
        {"output": f"{name}out"},
        {"border": "'constant'", "stride": "[2, 2]", "groups": "1"},
        dtype="scalar",
        scope=("backbone", "block1"),
        macs=7_370_000,
        line=12,
    )


def tensor(values, name="conv1", **more):
    """A tensor with `values`."""
    return s.TensorSummary(name, "scalar", None if values is None else values.shape, values, **more)


def trace(count=60, name=lambda i: f"tensor{i}", bad=(41,)):
    """A run of `count` operations; the tensors at `bad` have NaN and Inf."""
    rng = np.random.default_rng(2)
    rows, taken = [], {}
    for i in range(count):
        values = rng.standard_normal(600) * i
        if i in bad:
            values[3:5] = math.nan, math.inf
        if i != 7:
            taken[name(i)] = statistics(values)
        rows.append(
            s.TraceRow(
                i,
                OPERATIONS[i % len(OPERATIONS)],
                name(i),
                (1, 6, 10, 10),
                None if i == 7 else i not in bad,
                1e-4 * i,
                4800,
                i + 5,
                kept=bool(i % 5),
            )
        )
    return s.TraceSummary("some_graph", "numpy", tuple(rows), 0.0241, statistics=taken)


def compared(name):
    """One tensor of two runs."""
    return s.ComparedSummary(
        name(1),
        "inherits",
        (f"{name(2)}, line 7", "1×3×4", "float32"),
        f"largest difference 0.5; against {name(3)}",
        (("SNR", "40", "dB"), ("outside", "3%", "3 of 100")),
    )


def comparison(count=60, name=lambda i: f"tensor{i}", parts_at=20):
    """Two runs that part at one operation, or agree (None)."""
    rows = []
    for i in range(count):
        equal = parts_at is None or i < parts_at
        verdict = "equal" if equal else "introduces" if i == parts_at else "inherits"
        rows.append(
            s.ComparisonRow(
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
    missing = s.ComparisonRow(count, "relu", name(count), "missing", note="only in a")
    return s.ComparisonSummary(
        f"float against 8 bit of {name(3)}",
        parts_at is None,
        "They agree" if parts_at is None else f"They part at `{name(parts_at)}`",
        f"Its weights `{name(2)}` differ.",
        "some_graph",
        ("numpy", name(1)),
        (*rows, missing),
        "1e-5 relative",
        2,
    )


def report(count=3, word="bordr", severities=("error", "warning", "note")):
    """`count` diagnostics of all severities."""
    rows = [
        s.DiagnosticRow(
            "unknown-argument",
            severities[i % len(severities)],
            f"conv has no parameter '{word}'",
            "broken.nnef" if i % 4 else "other/file.dat",
            i + 1,
            12 + len(str(i)) + 2,
            len(word),
            f"    x{i} = conv({word} = 'ignore');",
            "Did you mean 'border'?",
            "3.3.2",
        )
        for i in range(count)
    ]
    return s.ReportSummary("broken.nnef", tuple(rows), "some_graph", 132)


def marked_report(count=4, word="bordr"):
    """A report with the text that it is about."""
    of = report(count, word)
    text = "\n".join(row.excerpt for row in of.diagnostics)
    return dataclasses.replace(of, text=text, text_name="broken.nnef")


def engine(name=lambda i: f"tensor{i}", count=3):
    """An engine that runs `count` operations, half of them in part."""
    names = [name(i) for i in range(count)]
    return s.EngineRow(name(4), "1.2", frozenset(names), frozenset(names[::2]), (name(5),))


def engines(name=lambda i: f"tensor{i}"):
    """Two engines that are installed and one that is not."""
    away = s.EngineRow(name(6), remedy=f"pip install {name(7)}")
    return s.EnginesSummary((engine(name), engine(name, 5)._replace(partly=frozenset()), away))


def everything(name):
    """(kind, summary) of every kind; `name(i)` are the names in them."""
    rng = np.random.default_rng(3)
    maps = rng.standard_normal((1, 30, 40, 40)).astype(np.float32)
    yield "graph", graph(name=name)
    yield "graph", graph(3, name=name, values=False)
    yield "operation", operation(name(1))
    yield "tensor", tensor(maps, name(2), producer=name(3), line=7, access=f'trace["{name(2)}"]')
    yield "tensor", tensor(rng.random((8, 3, 3, 3)), name(2), label=name(5), origin=name(6))
    yield "tensor", tensor(rng.random((50, 90)), name(2), quantization={"op-name": name(4)})
    yield "tensor", tensor(rng.standard_normal(700), name(2))
    yield "tensor", tensor(np.full((2, 2), np.nan), name(2))
    yield "tensor", tensor(None, name(2))
    yield "trace", trace(name=name)
    yield "trace", trace(3, name=name, bad=())
    yield "comparison", comparison(name=name)
    yield "comparison", comparison(name=name, parts_at=None)
    yield "compared", compared(name)
    yield "report", report(word=name(1))
    yield "report", report(60, word=name(1))
    yield "report", report(0)
    yield "report", marked_report(word=name(1))
    yield "report", marked_report(300, word=name(2))
    yield "engines", engines(name)
    yield "engine", engine(name)
    yield "engine", engines(name).rows[-1]


@pytest.fixture
def tame():
    """Every kind of summary, with names as they usually are."""
    return list(everything(lambda i: f"tensor{i}"))


@pytest.fixture
def hostile():
    """Every kind of summary, with names that nobody should have."""
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
    """The functions of this module, for tests that need sizes of their own."""
    return {"graph": graph, "trace": trace, "comparison": comparison, "report": report}
