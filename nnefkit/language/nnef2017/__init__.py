"""Documents of the provisional specification of December 2017, converted to NNEF 1.0.

They differ from documents of version 1.0 in syntax (no semicolons, ``tensor`` without ``<>``,
``extent``), in names (``perm``, ``trA``, ``idn``), and in that trailing extents of 1 can be omitted
everywhere. Their tokens are rewritten for the parser of 1.0, keeping their positions. Differences
in the grammar are in `parser`, differences of the operations in `upgrades`.
"""

from nnefkit.language.nnef2017.document import ProvisionalReading
from nnefkit.language.nnef2017.quantization_file import ProvisionalQuantizationReader
from nnefkit.language.nnef2017.recognition import recognized

__all__ = ["ProvisionalQuantizationReader", "ProvisionalReading", "recognized"]
