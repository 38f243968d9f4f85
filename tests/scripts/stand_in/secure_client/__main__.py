"""Stands in for secure-client in tests that need it to misbehave, as the file ``fault`` names it."""

import datetime as dt
import os
import signal
import sys
from pathlib import Path

FAULT = Path("fault").read_text("utf-8") if Path("fault").exists() else ""
HOME = Path(os.environ["SECURE_CLIENT_HOME"])
CONNECTED = Path("data/connected")


def answer(command: str) -> int:
    """Print the reply; return the exit code."""
    now = dt.datetime.now(dt.UTC) - dt.timedelta(days=FAULT == "TIME")
    match command.split():
        case ["ECHO", *words]:
            print(f"ECHO: {'' if FAULT == 'ECHO' else ' '.join(words)}", flush=True)
        case ["TIME"]:
            print("late" if FAULT == "TIME-text" else now.isoformat(), flush=True)
        case ["EXIT"]:
            print("" if FAULT == "EXIT" else "Goodbye.", flush=True)
        case _ if FAULT == "NONSENSE":
            print("fine")
        case _:
            print("ERROR: Unknown command.", file=sys.stderr)
            return 1
    return 0


def converse() -> None:
    """Answer each line of stdin, listed as a connected client meanwhile."""
    # Not `print`: the handler may come while the stream is being written, which takes nobody twice.
    signal.signal(signal.SIGINT, lambda *_: os.write(1, b"Cancelled.\n"))
    CONNECTED.write_text("quickstart\n", "utf-8")
    for line in sys.stdin:
        if FAULT == "crash":
            sys.exit("Connection lost.")
        answer(line)
        if line.strip() == "EXIT":
            break
    CONNECTED.unlink()
    sys.exit(3 if FAULT == "EXIT-code" else 0)


match sys.argv[1:]:
    case ["profile", "add", name, address, "--force", "--ca", _, "--token-file", token]:
        HOME.mkdir(parents=True, exist_ok=True)
        (HOME / name).write_text(f"{address} {token}", "utf-8")
    case [name, *rest]:
        token = (HOME / name).read_text("utf-8").split()[1]
        if Path(token).read_text("utf-8").strip() != Path("data/accepted").read_text("utf-8"):
            sys.exit(4)
        if rest:
            sys.exit(answer(rest[1]))
        converse()
