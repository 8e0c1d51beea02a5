"""``nnefkit format``."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nnefkit.cli import main
from nnefkit.language import format_document

TEXT = "version 1.0;graph g(x)->(y){x=external(shape=[1]);y=copy(x);}"


UNFORMATTED = "# c\r\nversion 1.0;graph g(x)->(y){x=external(shape=[1]);y=copy(x);}# caf\xe9"


@pytest.fixture
def unformatted(tmp_path: Path) -> Path:
    """A document that is not formatted, and not UTF-8 either."""
    path = tmp_path / "graph.nnef"
    path.write_bytes(UNFORMATTED.encode("latin-1"))
    return path


def formatted() -> bytes:
    return format_document(UNFORMATTED).encode("latin-1")


def test_format_writes_the_document(
    unformatted: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["format", str(unformatted)]) == 0
    assert capfdbinary.readouterr().out == formatted()
    assert unformatted.read_bytes() == UNFORMATTED.encode("latin-1")


def test_format_in_place_keeps_the_mode_and_bytes_that_are_not_utf8(
    unformatted: Path, nnefkit: Callable[..., Any]
) -> None:
    unformatted.chmod(0o640)
    assert nnefkit("format", "-i", unformatted) == (0, "", f"formatted {unformatted}\n")
    assert unformatted.read_bytes() == formatted()
    assert unformatted.stat().st_mode & 0o777 == 0o640
    before = unformatted.stat().st_mtime_ns
    assert nnefkit("format", "-i", unformatted.parent) == (0, "", "")
    assert unformatted.stat().st_mtime_ns == before
    assert [*unformatted.parent.iterdir()] == [unformatted]


def test_format_check_reports_what_would_change(
    unformatted: Path, nnefkit: Callable[..., Any]
) -> None:
    assert nnefkit("format", "--check", unformatted) == (1, "", f"would format {unformatted}\n")
    unformatted.write_bytes(formatted())
    assert nnefkit("format", "--check", unformatted) == (0, "", "")


def test_format_diff_shows_what_would_change(model: Path, nnefkit: Callable[..., Any]) -> None:
    path = model / "graph.nnef"
    path.write_text(path.read_text().replace("mul(image, w)", "mul(image,w)"))
    result = nnefkit("format", "--diff", model)
    assert result.status == 0
    assert "\n-    y = mul(image,w);\n+    y = mul(image, w);\n" in result.out
    assert nnefkit("format", "--diff", "--check", model).status == 1


def test_format_reads_standard_input(
    nnefkit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert nnefkit("format", "-", "--indent", "2") == (0, format_document(TEXT, indent=2), "")


def test_a_syntax_error_in_one_document_does_not_affect_the_others(
    unformatted: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    wrong = tmp_path / "wrong.nnef"
    wrong.write_text("version 1.0;\ngraph g(x) -> (y) { y = ; }\n")
    result = nnefkit("format", "-i", wrong, unformatted)
    assert result.status == 1
    assert f"--> {wrong}:2:" in result.err
    assert unformatted.read_bytes() == formatted()
    assert wrong.read_text() == "version 1.0;\ngraph g(x) -> (y) { y = ; }\n"


def test_archives_are_not_formatted(
    model: Path, tmp_path: Path, nnefkit: Callable[..., Any]
) -> None:
    for name in ("m.tgz", "m.zip", "m.tar"):
        nnefkit("convert", model, tmp_path / name)
        result = nnefkit("format", "-i", tmp_path / name)
        assert result.status == 1
        assert "this is not a text file" in result.err
