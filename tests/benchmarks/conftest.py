"""The benchmarks' networks stand in a package beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
