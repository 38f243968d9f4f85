"""Attackers that send TLS 1.3 KeyUpdates as fast as OpenSSL makes them, which can hold a server inside one `SSL_read`.

    python -m tests.integration.key_update_flood --port 5000 --strangers 2
    FLOOD_TOKEN=scs_… python -m tests.integration.key_update_flood --port 5000 --sessions 2 --kind requested

Python's `ssl` cannot send a KeyUpdate, so this calls the OpenSSL that Python has loaded, through `ctypes`. Each
attacker is a process. It hands the kernel many records at a time: OpenSSL puts one KeyUpdate into a record of 27 bytes,
and where each is a packet of its own the server keeps up. What the server sends is read and dropped, and a connection
that it ends is replaced at once. The last line on stdout is a JSON object: `connections` and `logins` that succeeded,
`key_updates` that the kernel took, connections that the server `ended`, and tries that `failed`.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import itertools
import json
import multiprocessing
import os
import select
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import click

TOKEN_VARIABLE = "FLOOD_TOKEN"
KINDS = {"unrequested": (0,), "requested": (1,), "alternating": (0, 1)}
"""What `SSL_key_update` takes: whether the other side is to send one, too."""

HEAD_START = 10_000
"""KeyUpdates that are made before the first of a connection is sent. Making one takes as long as reading one, so that a
server with a core to itself would keep up with attackers that share another."""
BATCH = 600
"""KeyUpdates made and sent at a time after that: 16 KB."""
RECORD_BYTES = 27
"""Of one KeyUpdate: 5 of the record's head, 5 of the message, 1 that says what it is, 16 that authenticate it."""
CHUNK = 65536
PATIENCE_SECONDS = 2.0
"""For a connection, its handshake and its login; a server that is frozen by another attacker is tried again then."""
PAUSE_SECONDS = 0.01
"""After a connection that came to nothing, so that a server that is gone does not make this spin."""
READY_SECONDS = 30.0
"""To have the first head start ready; only a very busy machine needs more than one."""
NICENESS = 5
"""A real attacker has a machine of its own: this one should not slow the server down by taking its processor."""

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int
_TLS_1_3 = 0x0304
_SET_MIN_PROTO_VERSION = 123
_WANT_READ = 2


class UnusableError(Exception):
    """There is no OpenSSL here that `ctypes` could call."""


class EndedError(Exception):
    """The server ended the connection, or never took it up."""


class OpenSsl:
    """The functions of OpenSSL that a flood takes.

    Raises:
        UnusableError: there is none, or it is too old.
    """

    def __init__(self) -> None:
        try:
            tls, crypto = (ctypes.CDLL(_library(name)) for name in ("ssl", "crypto"))
            self.tls_client_method = ctypes.CFUNCTYPE(_POINTER)(("TLS_client_method", tls))
            self.context_new = ctypes.CFUNCTYPE(_POINTER, _POINTER)(("SSL_CTX_new", tls))
            self.context_control = ctypes.CFUNCTYPE(ctypes.c_long, _POINTER, _INT, ctypes.c_long, _POINTER)(
                ("SSL_CTX_ctrl", tls)
            )
            self.new = ctypes.CFUNCTYPE(_POINTER, _POINTER)(("SSL_new", tls))
            self.free = ctypes.CFUNCTYPE(None, _POINTER)(("SSL_free", tls))
            self.set_bio = ctypes.CFUNCTYPE(None, _POINTER, _POINTER, _POINTER)(("SSL_set_bio", tls))
            self.set_connect_state = ctypes.CFUNCTYPE(None, _POINTER)(("SSL_set_connect_state", tls))
            self.do_handshake = ctypes.CFUNCTYPE(_INT, _POINTER)(("SSL_do_handshake", tls))
            self.key_update = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)(("SSL_key_update", tls))
            self.read = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)(("SSL_read", tls))
            self.write = ctypes.CFUNCTYPE(_INT, _POINTER, ctypes.c_char_p, _INT)(("SSL_write", tls))
            self.get_error = ctypes.CFUNCTYPE(_INT, _POINTER, _INT)(("SSL_get_error", tls))
            self.clear_error = ctypes.CFUNCTYPE(None)(("ERR_clear_error", crypto))
            self.bio_memory = ctypes.CFUNCTYPE(_POINTER)(("BIO_s_mem", crypto))
            self.bio_new = ctypes.CFUNCTYPE(_POINTER, _POINTER)(("BIO_new", crypto))
            self.bio_read = ctypes.CFUNCTYPE(_INT, _POINTER, _POINTER, _INT)(("BIO_read", crypto))
            self.bio_write = ctypes.CFUNCTYPE(_INT, _POINTER, ctypes.c_char_p, _INT)(("BIO_write", crypto))
        except (OSError, AttributeError) as error:
            raise UnusableError(str(error)) from error

    def client_context(self) -> int:
        """Make an SSL_CTX that speaks TLS 1.3 alone and believes every certificate."""
        context: int = self.context_new(self.tls_client_method())
        self.context_control(context, _SET_MIN_PROTO_VERSION, _TLS_1_3, None)
        return context


def _library(name: str) -> str:
    """Return the file of libssl or libcrypto that Python's `ssl` uses, or else the system's."""
    ssl.create_default_context()  # it is loaded by now, whatever the import of it does
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
            file = Path(line.rpartition(" ")[2])
            if file.name.startswith(f"lib{name}") and ".so" in file.name:
                return str(file)
    if (found := ctypes.util.find_library(name)) is None:
        raise OSError(f"there is no lib{name}")
    return found


@dataclass(frozen=True)
class Attacker:
    """What one process does.

    Attributes:
        port: of the server, on this machine.
        token: what to log in with; None for a stranger.
        kinds: of KeyUpdates, in turn.
        seconds: how long it floods, from the moment that its first head start is ready.
    """

    port: int
    token: str | None
    kinds: Sequence[int]
    seconds: float

    def run(self) -> Counter[str]:
        """Attack until it is time to end; return what was done."""
        if sys.platform == "win32":
            raise NotImplementedError("POSIX only")
        os.nice(NICENESS)
        openssl = OpenSsl()
        context = openssl.client_context()
        done: Counter[str] = Counter()
        kinds = itertools.cycle(self.kinds)
        until = time.monotonic() + READY_SECONDS
        flooding = False
        while time.monotonic() < until:
            try:
                with Connection(openssl, context, self.port, done) as connection:
                    connection.establish(self.token)
                    records = connection.key_updates(kinds, HEAD_START)
                    if not flooding:
                        until, flooding = time.monotonic() + self.seconds, True
                    connection.flood(kinds, records, until)
            except (OSError, EndedError):
                done["failed"] += 1
                time.sleep(PAUSE_SECONDS)
        return done


class Connection:
    """One connection of an attacker's, whose OpenSSL reads and writes memory.

    Args:
        openssl: the library.
        context: an SSL_CTX.
        port: of the server.
        done: what is done is counted here.
    """

    def __init__(self, openssl: OpenSsl, context: int, port: int, done: Counter[str]) -> None:
        self._openssl = openssl
        self._done = done
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
        self._buffer = ctypes.create_string_buffer(CHUNK)
        self._ssl = openssl.new(context)
        self._incoming, self._outgoing = (openssl.bio_new(openssl.bio_memory()) for _ in range(2))
        openssl.set_bio(self._ssl, self._incoming, self._outgoing)  # they are the SSL's from here on
        openssl.set_connect_state(self._ssl)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        self._openssl.free(self._ssl)

    def establish(self, token: str | None) -> None:
        """Shake hands, and log in if there is a token.

        Raises:
            EndedError: the server would not have it.
        """
        self._complete(lambda: self._openssl.do_handshake(self._ssl))
        self._done["connections"] += 1
        if token is None:
            return
        if self.ask(f"AUTH {token}\n".encode()) != b"OK\n":
            raise EndedError
        self._done["logins"] += 1

    def ask(self, line: bytes) -> bytes:
        """Send a line, and return what comes next.

        Raises:
            EndedError: the server ended the connection.
        """
        self._complete(lambda: self._openssl.write(self._ssl, line, len(line)))
        length = self._complete(lambda: self._openssl.read(self._ssl, self._buffer, CHUNK))
        return self._buffer.raw[:length]

    def send(self, records: bytes) -> None:
        """Send what `key_updates` returned."""
        self._socket.sendall(records)

    def key_updates(self, kinds: Iterator[int], count: int) -> bytes:
        """Return so many KeyUpdates, as records that are to be sent next.

        Raises:
            EndedError: OpenSSL would not make them.
        """
        key_update, do_handshake, this = self._openssl.key_update, self._openssl.do_handshake, self._ssl
        for kind in itertools.islice(kinds, count):
            if key_update(this, kind) != 1 or do_handshake(this) != 1:  # the latter is how OpenSSL sends it
                raise EndedError
        return self._output()

    def flood(self, kinds: Iterator[int], records: bytes, until: float) -> None:
        """Send `records` and then ever more of them, until the server ends the connection, or until it is time."""
        if sys.platform == "win32":
            raise NotImplementedError("POSIX only")
        self._socket.settimeout(0)
        poller = select.poll()
        poller.register(self._socket, select.POLLIN | select.POLLOUT)
        waiting = memoryview(records)
        while (now := time.monotonic()) < until:
            try:
                for _, ready in poller.poll((until - now) * 1000):
                    if ready & ~select.POLLOUT and not self._socket.recv(CHUNK):
                        raise ConnectionResetError  # an orderly end counts as well
                    if ready & select.POLLOUT:
                        sent = self._socket.send(waiting)
                        waiting = waiting[sent:]
                        self._done["sent_bytes"] += sent
            except BlockingIOError:
                continue
            except OSError:
                self._done["ended"] += 1
                return
            if not waiting:
                waiting = memoryview(self.key_updates(kinds, BATCH))

    def _output(self) -> bytes:
        """Return what OpenSSL wants to send."""
        parts = []
        while (length := self._openssl.bio_read(self._outgoing, self._buffer, CHUNK)) > 0:
            parts.append(self._buffer.raw[:length])
        return b"".join(parts)

    def _complete(self, step: Callable[[], int]) -> int:
        """Repeat a step of OpenSSL's, carrying bytes to and fro, until it is done; return what it returned."""
        while True:
            self._openssl.clear_error()
            result = step()
            wants_more = result <= 0 and self._openssl.get_error(self._ssl, result) == _WANT_READ
            self._socket.sendall(self._output())
            if result > 0:
                return result
            if not wants_more or not (data := self._socket.recv(CHUNK)):
                raise EndedError
            self._openssl.bio_write(self._incoming, data, len(data))


def _run(attackers: Sequence[Attacker]) -> Counter[str]:
    """Run each in a process of its own; return what all have done."""
    if sys.platform == "win32":
        raise NotImplementedError("POSIX only")
    fork = multiprocessing.get_context("fork")
    answers = []
    for attacker in attackers:
        ours, theirs = fork.Pipe(duplex=False)
        fork.Process(target=_answer, args=(attacker, theirs), daemon=True).start()
        theirs.close()  # so that the end of a process is seen
        answers.append(ours)
    done: Counter[str] = Counter()
    for answer in answers:
        done.update(answer.recv())
    return done


def _answer(attacker: Attacker, answer: Pipe[Counter[str], None]) -> None:
    """Run one, in its process. It ends by itself, whatever became of the one that waits for the answer."""
    answer.send(attacker.run())


@click.command(context_settings={"show_default": True})
@click.option("--port", type=int, required=True, help="Where the server listens, on 127.0.0.1.")
@click.option("--strangers", type=int, default=0, help="Attackers that do not log in.")
@click.option("--sessions", type=int, default=0, help=f"Attackers that do, with the token in {TOKEN_VARIABLE}.")
@click.option("--kind", type=click.Choice(list(KINDS)), default="unrequested", help="Whether to ask for answers.")
@click.option("--seconds", type=click.FloatRange(0, 600), default=5.0, help="How long, from when they are ready.")
def main(port: int, strangers: int, sessions: int, kind: str, seconds: float) -> None:
    """Send KeyUpdates to a server of yours, as fast as OpenSSL makes them."""
    token = os.environ.get(TOKEN_VARIABLE)
    if sessions and not token:
        raise click.UsageError(f"sessions need a token, in the environment variable {TOKEN_VARIABLE}")
    try:
        OpenSsl()
    except UnusableError as error:
        raise click.ClickException(f"no OpenSSL that could be called: {error}") from error
    who = [None] * strangers + [token] * sessions
    done = Counter(dict.fromkeys(("connections", "logins", "sent_bytes", "ended", "failed"), 0))
    done.update(_run([Attacker(port, one, KINDS[kind], seconds) for one in who]))
    done["key_updates"] = done.pop("sent_bytes") // RECORD_BYTES
    click.echo(json.dumps(done))


if __name__ == "__main__":
    sys.exit(main())
