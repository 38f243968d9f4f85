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
FEW_BYTES = 128
"""Five KeyUpdates fit, half a millisecond of work."""
HONEST = 4
"""Bytes on the way for a byte of data: a `PING` in a record to itself takes 36 for 14. Who sends more than a few, and
more of them for each byte, is suspect."""
OVERHEAD = 32
"""Likewise, where a byte has a record to itself (23, with TLS 1.2 30), and a little more: who sends so little is slow,
and no attacker."""
MOST_WASTED_BYTES = 20 * 1024
"""What may come that holds no data. The longest record (16,645 bytes, RFC 8446 section 5.2) is none before its end;
what is longer than that is no record, but KeyUpdates and the like."""
MOST_HANDSHAKE_BYTES = 100 * 1024
"""What a client may send before the handshake is done; with a long chain of certificates it is 10 KB."""
PAIRS = 32
"""Pairs of memory that all connections share. Newcomers' thread and I/O loop both use them, and a handshake holds one
for half a millisecond: with so many the other seldom waits."""


class HandshakeTooLongError(ConnectionError):
    """The peer sent more than any handshake takes."""


class WastedError(ConnectionError):
    """The peer sends what OpenSSL must work on, and no data."""


Pair = tuple[ssl.MemoryBIO, ssl.MemoryBIO, threading.Lock]
"""Memory between a socket and OpenSSL: what was received, and what is to be sent; empty whenever nobody holds the lock,
which is held around OpenSSL's work on a piece, and never around a system call."""

_pairs = itertools.cycle([(ssl.MemoryBIO(), ssl.MemoryBIO(), threading.Lock()) for _ in range(PAIRS)])
"""Dealt out in turn. A connection keeps the one it was dealt, for OpenSSL has no way to change it in Python."""


class TlsWire:
    """The server's end of a TLS connection. One thread at a time: the newcomers', then its I/O loop's.

    Args:
        sock: connected, non-blocking, and from here on in the care of this object.
        context: the server's.

    Attributes:
        sock: the socket, for what concerns the connection and not its bytes.
        unsent: encrypted bytes that the socket has not taken yet.
        ready: something has come that no event of the socket will announce.
        suspect: what came last held no data to speak of, or nothing came yet; see `Wire`.
        tls: tells of the handshake.
    """

    __slots__ = (
        "_early",
        "_in_flight",
        "_most",
        "_openssl",
        "_pair",
        "_shaken",
        "_wasted",
        "ready",
        "sock",
        "suspect",
        "tls",
        "unsent",
    )

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self._pair: Pair = next(_pairs)
        incoming, outgoing, _ = self._pair
        self.sock = sock
        self.tls = context.wrap_bio(incoming, outgoing, server_side=True)
        # What it hands each call on to, a Python frame each, by a private name; where there is none it does so itself.
        self._openssl: ssl.SSLObject = getattr(self.tls, "_sslobj", self.tls)
        self.unsent = b""
        self.ready = False
        self._early = b""  # came with the end of the handshake; where nothing did and something is ready, it is the end
        self._in_flight = 0  # bytes of output that `unsent` holds the end of
        self._most = FIRST_BYTES
        self._shaken = 0  # bytes received before the handshake was done
        self._wasted = 0  # bytes received since then that held no data
        self.suspect = True

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
            self._flush_if_any()  # our part of it, or an alert

    def _step(self, data: bytes) -> bool:
        """Have OpenSSL take a piece of the handshake; whether it is done."""
        incoming, outgoing, lock = self._pair
        with lock:
            try:
                incoming.write(data)
                self.tls.do_handshake()
                self._early = incoming.read()  # the peer's first request may have come with its last message
                self.ready = bool(self._early)
            except ssl.SSLWantReadError:
                return False
            finally:
                incoming.read()
                self.unsent = outgoing.read()
        return True

    def read(self) -> bytes | None:
        """Receive one bounded piece and return what it holds; see `Wire`."""
        if self.ready:
            return self._read_ready()
        try:
            data = self.sock.recv(self._most)
        except BlockingIOError:
            return None
        # Without close_notify, as many clients end; requests are framed, so a truncated one is seen to be that.
        return self._decrypt(data) if data else b""

    def _read_ready(self) -> bytes | None:
        """Return what no event announces: what came with the handshake, or the end behind data that was given first."""
        self.ready = False
        early, self._early = self._early, b""
        return self._decrypt(early) if early else b""

    def _decrypt(self, data: bytes) -> bytes | None:
        """Have OpenSSL take all of a piece, and return what it holds; as `read` does."""
        incoming, outgoing, lock = self._pair
        plain: bytes | None = b""
        lock.acquire()  # not `with`, here and in `write`: it takes the interpreter almost twice as long
        try:
            incoming.write(data)
            plain = self._openssl.read(READ_BYTES)  # a whole record: OpenSSL keeps none of it back
            while incoming.pending:
                more = self._openssl.read(READ_BYTES) if plain else b""
                if not more:  # close_notify: what came before it is given first, and what comes behind it never
                    self.ready = bool(plain)
                    incoming.read()
                    break
                plain += more
            if outgoing.pending:  # an answer to a KeyUpdate
                self.unsent = outgoing.read()
        except ssl.SSLError as error:
            incoming.read()
            self.unsent = outgoing.read()  # likewise, or an alert
            if not isinstance(error, ssl.SSLWantReadError):
                raise
            plain = plain or None
        except BaseException:
            incoming.read()
            outgoing.read()  # those who share the pair must find it empty, whatever it was
            raise
        finally:
            lock.release()
            if self.unsent:
                self._flush_if_any()
        gave = len(plain) if plain else 0
        if self.suspect or len(data) > HONEST * gave:
            self._weigh(len(data), gave)
        if len(data) >= FIRST_BYTES:  # a byte of data among KeyUpdates earns nobody the longer turn
            self._most = READ_BYTES if plain and 2 * gave >= len(data) else FIRST_BYTES
        return plain

    def _weigh(self, took: int, gave: int) -> None:
        """Account for what came against the data that it held.

        Raises:
            WastedError: too much came that held none.
        """
        self._wasted = max(0, self._wasted + took - OVERHEAD * gave)
        self.suspect = not gave or (took > FEW_BYTES and took > HONEST * gave)
        if self._wasted > MOST_WASTED_BYTES:
            raise WastedError

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
        _, outgoing, lock = self._pair
        lock.acquire()
        try:
            self._openssl.write(data)
        finally:
            encrypted = outgoing.read()
            lock.release()
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
            incoming, outgoing, lock = self._pair
            with lock:
                with contextlib.suppress(OSError, ValueError):  # want-read is the ordinary one: it is said all the same
                    self.tls.unwrap()
                self.unsent += outgoing.read()
                if incoming.pending:
                    incoming.read()
            del self.tls, self._openssl
            self._flush_if_any()
        return self.sock

    def _flush_if_any(self) -> None:
        """Send what waits to be sent; whether the connection is lost shows in what follows."""
        if self.unsent:
            with contextlib.suppress(OSError):
                self._flush()

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
