"""A stream of bytes to the server: TCP with TLS, or a Unix socket without.

The socket is non-blocking, and only the thread that opened it may use it (OpenSSL forbids concurrent use of one SSL
object). Waiting is the caller's: `connect` is given a function that waits for the socket, so that whoever drives it can
be woken for other reasons, such as the user leaving.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import socket
import ssl
from collections.abc import Callable, Iterator

from secure_client.connection import tls
from secure_client.core.endpoint import Endpoint
from secure_client.core.trust import Trust
from secure_client.errors import ConnectError
from secure_client.i18n import _
from secure_protocol.printable import printable

LINGER_TIMEOUT = 0.5
"""Seconds to wait at the end for the server's own close: closing with unread bytes would reset the connection."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds, seconds, probes: a peer that vanished is noticed within a minute. No request of ours does that, for it would
keep an idle session from ending."""
CHUNK_BYTES = 64 * 1024
"""Read or written at once; four TLS records."""

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)}

Wait = Callable[[socket.socket, int, float], None]
"""`wait(socket, events, deadline)` returns when the socket is ready for `selectors.EVENT_…`, or raises TimeoutError."""


class TlsSocket(ssl.SSLSocket):
    """Closed where the line was reset before TLS began.

    `wrap_socket` finds that out too, and leaves the socket that it has made open, for the collector to find (CPython
    before 3.13).
    """

    def getpeername(self) -> object:
        """Return the other end's address.

        Raises:
            ConnectionResetError: there is none any more.
            OSError: it cannot be told.
        """
        try:
            return super().getpeername()
        except OSError as error:
            self.close()
            if error.errno == errno.ENOTCONN:
                raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from None
            raise


class Transport:
    """One stream, driven by one thread; `open_transport` makes it.

    Attributes:
        socket: to be waited for.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected

    @property
    def certificate(self) -> bytes | None:
        """The server's, in DER; None without TLS."""
        return self.socket.getpeercert(binary_form=True) if isinstance(self.socket, ssl.SSLSocket) else None

    def send(self, data: bytes | bytearray) -> int:
        """Send from the front of `data`; return how many bytes the network took, 0 when it takes none now.

        Raises:
            OSError: the connection broke.
        """
        try:
            return self.socket.send(data[:CHUNK_BYTES])
        except _WOULD_BLOCK:
            return 0

    def receive(self) -> bytes | None:
        """Return what came, `b""` at the end of the stream, or None when nothing is there now.

        Raises:
            OSError: the connection broke, or TLS ended without close_notify.
        """
        try:
            return self.socket.recv(CHUNK_BYTES)
        except _WOULD_BLOCK:
            return None

    def close(self, clock: Callable[[], float]) -> None:
        """End TLS and TCP so that the peer sees an end and not a reset; at most `LINGER_TIMEOUT`."""
        with contextlib.suppress(OSError, ValueError):
            if isinstance(self.socket, ssl.SSLSocket):
                with contextlib.suppress(*_WOULD_BLOCK, ssl.SSLError):
                    self.socket.unwrap()  # once: it sends close_notify; waiting for the peer's is the lingering's part
            # The plain socket's shutdown: SSLSocket's own would drop the TLS layer first.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
            _linger(self.socket, clock() + LINGER_TIMEOUT, clock)
        self.socket.close()


def open_transport(
    endpoint: Endpoint,
    trust: Trust,
    wait: Wait,
    deadline: float,
    clock: Callable[[], float],
    context: ssl.SSLContext | None = None,
) -> Transport:
    """Connect and check the certificate, all before `deadline` on the clock.

    Args:
        endpoint: the server.
        trust: whom to believe.
        wait: waits for the socket.
        deadline: monotonic seconds.
        clock: monotonic seconds.
        context: of TLS, in place of the one that `trust` makes; for `secure_client.enrolment`.

    Raises:
        SetupError: a file of the trust cannot be used.
        ConnectError: the server cannot be reached.
        CertificateError: it cannot prove who it is.
    """
    with explained(endpoint, trust):
        if endpoint.path is not None:
            return Transport(_connect_unix(str(endpoint.path), wait, deadline))
        context = context or tls.make_context(trust)
        plain = _connect(endpoint, wait, deadline, clock)
        return Transport(_handshake(plain, context, endpoint.dns_name, wait, deadline))


@contextlib.contextmanager
def explained(endpoint: Endpoint, trust: Trust) -> Iterator[None]:
    """Say of what goes wrong while a transport is opened what it means, and what to do.

    Raises:
        ConnectError: the server cannot be reached.
        CertificateError: it cannot prove who it is.
    """
    try:
        yield
    except ssl.SSLError as error:
        raise tls.explain(error, endpoint, trust) from None
    except TimeoutError:
        sentence = _("Cannot reach {endpoint}: no answer in time. Check the address and the firewalls.")
        raise ConnectError(sentence.format(endpoint=endpoint)) from None
    except (socket.gaierror, UnicodeError):
        sentence = _("Cannot reach {endpoint}: there is no host `{host}`. Check the name for a typo.")
        raise ConnectError(sentence.format(endpoint=endpoint, host=printable(endpoint.host))) from None
    except OSError as error:
        raise ConnectError(_unreachable(endpoint, error)) from None


def reason(error: OSError) -> str:
    """Return why a connection broke, in the operating system's or OpenSSL's words."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "TLS error").lower().replace("_", " ")
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]


def _connect(endpoint: Endpoint, wait: Wait, deadline: float, clock: Callable[[], float]) -> socket.socket:
    found = socket.getaddrinfo(endpoint.dns_name.encode("ascii"), endpoint.port, type=socket.SOCK_STREAM)
    addresses = [(family, address) for family, _, _, _, address in found]
    failure: OSError | None = None
    for number, (family, address) in enumerate(addresses):
        now = clock()
        share = now + (deadline - now) / (len(addresses) - number)  # one dead address leaves time for the others
        plain = socket.socket(family, socket.SOCK_STREAM)
        try:
            tune(plain)
            _connect_to(plain, address, wait, share)
        except OSError as error:
            plain.close()
            failure = error
        except BaseException:
            plain.close()
            raise
        else:
            return plain
    raise failure or OSError(errno.EHOSTUNREACH, "")


def _connect_unix(path: str, wait: Wait, deadline: float) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "")
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect_to(plain, path, wait, deadline)
    except BaseException:
        plain.close()
        raise
    return plain


def _connect_to(plain: socket.socket, address: object, wait: Wait, deadline: float) -> None:
    plain.settimeout(0)
    code = plain.connect_ex(address)  # type: ignore[arg-type]  # what getaddrinfo gives for the family
    if code in _IN_PROGRESS:
        wait(plain, selectors.EVENT_WRITE, deadline)
        code = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, errno.errorcode.get(code, ""))


def tune(plain: socket.socket) -> None:
    """Set what every TCP socket of ours has."""
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a command is one small packet that should go at once
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):  # not on every platform
            plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _handshake(plain: socket.socket, context: ssl.SSLContext, host: str, wait: Wait, deadline: float) -> socket.socket:
    context.sslsocket_class = TlsSocket
    secured = context.wrap_socket(
        plain,
        server_hostname=host.encode("ascii"),  # a str would bring the tables of IDNA
        do_handshake_on_connect=False,
        suppress_ragged_eofs=False,  # an end without close_notify is a lost connection, not a goodbye
    )
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                wait(secured, selectors.EVENT_READ, deadline)
            except ssl.SSLWantWriteError:
                wait(secured, selectors.EVENT_WRITE, deadline)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


def _linger(plain: socket.socket, deadline: float, clock: Callable[[], float]) -> None:
    while (left := deadline - clock()) > 0:
        readable, _, _ = select.select([plain], [], [], left)
        if not readable or not socket.socket.recv(plain, CHUNK_BYTES):
            return


def _unreachable(endpoint: Endpoint, error: OSError) -> str:
    if endpoint.path is not None:
        sentence = _("Cannot reach {endpoint}: {why}. Is the server running, and is the socket yours to open?")
    else:
        sentence = _("Cannot reach {endpoint}: {why}. Is the server running, and is this its address?")
    return sentence.format(endpoint=endpoint, why=reason(error))
