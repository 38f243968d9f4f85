"""TLS over a socket, in bounded pieces: we receive, OpenSSL decrypts what it is given.

OpenSSL that reads a socket by itself swallows TLS 1.3's KeyUpdates without end inside one `SSL_read`: two strangers
froze every other client for 5 seconds. So bytes are received here, a small piece a turn, and handed to it through a
pair of `MemoryBIO`s. A pair for each connection would cost 2 KB idle, and 40 KB for good after one reply of 16 KB, for
such memory never shrinks; but a pair is empty between two turns, so few of them serve all connections.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import threading

from secure_server.net.wire import READ_BYTES, WRITE_BYTES

FIRST_BYTES = 2048
"""Taken in a turn from a peer whose last one was not mostly data: at 27 bytes each these are 75 KeyUpdates, which take
OpenSSL some milliseconds. A request of a person or a program fits."""
MOST_HANDSHAKE_BYTES = 100 * 1024
"""What a client may send before the handshake is done; with a long chain of certificates it is 10 KB."""
PAIRS = 32
"""Pairs of memory that all connections share. Newcomers' thread and I/O loop both use them, and a handshake holds one
for half a millisecond: with so many the other seldom waits."""


class HandshakeTooLongError(ConnectionError):
    """The peer sent more than any handshake takes."""


class Pair:
    """Memory between a socket and OpenSSL, both ways; empty whenever nobody holds the lock.

    Attributes:
        incoming: what was received, for OpenSSL to read.
        outgoing: what OpenSSL wrote, to be sent.
        lock: held around OpenSSL's work on a piece, and never around a system call.
    """

    __slots__ = ("incoming", "lock", "outgoing")

    def __init__(self) -> None:
        self.incoming, self.outgoing, self.lock = ssl.MemoryBIO(), ssl.MemoryBIO(), threading.Lock()


_pairs = itertools.cycle([Pair() for _ in range(PAIRS)])
"""Dealt out in turn. A connection keeps the one it was dealt, for OpenSSL has no way to change it in Python."""


class TlsWire:
    """The server's end of a TLS connection. One thread at a time: the newcomers', then its I/O loop's.

    Args:
        sock: connected, non-blocking, and from here on in the care of this object.
        context: the server's.

    Attributes:
        sock: the socket, for what concerns the connection and not its bytes.
        unsent: encrypted bytes that the socket has not taken yet.
        tls: tells of the handshake.
    """

    __slots__ = ("_early", "_ended", "_in_flight", "_most", "_pair", "_shaken", "sock", "tls", "unsent")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._pair = pair = next(_pairs)
        self.sock = sock
        self.tls = context.wrap_bio(pair.incoming, pair.outgoing, server_side=True)
        self.unsent = b""
        self._early = b""  # came with the end of the handshake
        self._in_flight = 0  # bytes of output that `unsent` holds the end of
        self._most = FIRST_BYTES
        self._shaken = 0  # bytes received before the handshake was done
        self._ended = False  # the peer said so, behind data that was to be given first

    @property
    def ready(self) -> bool:
        """Whether something has come that no event of the socket will announce."""
        return self._ended or bool(self._early)

    def shake(self) -> bool:
        """Take one step of the handshake; whether it is done.

        Raises:
            BlockingIOError: nothing came, or what is to be sent first was not taken.
            HandshakeTooLongError: it took too much.
            ssl.SSLError: it failed; the peer was told why.
            OSError: the connection is lost, or was ended.
        """
        if self.unsent and not self._flush():
            raise BlockingIOError
        data = self.sock.recv(FIRST_BYTES)
        if not data:
            raise ConnectionResetError
        self._shaken += len(data)
        if self._shaken > MOST_HANDSHAKE_BYTES:
            raise HandshakeTooLongError
        try:
            return self._step(data)
        finally:
            if self.unsent:  # our part of it, or an alert
                with contextlib.suppress(OSError):
                    self._flush()

    def _step(self, data: bytes) -> bool:
        """Have OpenSSL take a piece of the handshake; whether it is done."""
        pair = self._pair
        with pair.lock:
            try:
                pair.incoming.write(data)
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                return False
            finally:
                self._early, self.unsent = pair.incoming.read(), pair.outgoing.read()
        return True

    def read(self) -> bytes | None:
        """Receive one bounded piece and return what it holds; see `Wire`."""
        if self._early:
            data, self._early = self._early, b""
        elif self._ended:
            return b""
        else:
            try:
                data = self.sock.recv(self._most)
            except BlockingIOError:
                return None
            if not data:  # an end without close_notify, as many clients do it; requests are framed, so a truncated one
                return b""  # is seen to be that
        try:
            plain = self._decrypt(data)
        finally:
            if self.unsent:  # an answer to a KeyUpdate, or an alert
                with contextlib.suppress(OSError):
                    self._flush()
        # A byte of data among KeyUpdates earns nobody the longer turn.
        self._most = READ_BYTES if plain and 2 * len(plain) >= len(data) else FIRST_BYTES
        return plain

    def _decrypt(self, data: bytes) -> bytes | None:
        """Have OpenSSL take all of a piece, and return what it says; as `read` does."""
        pair, tls, plain = self._pair, self.tls, b""
        incoming, outgoing = pair.incoming, pair.outgoing
        with pair.lock:
            try:
                incoming.write(data)
                plain = tls.read(READ_BYTES)
                while plain and (incoming.pending or tls.pending()):
                    more = tls.read(READ_BYTES)
                    if not more:  # close_notify: first what came before it
                        self._ended = True
                        break
                    plain += more
            except ssl.SSLWantReadError:
                return plain or None
            finally:
                if incoming.pending:
                    incoming.read()
                if outgoing.pending:
                    self.unsent = outgoing.read()
        return plain

    def write(self, output: bytearray) -> int:
        """Encrypt and send one record from the front of `output`; see `Wire`."""
        if self.unsent:
            if not self._flush():
                return 0
            if self._in_flight:
                sent, self._in_flight = self._in_flight, 0
                return sent
            if not output:
                return 0
        data = output if len(output) <= WRITE_BYTES else output[:WRITE_BYTES]
        pair = self._pair
        with pair.lock:
            try:
                self.tls.write(data)
            finally:
                encrypted = pair.outgoing.read()
        try:
            took = self.sock.send(encrypted)
        except BlockingIOError:
            took = 0
        if took == len(encrypted):
            return len(data)
        self.unsent, self._in_flight = encrypted[took:], len(data)
        return 0

    def end(self) -> socket.socket:
        """Say close_notify in one try, drop OpenSSL's object, and return the socket; see `Wire`."""
        if hasattr(self, "tls"):
            pair = self._pair
            with pair.lock:
                with contextlib.suppress(OSError, ValueError):  # want-read is the ordinary one: it is said all the same
                    self.tls.unwrap()
                self.unsent += pair.outgoing.read()
                if pair.incoming.pending:
                    pair.incoming.read()
            del self.tls
            if self.unsent:
                with contextlib.suppress(OSError):
                    self._flush()
        return self.sock

    def _flush(self) -> bool:
        """Send what is left of what was encrypted; whether all of it went.

        Raises:
            OSError: the connection is lost.
        """
        try:
            took = self.sock.send(self.unsent)
        except BlockingIOError:
            return False
        self.unsent = self.unsent[took:]
        return not self.unsent
