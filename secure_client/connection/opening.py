"""How a stream to the server is opened, and what it means where that fails."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from secure_client.connection.transport import Transport, Wait, is_of_tls, reason, tune
from secure_client.core.endpoint import Endpoint, TransportChoice
from secure_client.core.trust import Trust
from secure_client.errors import ClientError, ConnectError, SetupError
from secure_client.i18n import _
from secure_protocol.printable import printable

if TYPE_CHECKING:
    import ssl

_IN_PROGRESS = {errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", errno.EWOULDBLOCK)}


def open_transport(
    endpoint: Endpoint,
    trust: Trust,
    wait: Wait,
    deadline: float,
    clock: Callable[[], float],
    context: ssl.SSLContext | None = None,
    choice: TransportChoice = TransportChoice.TLS,
    last: str = "",
) -> Transport:
    """Connect and check the certificate, all before `deadline` on the clock.

    Args:
        endpoint: the server.
        trust: whom to believe.
        wait: waits for the socket.
        deadline: monotonic seconds.
        clock: monotonic seconds.
        context: of TLS, in place of the one that `trust` makes; for `secure_client.enrolment`.
        choice: TLS, QUIC, or whichever is there first.
        last: which kind it was last time, for that choice; empty where there was none.

    Raises:
        SetupError: a file of the trust cannot be used, or QUIC not at all.
        ConnectError: the server cannot be reached.
        CertificateError: it cannot prove who it is.
    """
    with explained(endpoint, trust):
        if endpoint.path is not None:
            return Transport(_connect_unix(str(endpoint.path), wait, deadline))
        from secure_client.connection import tls  # noqa: PLC0415 - takes long, and a Unix socket has none

        made = context or tls.make_context(trust)
        addresses = resolve(endpoint)

        def over_tls(wait: Wait) -> Transport:
            plain = _connect(addresses, wait, deadline, clock)
            return tls.TlsTransport.over(plain, made, endpoint.dns_name, wait, deadline)

        if not quic_wanted(choice, trust):
            return over_tls(wait)
        from secure_client.connection import quic_transport, racing  # noqa: PLC0415 - few have aioquic, and it takes long

        opening = quic_transport.QuicOpening(addresses, endpoint.dns_name, made, trust, deadline, clock)
        if choice is TransportChoice.AUTO:
            return racing.Race(opening, over_tls, wait, deadline, clock).run(tls_first=last == tls.TlsTransport.kind)
        with explained_quic(endpoint):
            return racing.alone(opening, wait, clock)


def quic_wanted(choice: TransportChoice, trust: Trust) -> bool:
    """Say whether QUIC is to be tried.

    Raises:
        SetupError: it is asked for, and cannot be had.
    """
    if choice is TransportChoice.TLS:
        return False
    import importlib.util  # noqa: PLC0415 - most connections are of TLS, and ask for nothing

    if importlib.util.find_spec("aioquic") is None:
        if choice is TransportChoice.AUTO:
            return False
        sentence = _("QUIC needs a library that is not installed: pip install 'secure-command-server[quic]'.")
        raise SetupError(sentence)
    if trust.certificate is not None:
        if choice is TransportChoice.AUTO:
            return False
        raise SetupError(_("Client certificates do not work over QUIC: leave out --cert, or use --transport tls."))
    return True


@contextlib.contextmanager
def explained_quic(endpoint: Endpoint) -> Iterator[None]:
    """Say of what is silence or refusal over QUIC alone that TLS may be there; leave anything else as it is.

    Raises:
        ConnectError: nobody answers.
    """
    try:
        yield
    except TimeoutError:
        sentence = _(
            "Cannot reach {endpoint} over QUIC: no answer in time. Something on the way may let no UDP through, or the "
            "server may have no QUIC: try --transport tls, or auto."
        )
        raise ConnectError(sentence.format(endpoint=endpoint)) from None
    except OSError as error:
        if is_of_tls(error) or isinstance(error, socket.gaierror):
            raise
        sentence = _("Cannot reach {endpoint} over QUIC: {why}. It may have none: try --transport tls, or auto.")
        raise ConnectError(sentence.format(endpoint=endpoint, why=reason(error))) from None


@contextlib.contextmanager
def explained(endpoint: Endpoint, trust: Trust) -> Iterator[None]:
    """Say of what goes wrong while a transport is opened what it means, and what to do.

    Raises:
        ConnectError: the server cannot be reached.
        CertificateError: it cannot prove who it is.
    """
    try:
        yield
    except TimeoutError:
        sentence = _("Cannot reach {endpoint}: no answer in time. Check the address and the firewalls.")
        raise ConnectError(sentence.format(endpoint=endpoint)) from None
    except (socket.gaierror, UnicodeError):
        sentence = _("Cannot reach {endpoint}: there is no host `{host}`. Check the name for a typo.")
        raise ConnectError(sentence.format(endpoint=endpoint, host=printable(endpoint.host))) from None
    except OSError as error:
        raise refusal(error, endpoint, trust) or ConnectError(_unreachable(endpoint, error)) from None


def refusal(error: OSError, endpoint: Endpoint, trust: Trust) -> ClientError | None:
    """Return what an error of TLS means; None where it is none."""
    if not is_of_tls(error):
        return None
    from secure_client.connection import tls  # noqa: PLC0415 - it is imported already

    return tls.explain(error, endpoint, trust)


def resolve(endpoint: Endpoint) -> list[tuple[int, tuple[object, ...]]]:
    """Return the server's addresses, each with its family.

    Raises:
        OSError: there is no such host.
    """
    found = socket.getaddrinfo(endpoint.dns_name.encode("ascii"), endpoint.port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _connect(
    addresses: Sequence[tuple[int, object]], wait: Wait, deadline: float, clock: Callable[[], float]
) -> socket.socket:
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


def _unreachable(endpoint: Endpoint, error: OSError) -> str:
    if endpoint.path is not None:
        sentence = _("Cannot reach {endpoint}: {why}. Is the server running, and is the socket yours to open?")
    else:
        sentence = _("Cannot reach {endpoint}: {why}. Is the server running, and is this its address?")
    return sentence.format(endpoint=endpoint, why=reason(error))
