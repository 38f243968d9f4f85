"""How a stream to the server is opened, and what it means where that fails."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from secure_client.connection.transport import Transport, Wait, is_of_tls, reason, tune
from secure_client.core.endpoint import Endpoint
from secure_client.core.trust import Trust
from secure_client.errors import ClientError, ConnectError
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
        from secure_client.connection import tls  # noqa: PLC0415 - takes long, and a Unix socket has none

        context = context or tls.make_context(trust)
        plain = _connect(endpoint, wait, deadline, clock)
        return tls.TlsTransport.over(plain, context, endpoint.dns_name, wait, deadline)


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


def _unreachable(endpoint: Endpoint, error: OSError) -> str:
    if endpoint.path is not None:
        sentence = _("Cannot reach {endpoint}: {why}. Is the server running, and is the socket yours to open?")
    else:
        sentence = _("Cannot reach {endpoint}: {why}. Is the server running, and is this its address?")
    return sentence.format(endpoint=endpoint, why=reason(error))
