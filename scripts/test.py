"""Sets up and runs every check: `python3 scripts/test.py [PYTEST ARGUMENTS]`.

Any Python parses this file, so that one too old for the project gets an explanation, not a SyntaxError.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever types the command may have any Python
    sys.dont_write_bytecode = True  # an old Python leaves it beside the source
    import _refuse_old_python  # noqa: F401 - importing it ends the program

from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import _checks
from secure_client import streams

if __name__ == "__main__":
    streams.run(lambda: sys.exit(_checks.main(sys.argv[1:])))
