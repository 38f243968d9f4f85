"""A thread for each connection, blocking: python -m benchmarks.peers.thread_server CERTIFICATES."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
from pathlib import Path

from benchmarks.peers.answering import READ_BYTES, Answers, listener, secret, server_context
from benchmarks.peers.asyncio_server import DESCRIPTORS
from secure_server.limits.descriptors import raise_limit


def serve_one(raw: socket.socket, context: ssl.SSLContext, password: str) -> None:
    """Serve one connection to its end."""
    answers = Answers(password)
    with contextlib.suppress(OSError):  # the peer has gone
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(raw, server_side=True) as connection:
            while data := connection.recv(READ_BYTES):
                connection.sendall(answers.answer(data))


def main() -> None:
    """Serve until the process is ended."""
    raise_limit(DESCRIPTORS)
    context, password, opened = server_context(Path(sys.argv[1])), secret(), listener()
    while True:
        raw, _ = opened.accept()
        threading.Thread(target=serve_one, args=(raw, context, password), daemon=True).start()


if __name__ == "__main__":
    main()
