"""All operators that can be drawn; importing a module registers its operators."""

import drawn_classical  # noqa: F401
import drawn_elementwise  # noqa: F401
import drawn_layers  # noqa: F401
import drawn_microsoft  # noqa: F401
import drawn_quantization  # noqa: F401
import drawn_shapes  # noqa: F401
from node_drawing import DRAWERS, draw

__all__ = ["DRAWERS", "draw"]
