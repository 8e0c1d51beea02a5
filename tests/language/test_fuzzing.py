"""Mutated documents and files result in reports and `NnefError`s, in linear time."""

from __future__ import annotations

import contextlib
import gc
import pathlib
import random
import re
import sys
import time

import numpy as np
import pytest
import timing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nnefkit as nk

DOCUMENTS = [
    path.read_bytes().decode()
    for path in sorted((pathlib.Path(__file__).parent / "documents").glob("*/*.nnef"))
]
TOKEN = re.compile(r"\s+|#[^\n]*|\w+|'[^'\n]*'|\"[^\"\n]*\"|->|[<>=!]=|&&|\|\||.", re.DOTALL)
VOCABULARY = sorted({token for text in DOCUMENTS for token in TOKEN.findall(text)})
SLOWER = timing.TRACED if sys.gettrace() else 1
SECONDS = 0.3 * SLOWER
SECONDS_A_CHARACTER = 4e-4 * SLOWER


@contextlib.contextmanager
def timed():
    """Measures seconds of the processor, without the collector's turns: they take as long as the
    process is large."""
    elapsed = []
    gc.disable()
    before = time.thread_time()
    try:
        yield elapsed
    finally:
        elapsed.append(time.thread_time() - before)
        gc.enable()


# -- promises for every text -------------------------------------------------------------------


def _check(text, *, quantization=None):
    """Check the promises for any text."""
    with timed() as elapsed:
        report = nk.validate(text if "\n" in text else text + "\n")
    allowed = SECONDS + SECONDS_A_CHARACTER * len(text)
    assert "too-long" in str(report) or elapsed[0] < allowed, text
    assert str(report)
    for diagnostic in report.errors:
        assert diagnostic.message
        assert diagnostic.hint, str(diagnostic)
        assert diagnostic.section, str(diagnostic)
    graph, errors = _result(nk.parse, text, quantization)
    if graph is None:
        assert errors
        assert quantization is not None or not report.ok
        return
    assert report.ok
    printed = str(graph)
    assert str(nk.parse(printed)) == printed


def _result(function, *arguments):
    """Return the result of a function, or the diagnostics of the `NnefError` that it raises."""
    try:
        return function(*arguments), ()
    except nk.NnefError as error:
        return None, error.diagnostics


# -- mutations -----------------------------------------------------------------------------------


def _mutated(parts, vocabulary, chance):
    parts = list(parts)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(parts)) if parts else 0
        end = at + chance.choice((1, 1, 1, 2, 5, 20))
        kind = chance.randrange(6)
        if kind == 0:
            del parts[at:end]
        elif kind == 1:
            parts[at:at] = parts[at:end] * chance.choice((1, 1, 2, 30))
        elif kind == 2:
            other = chance.randrange(len(parts)) if parts else 0
            parts[at : at + 1], parts[other : other + 1] = (
                parts[other : other + 1],
                parts[at : at + 1],
            )
        elif kind == 3:
            parts.insert(at, chance.choice(vocabulary))
        elif kind == 4:
            parts[at : at + 1] = [chance.choice(vocabulary)]
        else:
            del parts[at:]
    return parts


def _mutate_documents(count, seed):
    chance = random.Random(seed)
    characters = [chr(code) for code in (*range(128), 0xE9, 0x2028, 0xFEFF, 0xD800, 0x1F600)]
    for _ in range(count):
        text = chance.choice(DOCUMENTS)
        if chance.random() < 0.75:
            parts, vocabulary = TOKEN.findall(text), VOCABULARY
        else:
            parts, vocabulary = list(text), characters
        _check("".join(_mutated(parts, vocabulary, chance)))


def test_mutated_documents_are_parsed_or_reported():
    _mutate_documents(400, seed=1)


@pytest.mark.slow
def test_many_mutated_documents_are_parsed_or_reported():
    _mutate_documents(4000, seed=2)


GRAPH = (
    "version 1.0; graph g(x) -> (y) { x = external(shape = [1, 3, 4]); "
    "w = variable(shape = [1, 3], label = 'w'); y = add(x, w); }"
)
QUANTIZATION = (
    "# ranges\n"
    '"x": min_max_linear_quantize(min = -2.0, max = [[1.0, 2.0, 3.5]], bits = 8,'
    " signed = true, symmetric = false);\n"
    "'w': zero_point_linear_quantize(zero_point = [[0, 1, 2]], scale = 0.5, bits = 8,"
    " signed = true, symmetric = false);\n"
    '"y": logarithmic_quantize(max = 1.0, bits = 4);\n'
)


def _mutate_quantization(count, seed):
    chance = random.Random(seed)
    vocabulary = sorted({*TOKEN.findall(QUANTIZATION), *VOCABULARY[::7]})
    for _ in range(count):
        changed = "".join(_mutated(TOKEN.findall(QUANTIZATION), vocabulary, chance))
        with timed() as elapsed:
            _check(GRAPH, quantization=changed)
        assert elapsed[0] < 2 * SECONDS + SECONDS_A_CHARACTER * len(changed)


def test_mutated_quantization_files_are_parsed_or_reported():
    _mutate_quantization(300, seed=1)


@pytest.mark.slow
def test_many_mutated_quantization_files_are_parsed_or_reported():
    _mutate_quantization(2500, seed=2)


# -- files ---------------------------------------------------------------------------------------

ARRAYS = [
    np.arange(6, dtype=np.float32).reshape(1, 6),
    np.arange(6, dtype=np.float16),
    np.arange(-3, 3, dtype=np.int8).reshape(2, 3),
    np.arange(6, dtype=np.uint64),
    np.array([True, False, True]),
    np.array(1.5, np.float64),
]


def _mutated_bytes(content, chance):
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = (
            chance.randrange(min(len(changed), chance.choice((12, 60, 128, 1000))))
            if changed
            else 0
        )
        kind = chance.randrange(5)
        if kind == 0 and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            changed[at : at + 1] = bytes([chance.choice((0, 1, 2, 127, 128, 255))])
        elif kind == 2:
            changed[at : at + 4] = chance.choice((0, 1, 2**31, 2**32 - 1)).to_bytes(4, "little")
        elif kind == 3:
            del changed[at:]
        else:
            changed[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
    return bytes(changed)


def _mutate_tensor_files(folder, count, seed):
    chance = random.Random(seed)
    contents = []
    for index, array in enumerate(ARRAYS):
        nk.write_tensor(folder / f"{index}.dat", array)
        contents.append((folder / f"{index}.dat").read_bytes())
    file = folder / "changed.dat"
    for _ in range(count):
        file.write_bytes(_mutated_bytes(chance.choice(contents), chance))
        with timed() as elapsed:
            array, errors = _result(nk.read_tensor, file)
            if array is None:
                assert str(file) in str(errors[0])
            else:
                assert array.size <= 8 * file.stat().st_size
                assert len(np.asarray(array).tobytes()) == array.nbytes
        assert elapsed[0] < SECONDS


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_tensor_files_are_read_or_reported(tmp_path):
    _mutate_tensor_files(tmp_path, 400, seed=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_many_mutated_tensor_files_are_read_or_reported(tmp_path):
    _mutate_tensor_files(tmp_path, 4000, seed=2)


def test_mutated_models_are_loaded_or_reported(tmp_path):
    chance = random.Random(1)
    folder = tmp_path / "model"
    graph = nk.parse(GRAPH, QUANTIZATION).with_data({"w": np.ones((1, 3), np.float32)})
    nk.save(graph, folder)
    files = {file: file.read_bytes() for file in sorted(folder.iterdir())}
    assert len(files) == 3
    for _ in range(100):
        file = chance.choice(list(files))
        file.write_bytes(_mutated_bytes(files[file], chance))
        report = nk.validate(folder)
        graph, errors = _result(nk.load, folder)
        assert report.errors == errors
        assert report.ok == (graph is not None), str(report)
        file.write_bytes(files[file])


# -- generated texts -----------------------------------------------------------------------------

IDENTIFIERS = st.sampled_from(["x", "y", "a", "b", "net", "relu", "f", "nowhere"])
LITERALS = st.sampled_from(["0", "1", "-1", "2.5", "1e3", "'s'", "'constant'", "true", "[]"])
OPERATORS = st.sampled_from(["+", "-", "*", "/", "^", "<", "<=", "==", "!=", "&&", "||", "in"])
OPERATIONS = st.sampled_from(
    ["relu", "add", "concat", "softmax", "reshape", "select", "copy", "moments", "split", "f", "g"]
)
PARAMETERS = st.sampled_from(["axes", "axis", "shape", "ratios", "n", "x", "alpha"])


def _expressions(inner):
    argument = st.one_of(inner, st.builds("{} = {}".format, PARAMETERS, inner))
    arguments = st.lists(argument, min_size=1, max_size=3).map(", ".join)
    return st.one_of(
        st.builds("{}({})".format, OPERATIONS, arguments),
        st.builds("copy<{}>({})".format, st.sampled_from(["scalar", "integer", "?"]), inner),
        st.builds("{} {} {}".format, inner, OPERATORS, inner),
        st.builds("({})".format, inner),
        st.builds("{}{}".format, st.sampled_from(["-", "!", "+"]), inner),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: f"({', '.join(items)})"),
        st.builds("{} if {} else {}".format, inner, inner, inner),
        st.builds("[for a in {} yield {}]".format, inner, inner),
        st.builds("[for a in {}, b in {} if {} yield {}]".format, inner, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{}[{}:{}]".format, inner, inner, inner),
        st.builds(
            "{}({})".format,
            st.sampled_from(["length_of", "range_of", "shape_of", "integer", "scalar", "string"]),
            inner,
        ),
    )


EXPRESSIONS = st.recursive(st.one_of(IDENTIFIERS, LITERALS), _expressions, max_leaves=8)
TARGETS = st.recursive(
    st.sampled_from(["y", "a", "b", "c"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: f"({', '.join(items)})"),
    ),
    max_leaves=4,
)
ASSIGNMENTS = st.builds("{} = {};".format, TARGETS, EXPRESSIONS)
BODIES = st.lists(ASSIGNMENTS, min_size=1, max_size=4).map(" ".join)
TYPES = st.recursive(
    st.sampled_from(
        ["tensor<scalar>", "tensor<?>", "tensor<>", "integer", "scalar", "string", "?"]
    ),
    lambda inner: st.one_of(
        st.builds("{}[]".format, inner), st.builds("({}, {})".format, inner, inner)
    ),
    max_leaves=3,
)
FRAGMENTS = st.builds(
    "fragment {}{}( x: {}, n: {}{} ) -> ( y: {} ) {}".format,
    st.sampled_from(["f", "g"]),
    st.sampled_from(["", "", "<?>", "<? = integer>"]),
    TYPES,
    TYPES,
    st.one_of(st.just(""), st.builds(" = {}".format, LITERALS)),
    TYPES,
    st.one_of(st.just(";"), st.builds("{{ {} }}".format, BODIES)),
)
TEXTS = st.builds(
    "version 1.0;\nextension KHR_enable_fragment_definitions KHR_enable_operator_expressions;\n"
    "{}\ngraph net( x ) -> ( y )\n{{\nx = external(shape = [1, 2, 3]);\n{}\n}}\n".format,
    st.lists(FRAGMENTS, max_size=2).map("\n".join),
    BODIES,
)


def _of_the_grammar(count):
    @settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(TEXTS)
    def check(text):
        _check(text)

    check()


def test_texts_drawn_from_the_grammar_are_parsed_or_reported():
    _of_the_grammar(60)


@pytest.mark.slow
def test_many_texts_drawn_from_the_grammar_are_parsed_or_reported():
    _of_the_grammar(400)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(VOCABULARY), max_size=80))
def test_mixtures_of_tokens_are_parsed_or_reported(pieces):
    _check(" ".join(pieces))
