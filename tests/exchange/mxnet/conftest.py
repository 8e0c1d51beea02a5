import sys
from pathlib import Path

# Test folders are not packages: the modules that several test files share are found by this path.
sys.path.insert(0, str(Path(__file__).parent))
