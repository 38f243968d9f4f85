"""A TCP proxy that fails on request: the network between a client and its server."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

JOIN_TIMEOUT = 10.0


class FaultProxy:
    """Forwards bytes between `port` and another local port, until told to fail.

    Args:
        target: the server's port.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener: socket.socket | None = None
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.port = 0

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT)
            assert not thread.is_alive()

    def up(self) -> None:
        """Accept connections, on the port of last time."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        listener.listen()
        self._listener = listener
        self._spawn(self._accept, listener)

    def down(self) -> None:
        """Refuse connections, and cut those there are."""
        self._open.set()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.cut()

    def hold(self) -> None:
        """Keep what comes from here on, on all connections, until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Forward what was kept, and what comes."""
        self._open.set()

    def cut(self) -> None:
        """Break all connections."""
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the server itself is down
                client.close()
                continue
            with self._lock:
                self._sockets += [client, server]
            pair = threading.Semaphore(0)
            self._spawn(self._forward, client, server, pair)
            self._spawn(self._forward, server, client, pair)
            self._spawn(_close_both, client, server, pair)

    def _forward(self, source: socket.socket, sink: socket.socket, done: threading.Semaphore) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._open.wait()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        done.release()

    def _spawn(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _close_both(client: socket.socket, server: socket.socket, done: threading.Semaphore) -> None:
    done.acquire()
    done.acquire()
    client.close()
    server.close()
