"""Laying out documents: the same tokens and comments, with the white space of one style."""

from nnefkit.language.formatting.document import format_document

__all__ = ["format_document"]
