"""Notes its arguments in ``pip-calls``; then fails, or interrupts its caller, when a file asks for that."""

import os
import signal
import sys
from pathlib import Path

with Path("pip-calls").open("a", encoding="utf-8") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\n")
if Path("pip-fails").exists():
    sys.exit(Path("pip-fails").read_text("utf-8"))
if Path("pip-interrupts").exists():
    Path("pip-pid").write_text(str(os.getpid()), "utf-8")
    os.kill(os.getppid(), signal.SIGINT)
    if sys.platform == "win32":
        raise NotImplementedError("POSIX only")
    signal.pause()
print("Collecting click")
