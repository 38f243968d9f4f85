"""Stands in for secure-server in tests that need it to misbehave, as the file ``fault`` names it."""

import os
import signal
import socket
import sys
from pathlib import Path

DATA = Path("data")
ADMIN = DATA / "admin.sock"  # a plain file with the process id; enough to say whether a server runs
FAULT = Path("fault").read_text("utf-8") if Path("fault").exists() else ""


def run(port: int) -> None:
    """Hold the port until SIGTERM."""
    if FAULT == "start":
        sys.exit("The certificate has expired.")
    if sys.platform == "win32":
        raise NotImplementedError("POSIX only")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with socket.create_server(("127.0.0.1", port)) as listener:
        if FAULT != "mute":
            print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        ADMIN.write_text(str(os.getpid()), "utf-8")
        (DATA / "arguments").write_text(" ".join(sys.argv[1:]), "utf-8")
        (DATA / "pid").write_text(str(os.getpid()), "utf-8")
        signal.sigwait({signal.SIGTERM})
        if FAULT == "stop":
            signal.pause()
    ADMIN.unlink()


def clients() -> None:
    """List who is connected, if a server runs."""
    try:
        os.kill(int(ADMIN.read_text("utf-8")), 0)
    except OSError:
        sys.exit("No server runs.")
    names = "" if FAULT == "clients" else (DATA / "connected").read_text("utf-8")
    print(f"name\n{names}")


match sys.argv[1:]:
    case ["run", "--host", _, "--port", port, *_]:
        run(int(port))
    case ["certs", "ensure", "--dir", directory]:
        Path(directory).mkdir(exist_ok=True)
    case ["token", "revoke", *_]:
        sys.exit("No token has that name.")
    case ["token", "create", name, "--quiet", "--data-dir", _]:
        with (DATA / "tokens").open("a", encoding="utf-8") as tokens:
            tokens.write(f"{name} issued\n")
        (DATA / "accepted").write_text(secret := os.urandom(8).hex(), "utf-8")
        print(secret)
    case ["token", "create", name, "--web", "--quiet", "--data-dir", _, "--certs-dir", _]:
        if FAULT == "page":
            sys.exit("The page is off.")
        print(f"https://localhost/#enroll={name}")
    case ["admin", "--data-dir", _, "-c", "clients"]:
        (DATA / "connected").touch()
        clients()
    case other:
        sys.exit(f"usage: not {other}")
