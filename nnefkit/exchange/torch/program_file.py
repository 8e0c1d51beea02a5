"""Files of exported programs (``.pt2``), checked before PyTorch reads them.

PyTorch unpickles parts of such a file, evaluates expressions and compiles names in it, loads
libraries that it contains, and runs the operators that it names. All of this is harmless only in a
file that nothing but ``torch.export.save`` could have written, which is what is checked here.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from nnefkit.errors import StorageError
from nnefkit.storage import check_readable, unpacked_limit, unreadable

_NAMESPACES = frozenset(("aten", "prims", "quantized_decomposed", "torchvision", "torchaudio"))
_HIGHER_ORDER = frozenset(
    ("wrap_with_set_grad_enabled", "wrap_with_autocast", "wrap", "strict_mode", "invoke_subgraph")
).union(("cond", "while_loop", "map", "map_impl", "scan", "associative_scan"))
_WITH_EFFECTS = frozenset(("from_file", "save", "_print", "warn"))
"""Operators of PyTorch's own namespace that do more than compute."""
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)
_PLAIN = re.compile(r"[\w .,:/+<>\[\]*@#-]*\Z", re.ASCII)
"""Text that ends no string and starts no line, wherever it is put in a program."""
_KEY = re.compile(r"[\w. -]*\Z", re.ASCII)
_OPERATOR = re.compile(r"torch\.ops\.(\w+)\.(\w+)(\.\w+)?\Z", re.ASCII)
_NUMBERS = re.compile(r"(_operator|math)\.\w+\Z|torch\._?sym_\w+\Z", re.ASCII)
_LIBRARY = re.compile(r"data/aotinductor/|.*\.(so|o|dll|dylib|cubin|py)\Z", re.IGNORECASE)
_OBJECTS = ("custom_obj", "opaque_obj")
_FACTORIES = frozenset(("list", "dict", "set", "tuple", "int", "float", "str", "bool"))
_FREE_TEXT = frozenset(("as_string", "metadata", "stack_trace"))
_CODE = frozenset(("expr_str", "guards_code"))
_NAMES = frozenset(("name", "as_name", "forward_arg_names"))
_MAX_ELEMENTS = 1 << 28


class _Distrust(Exception):  # noqa: N818 - the reason for a refusal, not an error
    """Something in the file that PyTorch would run, or that might make it run something."""


def load_program(path: str, *, trust: bool = False) -> torch.export.ExportedProgram:
    """Read the program in a ``.pt2`` file.

    Args:
        path: The file.
        trust: Whether the file may run code: PyTorch then unpickles whatever it contains.

    Raises:
        StorageError: It cannot be read, is not a program, or has content that could run code and
            is not trusted.
    """
    # PyTorch would log a traceback for a file that is not an archive.
    check_readable(path)
    if not zipfile.is_zipfile(path):
        raise StorageError(
            "the file is not an exported program",
            hint="torch.export.save(torch.export.export(model, args), path) writes one.",
            file=path,
        )
    try:
        with Path(path).open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not trust:
                _check(file, path)
            file.seek(0)
            loaded: Any = torch.export.load(path if trust else file)
    except StorageError:
        raise
    except OSError as error:
        raise unreadable(error, path, "the program") from error
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise StorageError(f"the program cannot be read: {lines[0]}", file=path) from error
    program: torch.export.ExportedProgram = loaded
    return program


def _check(file: BinaryIO, path: str) -> None:
    """Check that reading the file runs nothing but PyTorch's own code.

    Raises:
        StorageError: It might.
    """
    try:
        _check_bomb(file, path)
        for name, read in _records(file):
            _check_record(name, read)
    except _Distrust as reason:
        raise StorageError(
            f"{reason}, which could run code while it is read",
            hint="If you trust its author, pass trust=True; otherwise ask for an ONNX model.",
            file=path,
        ) from None
    except RecursionError:
        raise StorageError("the program is nested too deeply", file=path) from None


def _check_bomb(file: BinaryIO, path: str) -> None:
    limit = unpacked_limit(file.seek(0, io.SEEK_END))
    with zipfile.ZipFile(file) as archive:
        total = sum(info.file_size for info in archive.infolist())
    if total > limit:
        raise StorageError(
            f"the program unpacks to {total:,} bytes, more than weights in a file of its size need",
            hint="Export it again with torch.export.save.",
            file=path,
        )


def _records(file: BinaryIO) -> Iterator[tuple[str, Callable[[str], bytes]]]:
    """Yield the name of each record that PyTorch interprets, and a function that reads it.

    PyTorch's own reader lists them, so that later nothing else is read. Files of the older format
    have their records at the top level, where Python's reader finds them.
    """
    file.seek(0)
    with contextlib.suppress(RuntimeError):
        reader = torch._C.PyTorchFileReader(file)
        for name in reader.get_all_records():
            yield name, reader.get_record
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if "/" not in info.filename:
                yield info.filename, archive.read


def _check_record(name: str, read: Callable[[str], bytes]) -> None:
    if _LIBRARY.match(name):
        raise _Distrust(f"the program contains compiled code, '{name}'")
    if Path(name).name.startswith(_OBJECTS):
        raise _Distrust(f"the program contains a pickled object, '{name}'")
    ending = name.lower().rpartition(".")[2]
    if ending == "pt":
        _check_pickle(name, read(name))
    elif ending == "json" or name.startswith("models/"):
        content = _json(read(name))
        if isinstance(content, dict) and isinstance(content.get("config"), dict):
            _check_payloads(name, content["config"], read)
        else:
            _check_content(content, "")


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        # PyTorch reads it in the same way, and reports it.
        return None


def _check_pickle(name: str, data: bytes) -> None:
    """Check that a record consists of tensors and plain containers."""
    if not data:
        return
    try:
        torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise _Distrust(f"'{name}' contains more than tensors") from error


def _check_payloads(name: str, payloads: dict[str, Any], read: Callable[[str], bytes]) -> None:
    for payload in payloads.values():
        if not isinstance(payload, dict):
            continue
        stored = str(payload.get("path_name", ""))
        if stored.startswith(_OBJECTS):
            raise _Distrust(f"'{name}' lists a pickled object")
        if payload.get("use_pickle"):
            record = f"{name.rpartition('/')[0]}/{stored}"
            _check_pickle(record, read(record))
        meta = payload.get("tensor_meta")
        if isinstance(meta, dict):
            _check_size(name, meta)


def _check_size(name: str, meta: dict[str, Any]) -> None:
    """Check that a tensor does not repeat its elements without bound."""
    elements = math.prod(_integers(meta, "sizes"))
    if elements > _MAX_ELEMENTS and 0 in _integers(meta, "strides"):
        raise _Distrust(f"'{name}' lists a tensor of {elements:,} repeated elements")


def _integers(meta: dict[str, Any], key: str) -> list[int]:
    listed = meta.get(key)
    sizes = [s.get("as_int") if isinstance(s, dict) else s for s in listed or ()]
    return [size for size in sizes if isinstance(size, int)]


def _check_content(content: Any, key: str) -> None:
    """Check a part of the description of a program."""
    if isinstance(content, dict):
        for name, value in content.items():
            if not _PLAIN.match(name):
                raise _Distrust(f"the program contains the key {name!r:.80}")
            if key == "range_constraints" and not _IDENTIFIER.match(name):
                raise _Distrust(f"the program contains the symbol {name!r:.80}")
            _check_content(value, name if key not in _FREE_TEXT else key)
    elif isinstance(content, list):
        for value in content:
            _check_content(value, key)
    elif isinstance(content, str):
        _check_text(content, key)


def _check_text(text: str, key: str) -> None:
    if key in _FREE_TEXT:
        return
    if key in _CODE:
        harmless = _is_arithmetic(text)
    elif key == "target":
        harmless = _is_operator(text)
    elif key in _NAMES:
        harmless = not text or _IDENTIFIER.match(text) is not None
    elif text[:1] in ("[", "{", '"') and key in ("in_spec", "out_spec", "treespec"):
        harmless = _is_harmless_tree(text)
    else:
        harmless = _PLAIN.match(text) is not None or _is_harmless_tree(text)
    if not harmless:
        raise _Distrust(f"the program contains the {key or 'text'} {text!r:.80}")


def _is_operator(target: str) -> bool:
    if _NUMBERS.match(target):
        return True
    match = _OPERATOR.match(target)
    if match is None:
        return False
    namespace, name = match[1], match[2]
    if namespace == "higher_order":
        return name in _HIGHER_ORDER
    return namespace in _NAMESPACES and name not in _WITH_EFFECTS


def _is_harmless_tree(text: str) -> bool:
    """Return whether a string is JSON that names no module to import."""
    try:
        content = json.loads(text)
    except ValueError:
        return False
    pending = [content]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending += part
        elif isinstance(part, dict):
            module, name = part.get("default_factory_module"), part.get("default_factory_name")
            if "__enum__" in part or (module is not None and module != "builtins"):
                return False
            if module is not None and name not in _FACTORIES:
                return False
            pending += [*part.keys(), *part.values()]
        elif isinstance(part, str) and not _PLAIN.match(part) and not _is_harmless_tree(part):
            return False
    return True


_METHODS = frozenset(("size", "stride", "storage_offset", "dim"))
_FUNCTIONS = frozenset(
    ("Max", "Min", "Mod", "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "CeilToInt", "FloorToInt")
).union(
    ("IntTrueDiv", "FloatTrueDiv", "ModularIndexing", "TruncToInt", "TruncToFloat", "RoundToInt"),
    ("RoundDecimal", "ToFloat", "Identity", "Where", "Abs", "Eq", "Ne", "Lt", "Le", "Gt", "Ge"),
    (
        "And",
        "Or",
        "Not",
        "BitwiseFn_bitwise_and",
        "BitwiseFn_bitwise_or",
        "len",
        "floor",
        "ceiling",
    ),
    ("Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Equality", "Unequality"),
    ("len", "floor", "ceiling", "LessThan", "StrictLessThan", "GreaterThan", "StrictGreaterThan"),
)
_ARITHMETIC = (
    *(ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Load),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop),
)
_MAX_CODE = 1 << 14
_MAX_EXPONENT = 64
_MAX_POWERS = 2
_MAX_BITS = 1024


def _is_arithmetic(code: str) -> bool:
    """Return whether an expression only computes with sizes of tensors."""
    if len(code) > _MAX_CODE:
        return False
    try:
        tree = ast.parse(code, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    nodes = [*ast.walk(tree)]
    powers = [n for n in nodes if isinstance(n, ast.Pow | ast.LShift) or _called(n) == "Pow"]
    return len(powers) <= _MAX_POWERS and all(map(_is_size_arithmetic, nodes))


def _called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def _is_small(exponent: ast.AST) -> bool:
    match exponent:
        case ast.Constant(value=int() as value):
            return abs(value) <= _MAX_EXPONENT
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _is_small(operand)
        case ast.Call(func=ast.Name(id="Integer" | "Rational"), args=arguments):
            return all(map(_is_small, arguments))
    return False


def _is_size_arithmetic(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=value):
            return _is_plain_constant(value)
        case ast.Name(id=name):
            return _IDENTIFIER.match(name) is not None and not name.startswith("__")
        case ast.Attribute(attr=attribute):
            return attribute in _METHODS
        case ast.Call():
            return _is_plain_call(node)
        case ast.BinOp(op=ast.Pow() | ast.LShift(), right=exponent):
            return _is_small(exponent)
        case ast.keyword(arg=name, value=ast.Constant(value=value)):
            # Properties of a symbol, and the bits of a number.
            return name is not None and isinstance(value, int) and abs(value) < _MAX_BITS
        case ast.Subscript(slice=ast.Constant()):
            return True
    return isinstance(node, _ARITHMETIC)


def _is_plain_constant(value: object) -> bool:
    if isinstance(value, str):
        # SymPy evaluates strings too, so they must not be expressions.
        return _KEY.match(value) is not None
    return isinstance(value, (int, float)) and abs(value) < 2**64


def _is_plain_call(call: ast.Call) -> bool:
    match call:
        case ast.Call(func=ast.Name(id="Pow"), args=[_, exponent], keywords=[]):
            return _is_small(exponent)
        case ast.Call(func=ast.Name(id=name)):
            return name in _FUNCTIONS and name != "Pow"
        case ast.Call(func=ast.Attribute(), keywords=[]):
            return True  # The attribute is checked separately.
    return False
