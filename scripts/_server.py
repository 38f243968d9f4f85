"""Quickstart's server: its port, its start, its end."""

import contextlib
import errno
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence

from scripts._installation import Installation, StepFailedError

HOST = "127.0.0.1"
DEFAULT_PORT = 5000
NEXT_PORTS = 20  # tried one by one, so that the port stays easy to remember; then the kernel chooses
START_TIMEOUT = 30.0  # seconds until it must say that it listens; it takes about one
START_POLL = 0.05  # seconds between two looks at its output
DRAIN_TIMEOUT = 15.0  # seconds it gets to finish after SIGTERM
SHOWN_CHARACTERS = 2000  # of the server's stderr, when it did not start
_LISTENING = re.compile(r"^listening on \S+:(\d+)\s*$", re.MULTILINE)


def choose_port(wanted: int) -> int:
    """Return ``wanted`` if it is free, else one near it, else any.

    Raises:
        StepFailedError: this user may not listen on ``wanted``.
    """
    for port in (*range(wanted, min(wanted + NEXT_PORTS, 65536)), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except PermissionError as error:
                raise StepFailedError(f"Port {port} is the system's. Use: --port {DEFAULT_PORT}") from error
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise StepFailedError(f"No socket can be opened on {HOST}: {error.strerror}.") from error
                continue
            return int(probe.getsockname()[1])
    raise StepFailedError(f"No port of {HOST} is free. End a program that holds one and run this again.")


def running_port(installation: Installation) -> int | None:
    """Return the port of a server that already runs on this data directory, or ``None``.

    Raises:
        StepFailedError: one runs that quickstart did not start, so its port is not known.
    """
    if not (installation.root / installation.data / "admin.sock").exists():
        return None
    if installation.run(installation.admin("clients")).returncode != 0:
        return None
    with contextlib.suppress(OSError, ValueError):
        return int((installation.own / "port").read_text())
    raise StepFailedError(
        f"A server that was started by hand already runs on {installation.data}. "
        "Stop it (Ctrl-C in its terminal) and run this again."
    )


@contextlib.contextmanager
def running(installation: Installation, port: int, further: Sequence[str] = ()) -> Iterator[int]:
    """Run a server for the time of the ``with`` block; gives the port it listens on.

    Args:
        installation: the installed checkout.
        port: to listen on.
        further: arguments for it.

    Raises:
        StepFailedError: it ended, or did not listen within ``START_TIMEOUT``.
    """
    arguments = ["--host", HOST, "--port", str(port)]
    places = ["--certs-dir", str(installation.certs), "--data-dir", str(installation.data)]
    output, errors = installation.own / "server.out", installation.own / "server.err"
    with output.open("w") as stdout, errors.open("w") as stderr:
        process = subprocess.Popen(
            installation.server("run", *arguments, *places, *further),
            cwd=installation.root,
            env=installation.environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C in the client's terminal is the client's, not the server's
        )
    remembered = installation.own / "port"
    try:
        listening = _wait_until_listening(process, installation)
        remembered.write_text(f"{listening}\n")
        yield listening
    finally:
        _stop(process)
        remembered.unlink(missing_ok=True)


def _wait_until_listening(process: "subprocess.Popen[bytes]", installation: Installation) -> int:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        ended = process.poll()
        if found := _LISTENING.search((installation.own / "server.out").read_text(errors="replace")):
            return int(found[1])
        if ended is not None or time.monotonic() > deadline:
            came = f"it did not within {START_TIMEOUT:.0f} s" if ended is None else f"it ended with exit code {ended}"
            said = (installation.own / "server.err").read_text(errors="replace")[-SHOWN_CHARACTERS:].strip()
            raise StepFailedError(f"secure-server run: expected `listening on HOST:PORT`; {came}.\n{said}")
        time.sleep(START_POLL)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(DRAIN_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
