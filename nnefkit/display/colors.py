"""The colors of the displays, each with a contrast of at least 3 : 1 on white and on #111.

So one HTML document serves light and dark pages.
"""

BLUE = "#3a84c9"
AMBER = "#b87a14"
VIOLET = "#9272c4"
TEAL = "#2f8f8b"
GRAY = "#828282"
RED = "#d9504c"
GREEN = "#2f9560"
