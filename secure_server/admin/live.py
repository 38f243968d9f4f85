"""What only the running server knows."""

from __future__ import annotations

import re
import stat
import time
from pathlib import Path

from secure_client import Client
from secure_client.core.endpoint import Endpoint
from secure_client.errors import ClientError
from secure_server.admin import ADMIN_SOCKET, CLIENT_NAME
from secure_server.config.web import Web

SECONDS = 5.0
"""How long a server may take to connect and to answer; one that takes longer is treated as none."""
DOCTOR_SECONDS = 60.0
"""How long it may take to look at everything."""
TAKING_UP_SECONDS = 1.0
"""How long a program that changed tokens waits for the server to have taken that up: as long as one that is well takes
to notice by itself, several times over."""
PAUSE_SECONDS = 0.1
"""Between two times that it is asked."""
RIVALS = 1_000_000
"""Changes by others that may be taken in together with one's own. Generations begin at random, so that of another
database is farther away than that."""

_LISTENER = re.compile(r"^listener\d+:name=tls,bind=(.+),port=(\d+)\r?$", re.MULTILINE)


def live_sessions(data_dir: Path, name_or_id: str | None = None) -> dict[str, int] | None:
    """Return how many live sessions each token has; None where no server runs, or not one that this user may ask.

    Args:
        data_dir: the server's data directory.
        name_or_id: the only tokens to ask for; None asks for all.
    """
    told = _ask(data_dir, *(("TOKENS",) if name_or_id is None else ("TOKEN", "SHOW", name_or_id)))
    if told is None:
        return None
    rows = told if isinstance(told, list) else []
    return {str(row["id"]): int(row["sessions"]) for row in rows if isinstance(row, dict)}


def taken_up(data_dir: Path, generation: int) -> bool:
    """Have the server that runs in `data_dir` take in what was changed; whether it said in time that it has.

    False too where nobody answers, where this user may not ask, and where the server has another token database.

    Args:
        data_dir: the server's data directory.
        generation: of the token database, after the change.
    """
    deadline = time.monotonic() + TAKING_UP_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        told = _ask(data_dir, "TOKEN", "REFRESH", seconds=left)
        if told is None:
            return False
        if isinstance(told, str) and told.isdigit() and 0 <= int(told) - generation < RIVALS:
            return True
        time.sleep(min(left, PAUSE_SECONDS))  # it may have found its files replaced, and be about to mend that
    return False


def findings(data_dir: Path) -> list[dict[str, str]] | None:
    """Return what the running server finds wrong; None where no server runs, or not one that this user may ask.

    Args:
        data_dir: the server's data directory.
    """
    told = _ask(data_dir, "SERVER", "DOCTOR", seconds=DOCTOR_SECONDS)
    if not isinstance(told, list):
        return None
    return [{str(key): str(value) for key, value in row.items()} for row in told if isinstance(row, dict)]


def listening(data_dir: Path) -> list[tuple[str, int]]:
    """Return the addresses and ports at which clients reach the running server, the first one first.

    None at all where no server runs, or not one that this user may ask.

    Args:
        data_dir: the server's data directory.
    """
    told = _ask(data_dir, "INFO", "server")
    return [(host, int(port)) for host, port in _LISTENER.findall(told if isinstance(told, str) else "")]


def running_web(data_dir: Path) -> Web | None:
    """Return how the page of the running server is set; None where no server runs, or not one that this user may ask.

    Args:
        data_dir: the server's data directory.
    """
    told = _ask(data_dir, "CONFIG", "SHOW", "web.enabled", "web.url")
    rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    said = {str(row["key"]): str(row["value"]) for row in rows}
    if "web.enabled" not in said:
        return None
    return Web(enabled=said["web.enabled"] == "true", url=said.get("web.url", "").strip('"'))


def _ask(data_dir: Path, *command: str, seconds: float = SECONDS) -> object:
    socket = data_dir / ADMIN_SOCKET
    deadline = time.monotonic() + seconds
    try:
        if not stat.S_ISSOCK(socket.lstat().st_mode):  # a link would lead to another program's
            return None
        with Client(Endpoint(path=socket), name=CLIENT_NAME, reconnect=False, connect_timeout=seconds) as client:
            return client.execute(*command, timeout=max(0.0, deadline - time.monotonic()))
    except (ClientError, OSError):  # OSError: the socket of a server that was killed, or of another user
        return None
