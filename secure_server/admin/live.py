"""What only the running server knows of tokens."""

from __future__ import annotations

from pathlib import Path

from secure_client import Client
from secure_client.connection.endpoint import Endpoint
from secure_client.errors import ClientError
from secure_server.admin.shell import ADMIN_SOCKET, CLIENT_NAME

SECONDS = 5.0
"""How long a server may take to connect and to answer; one that takes longer is treated as none."""


def live_sessions(data_dir: Path, name_or_id: str | None = None) -> dict[str, int] | None:
    """Return how many live sessions each token has; None where no server runs, or not one that this user may ask.

    Args:
        data_dir: the server's data directory.
        name_or_id: the only tokens to ask for; None asks for all.
    """
    socket = data_dir / ADMIN_SOCKET
    if not socket.exists():
        return None
    try:
        with Client(Endpoint(path=socket), name=CLIENT_NAME, reconnect=False, connect_timeout=SECONDS) as client:
            command = ("TOKENS",) if name_or_id is None else ("TOKEN", "SHOW", name_or_id)
            told = client.execute(*command, timeout=SECONDS)
    except (ClientError, OSError):  # OSError: the socket of a server that was killed, or of another user
        return None
    rows = told if isinstance(told, list) else []
    return {str(row["id"]): int(row["sessions"]) for row in rows if isinstance(row, dict)}
