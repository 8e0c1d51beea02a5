import sys
from pathlib import Path

# Test folders are no packages: what several files of this one share is found here.
sys.path.insert(0, str(Path(__file__).parent))
