import sys
from pathlib import Path

# Test folders are no packages: what several files of this one share is found here.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "models")]
