"""Documents written by converters, compared with the Khronos parser."""

from __future__ import annotations

import pathlib
import tarfile

import nnef
import pytest

from nnefkit import language

MODELS = pathlib.Path(__file__).parents[1] / "models"


def _texts() -> dict[str, str]:
    texts = {path.parent.name: path.read_text() for path in sorted(MODELS.rglob("graph.nnef"))}
    for path in sorted(MODELS.rglob("*.tgz")):
        with tarfile.open(path) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith("graph.nnef"))
            extracted = archive.extractfile(member)
            assert extracted is not None
            texts[path.name] = extracted.read().decode()
    return texts


def test_there_are_real_models():
    assert len(_texts()) >= 2


@pytest.mark.parametrize("text", _texts().values(), ids=_texts().keys())
def test_real_models_are_parsed_as_the_khronos_parser_does(text):
    graph, diagnostics = language.parse(text)
    assert diagnostics == []
    assert graph is not None
    theirs = nnef.parse_string(text)
    assert [op.name for op in graph.operations] == [op.name for op in theirs.operations]
    for ours, other in zip(graph.operations, theirs.operations, strict=True):
        assert ours.dtype == other.dtype
        assert dict(ours.outputs) == dict(other.outputs)
        assert dict(ours.inputs) == dict(other.inputs)
        assert list(ours.attribs) == list(other.attribs)
        for key, value in ours.attribs.items():
            # It stores scalars as 32-bit numbers.
            same = other.attribs[key]
            assert value == (pytest.approx(same) if isinstance(value, float) else same)


@pytest.mark.parametrize("text", _texts().values(), ids=_texts().keys())
def test_real_models_survive_printing_and_parsing(text):
    graph, _ = language.parse(text)
    again, diagnostics = language.parse(str(graph))
    assert diagnostics == []
    assert str(again) == str(graph)
