"""Documents of the provisional specification of December 2017, read as what they mean in 1.0.

The standard's own first documents differ from those of 1.0 in syntax (no semicolons, ``tensor``
without ``<>``, ``extent``), in names (``perm``, ``trA``, ``idn``), and in that trailing extents
of 1 could be left out everywhere. Their tokens are rewritten, keeping their places, for the parser
of 1.0; what differs in the grammar is in `parser`, what in the operations is in `operations`.
"""

from nnefkit.language.nnef2017.document import Reading
from nnefkit.language.nnef2017.quantization_file import ProvisionalQuantizationReader
from nnefkit.language.nnef2017.recognition import recognised

__all__ = ["ProvisionalQuantizationReader", "Reading", "recognised"]
