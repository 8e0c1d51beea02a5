"""Recognition of documents of the provisional specification."""

from __future__ import annotations

from nnefkit.language.syntax.lexer import Tokens

_OLD_NAMES = frozenset(("idn", "planewise_conv", "planewise_deconv"))
_OLD_ATTRIBUTES = frozenset(("perm", "trA", "trB"))


def recognized(tokens: Tokens) -> bool:
    """Return whether a text follows the provisional specification of December 2017.

    A document of NNEF 1.0 begins with ``version 1.0;``, one of 2017 has no semicolon after the
    number, so for a valid document of 1.0 looking at two tokens is enough. A text without that
    semicolon may also be a document of 1.0 with an error: it counts as provisional only if it has
    something that only provisional documents have, or if most of its assignments do not end with a
    semicolon.
    """
    texts, kinds = tokens.texts, tokens.kinds
    has_version = texts[0] == "version"
    if has_version and texts[2] == ";":
        return False
    following = texts[2] if has_version else texts[0]
    if following not in ("fragment", "graph") or "{" not in kinds:
        return False
    if "tensor" in kinds:
        # The other words can be ordinary names in either version; this one is a keyword in both.
        return texts[texts.index("tensor") + 1] != "<"
    if "?" in kinds:
        return False
    return _has_old_words(tokens) or _lacks_semicolons(tokens)


def _has_old_words(tokens: Tokens) -> bool:
    present = [word for word in (*_OLD_NAMES, *_OLD_ATTRIBUTES, "extent") if word in tokens.kinds]
    if not present:
        return False
    texts = tokens.texts
    for index in range(1, tokens.count):
        text = texts[index]
        if text in present and (
            (text in _OLD_NAMES and texts[index + 1] == "(")
            or (text in _OLD_ATTRIBUTES and texts[index + 1] == "=" and texts[index - 1] == ",")
            or (text == "extent" and texts[index - 1] == ":")
        ):
            return True
    return False


def _lacks_semicolons(tokens: Tokens) -> bool:
    """Return whether most of the assignments do not end with a semicolon."""
    depth = assignments = 0
    for text in tokens.texts:
        if text in ("(", "["):
            depth += 1
        elif text in (")", "]"):
            depth = max(depth - 1, 0)
        elif text == "=" and not depth:
            assignments += 1
    return 2 * tokens.texts.count(";") < assignments
