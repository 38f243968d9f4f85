"""Signals, without the server that they are for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 30.0

BEGINS = """
import signal, sys, types

def program():
    caught = [signal.getsignal(number) is not signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGHUP)]
    print(caught, "click" in sys.modules)

sys.modules["secure_server.cli"] = types.SimpleNamespace(main=program)
sys.argv = ["secure-server", *sys.argv[1:]]
from secure_server.__main__ import main
main()
"""

DEAF = """
import os, signal, threading
from secure_server import signals

signals.INSIST_SECONDS = 0.05
caught = signals.catch()

def shell():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait()
    except signals.Ended:
        print("once", flush=True)
    threading.Event().wait()

caught.interrupting(shell)
caught.wait()
caught.interrupting(lambda: print("not opened"))
caught.ignore()
print([signal.getsignal(number) == signal.SIG_IGN for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)])
"""

AT_ONCE = """
import os, signal, sys, threading
from secure_server import signals

signals.INSIST_SECONDS = 0.05
caught = signals.catch()
first, second = (getattr(signal, name) for name in sys.argv[1:])

def shell():
    try:
        os.kill(os.getpid(), first)
        threading.Event().wait()
    finally:
        os.kill(os.getpid(), second)
        print("unwound", flush=True)

caught.interrupting(shell)
print("ended")
caught.ignore()
"""

STOLEN = """
import os, signal, threading
from pathlib import Path
from secure_server import signals

caught = signals.catch()
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
reader, _writer = os.pipe()
status = Path(f"/proc/self/task/{threading.get_native_id()}/wchan")

def steal():
    while "pipe" not in status.read_text():
        pass
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.pthread_kill(other.ident, number)

def shell():
    threading.Thread(target=steal).start()
    os.read(reader, 1)

reloaded = threading.Event()
caught.on_reload(reloaded.set)
caught.interrupting(shell)
print("ended", reloaded.wait(20))
caught.ignore()
"""

UNHEEDED = """
import os, signal, sys
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
"""
"""Goes before each script: one that is ignored, as SIGHUP is under `nohup`, is inherited by whoever is started."""

RELOADS = """
import os, signal, threading
from secure_server import signals

caught = signals.catch()
os.kill(os.getpid(), signal.SIGHUP)
reloaded = threading.Event()
caught.on_reload(reloaded.set)
print(reloaded.wait(20))
os.kill(os.getpid(), signal.SIGINT)
caught.wait()
"""

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals that only POSIX has"),
]


def said(script: str, *arguments: str) -> list[str]:
    """What a program prints that ends with code 0 and says nothing of an error."""
    done = subprocess.run(
        [sys.executable, "-c", UNHEEDED + script, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@pytest.mark.parametrize(("subcommand", "caught"), [("run", True), ("token", False)])
def test_run_catches_them_before_anything_else(subcommand: str, caught: bool) -> None:  # noqa: FBT001 - the parameter
    """Before the imports, which take a while; other subcommands end by them, as programs do."""
    assert said(BEGINS, subcommand) == [f"{[caught, caught]} False"]


def test_a_shell_that_misses_a_sigterm_is_interrupted_again() -> None:
    """As often as it takes; then none is opened any more, and at the end they are ignored."""
    assert said(DEAF) == ["once", "[True, True, True]"]


@pytest.mark.parametrize("numbers", [("SIGTERM", "SIGINT"), ("SIGINT", "SIGTERM"), ("SIGINT", "SIGINT")])
def test_one_interruption_is_not_cut_short_by_another(numbers: tuple[str, str]) -> None:
    """What is left by the first leaves in order, such as a lock that it takes back."""
    assert said(AT_ONCE, *numbers) == ["unwound", "ended"]


@pytest.mark.skipif(not Path("/proc/self/wchan").exists(), reason="it cannot be seen what a thread waits for")
def test_signals_that_other_threads_take_are_heeded() -> None:
    """The kernel gives some of several to others than the main thread, which then waits on for its line."""
    assert said(STOLEN) == ["ended True"]


def test_a_sighup_before_the_server_is_there_is_kept() -> None:
    """It neither ends the program nor is it lost."""
    assert said(RELOADS) == ["True"]


ENDS = """
import threading
from secure_server import signals

caught = signals.catch()
caught.on_reload(lambda: None)
print(threading.active_count())
caught.ignore()
print(threading.active_count())
"""


LATE = """
import sys
from types import SimpleNamespace
from secure_server import signals

sys.unraisablehook = lambda what: print(what.exc_value)
signals.catch().ignore()
for error in (OSError("Signal 1 ignored due to race condition"), OSError("Signal 1"), ValueError("another")):
    sys.unraisablehook(SimpleNamespace(exc_value=error))
"""


def test_a_signal_in_the_last_moment_is_nothing_to_tell_of() -> None:
    """Another thread may have taken it just before it was ignored; Python would show a traceback of that."""
    assert said(LATE) == ["Signal 1", "another"]


def test_its_threads_end_before_the_interpreter_does() -> None:
    """One that wakes in the interpreter's last steps could abort the process, in place of exit code 0."""
    assert said(ENDS) == ["3", "1"]


FORKS = """
import os, signal, threading, warnings
from secure_server import signals

warnings.simplefilter("ignore", DeprecationWarning)  # from Python 3.12 on, of a fork where there are threads
caught = signals.catch()
ends = []

def handler():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        pid = os.fork()
        if not pid:
            try:
                os.kill(os.getpid(), number)
                os._exit(0)
            except KeyboardInterrupt:
                os._exit(2)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

worker = threading.Thread(target=handler)
worker.start()
worker.join()
reloaded = threading.Semaphore(0)
os.kill(os.getpid(), signal.SIGHUP)
caught.on_reload(reloaded.release)
print(ends, reloaded.acquire(timeout=20), caught._stop.is_set())
"""


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="there is no fork here")
def test_what_ends_a_forked_child_is_nothing_to_the_server() -> None:
    """As when a handler calls `terminate` of a `multiprocessing.Process`: the child ends, and the server goes on."""
    assert said(FORKS) == ["[-15, 2, -1] True False"]
