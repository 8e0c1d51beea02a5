"""Documents of the provisional specification, told from those of 1.0 by how they are written."""

from __future__ import annotations

from nnefkit.language.syntax.lexer import Tokens

_OLD_NAMES = frozenset(("idn", "planewise_conv", "planewise_deconv"))
_OLD_ATTRIBUTES = frozenset(("perm", "trA", "trB"))


def recognised(tokens: Tokens) -> bool:
    """Whether a text follows the provisional specification of December 2017.

    A document of NNEF 1.0 begins with ``version 1.0;``, that of 2017 with no semicolon behind the
    number; so a valid document of today costs one look at two tokens. A text without the semicolon
    may also be one of today that is wrong: it counts as provisional only if it has something that
    only those documents have, or if most of its assignments end without a semicolon.
    """
    texts, kinds = tokens.texts, tokens.kinds
    has_version = texts[0] == "version"
    if has_version and texts[2] == ";":
        return False
    behind = texts[2] if has_version else texts[0]
    if behind not in ("fragment", "graph") or "{" not in kinds:
        return False
    if "tensor" in kinds:
        # The other words can be names in a document of the other kind; this one cannot.
        return texts[texts.index("tensor") + 1] != "<"
    if "?" in kinds:
        return False
    return _has_old_words(tokens) or _lacks_semicolons(tokens)


def _has_old_words(tokens: Tokens) -> bool:
    found = [word for word in (*_OLD_NAMES, *_OLD_ATTRIBUTES, "extent") if word in tokens.kinds]
    if not found:
        return False
    texts = tokens.texts
    for index in range(1, tokens.count):
        text = texts[index]
        if text in found and (
            (text in _OLD_NAMES and texts[index + 1] == "(")
            or (text in _OLD_ATTRIBUTES and texts[index + 1] == "=" and texts[index - 1] == ",")
            or (text == "extent" and texts[index - 1] == ":")
        ):
            return True
    return False


def _lacks_semicolons(tokens: Tokens) -> bool:
    """Whether most of the assignments end without a semicolon."""
    depth = assignments = 0
    for text in tokens.texts:
        if text in ("(", "["):
            depth += 1
        elif text in (")", "]"):
            depth = max(depth - 1, 0)
        elif text == "=" and not depth:
            assignments += 1
    return 2 * tokens.texts.count(";") < assignments
