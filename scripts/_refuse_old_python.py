"""Ends the program under a Python that is too old, and names a newer one when the machine has it.

Python 2.7 must parse and run this file: no function (annotations would not parse), no f-string, no pathlib.
"""

import subprocess
import sys

CANDIDATES = ["python3.13", "python3.12", "python3.11", "python3.14", "python3"]
PROBE = "import sys; sys.exit(sys.version_info < (3, 11))"

advice = "Install one with your system's packages or from python.org, and run this again with it."
for name in CANDIDATES:
    try:
        # Run, not only looked for: a launcher of that name may stand for a Python that is not installed.
        candidate = subprocess.Popen([name, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        continue
    candidate.communicate()
    if candidate.returncode == 0:
        advice = "Try: " + " ".join([name] + sys.argv)  # noqa: RUF005 - Python 2.7 has no [name, *sys.argv]
        break

version = ".".join(str(part) for part in sys.version_info[:3])
sys.exit("Python 3.11 or newer is needed; this is " + version + ". " + advice)
