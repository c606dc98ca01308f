"""Run rliable's own tests with `rlbench.compat.rliable` in the place of rliable.

    python tools/rliable_tests.py FOLDER

FOLDER is a checkout of https://github.com/google-research/rliable; the releases have no tests.
They are copied to a temporary folder, only their imports are changed, and pytest runs them. That
needs absl-py.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

IMPORT = re.compile(r"^import rliable\.(\w+) as ", flags=re.MULTILINE)


def main(folder: Path) -> int:
    """Return the exit code of pytest on the tests of a checkout."""
    tests = sorted((folder / "tests").rglob("*_test.py"))
    if not tests:
        sys.exit(f"{folder} has no tests: give a checkout of google-research/rliable")
    with tempfile.TemporaryDirectory() as place:
        copies = []
        for test in tests:
            text, changed = IMPORT.subn(r"import rlbench.compat.rliable.\1 as ", test.read_text())
            if not changed:
                sys.exit(f"{test} does not import rliable as expected")
            copies.append(Path(place) / test.name)
            copies[-1].write_text(text)
        command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
        return subprocess.run([*command, *map(str, copies)], cwd=place, check=False).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
