"""Sockets as this server wants them: options, addresses, and who is at the other end of a Unix socket."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
from pathlib import Path

from secure_server.files.forking import not_for_children

KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
"""Seconds of silence before the kernel probes, between probes, and probes unanswered: a dead peer is gone in two
minutes, without a message of ours."""
STREAMS = 2
"""The last descriptor that is a standard stream: what any code of the process may write to."""
UNIX_BACKLOG = 64
"""Beyond it the system refuses whoever does not wait; scripts may come by the dozen."""


def prepare(listener: socket.socket) -> None:
    """Set options of a TCP listener: no delay for small replies, and probes for dead peers.

    What it accepts inherits them, so they take no system calls of each newcomer's.
    """
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        if hasattr(socket, option):
            listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def acknowledge(sock: socket.socket) -> None:
    """Acknowledge what came so far now, and not with the next reply (Linux).

    After a handshake this server has nothing to say, and a client that did not turn Nagle's algorithm off holds its
    first request back until its last handshake message is acknowledged: 40 ms, with the delay that Linux allows itself.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        with contextlib.suppress(OSError):  # the peer may be gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def format_address(address: object) -> str:
    """Return `127.0.0.1:5000` or `[::1]:5000` for what `accept` or `getsockname` gave."""
    if not isinstance(address, tuple) or len(address) < 2:
        return "unix"
    host, port = str(address[0]), address[1]
    host = host.removeprefix("::ffff:") if "." in host else host
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen_unix(path: Path) -> socket.socket:
    """Open a Unix listener that only this user can connect to, replacing one that nobody answers on any more.

    Raises:
        FileExistsError: somebody answers there: a server already runs in this directory.
        OSError: it cannot be made; a path of over about 100 bytes is one reason.
    """
    if sys.platform == "win32":  # pragma: no cover - Windows
        raise OSError("there are no Unix sockets here")
    if there := file_at(path):
        silent = ConnectionError, FileNotFoundError  # the latter of a link that leads nowhere
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, contextlib.suppress(*silent):
            probe.settimeout(0)  # a server too busy to accept is one, too
            with contextlib.suppress(BlockingIOError):
                probe.connect(str(path))
            raise FileExistsError(path)
        if file_at(path) == there:  # else somebody came in between, and the bind says so
            path.unlink()
    listener = not_for_children(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # the directory is 0700, so nobody came in between
        listener.listen(UNIX_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def file_at(path: Path) -> tuple[int, int] | None:
    """Return which file is at a path, whatever it leads to: device and number; None where none can be seen."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def peer_uid(sock: socket.socket) -> int | None:
    """Return the user id at the other end of a Unix socket; None where the system does not say."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    if hasattr(socket, "LOCAL_PEERCRED"):  # pragma: no cover - BSD and macOS: struct xucred, version and uid first
        credentials = sock.getsockopt(0, socket.LOCAL_PEERCRED, 76)
        return int(struct.unpack_from("2I", credentials)[1])
    return None  # pragma: no cover - no system with Unix sockets that we know


def may_administer(uid: int | None) -> bool:
    """Whether a user may use the admin socket: the server's own, and root."""
    return uid is not None and hasattr(os, "getuid") and uid in (os.getuid(), 0)


def beyond_streams(sock: socket.socket) -> socket.socket:
    """Return the socket under a number that is no standard stream's; the null device has that from now on.

    A command may have closed its standard output. The next newcomer would have its number, and get what others print
    in the midst of its TLS.
    """
    while 0 <= sock.fileno() <= STREAMS:
        low, moved = sock.fileno(), sock.dup()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, low)  # in its place at once
        os.close(null)
        sock.detach()
        sock = moved
    return sock
