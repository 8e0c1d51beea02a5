"""``python -m nnefkit``: the command line."""

import sys

from nnefkit.cli import main

sys.exit(main())
