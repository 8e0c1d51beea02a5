import sys
from pathlib import Path

# Test folders are not packages: the modules that several test files share are found by this path.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "models")]
