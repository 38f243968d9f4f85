"""A connected socket under TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Protocol, cast


class Tls(Protocol):
    """OpenSSL's end of a connection. Its methods raise as those of `ssl.SSLSocket` do."""

    def do_handshake(self) -> None:
        """Go on with the handshake."""

    def read(self, length: int, /) -> bytes:
        """Return what came, decrypted."""
        ...

    def write(self, data: bytes | bytearray, /) -> int:
        """Send; return how much of it went."""
        ...

    def selected_alpn_protocol(self) -> str | None:
        """What was agreed on."""

    def getpeercert(self, binary_form: bool, /) -> bytes | None:  # noqa: FBT001 - the standard library's
        """The certificate that the peer showed, DER."""

    def version(self) -> str | None:
        """`TLSv1.3`."""

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol, secret bits."""

    def shutdown(self) -> object:
        """Say close_notify; `SSLSocket` calls this `unwrap`."""


class TlsSocket:
    """The server's end: the socket, and its TLS beside it.

    `ssl.SSLSocket` is both in one object, and takes about 30 Python frames and 6 system calls to make, to shake hands
    with and to take apart again, and 0.3 KB; its `recv` and `send` pass through two frames each before they reach
    OpenSSL's object, 4 µs of CPU a request. So this goes to that object directly, by a private method of the standard
    library; where there is none, or another one, an `SSLSocket` does the same.

    Args:
        raw: connected, and from here on in the care of this object.
        context: the server's.

    Raises:
        OSError, ValueError: the peer was gone before we began.

    Attributes:
        raw: the socket below, for what concerns the connection and not its bytes.
        tls: reads, writes and tells of the handshake.
    """

    __slots__ = ("raw", "tls")

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        wrap = getattr(context, "_wrap_socket", None)
        self.raw = raw
        self.tls: Tls
        if wrap is not None:
            self.tls = wrap(raw, server_side=True)
        else:
            raw.getpeername()  # of a peer that is gone, wrap_socket would leave the descriptor to the collector
            self.raw = context.wrap_socket(
                raw, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
            self.tls = cast("Tls", self.raw)  # but for `shutdown`, see `end`

    def fileno(self) -> int:
        """Return the descriptor."""
        return self.raw.fileno()

    def end(self) -> socket.socket:
        """Say close_notify, and return the plain socket below, which is the caller's to close.

        One try: where TLS is not established, the peer is gone, or (the ordinary case) its own close_notify has not
        come yet, there is no more to gain.
        """
        whole = self.raw if isinstance(self.raw, ssl.SSLSocket) else None
        with contextlib.suppress(OSError, ValueError):
            if whole is None:
                self.tls.shutdown()
            else:
                whole.unwrap()
        if whole is None:
            return self.raw
        plain = socket.socket(whole.family, whole.type, fileno=whole.detach())  # whole.shutdown() would drop the TLS
        plain.settimeout(0)
        return plain


class PlainStream:
    """What reads and writes a socket without TLS by the same names: the admin socket's.

    Args:
        sock: connected, non-blocking.
    """

    __slots__ = ("read", "write")

    def __init__(self, sock: socket.socket) -> None:
        self.read = sock.recv
        self.write = sock.send


def stream_of(sock: TlsSocket | socket.socket) -> Tls | PlainStream:
    """Return what reads and writes an established connection, by the shortest way there is.

    Args:
        sock: connected, with TLS established if it is TLS; it must outlive what is returned.
    """
    return sock.tls if isinstance(sock, TlsSocket) else PlainStream(sock)
