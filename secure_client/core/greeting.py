"""What is said until the server lets us in: HELLO, and before it the mutual handshake.

That is SCRAM-SHA-256-PLUS: we prove that we know the token without sending it, and so does the server. Both proofs
cover the certificate that this connection was served, so whoever relays them from another one fails. It never gives way
to showing the token itself: that a server cannot do it is what somebody in between would say, too.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from secure_client.core.closing import Closing, retry_after
from secure_client.core.endpoint import Endpoint
from secure_client.core.login import Login, Mechanism, Session
from secure_client.errors import (
    SENTENCE_CHARACTERS,
    AuthenticationError,
    CertificateError,
    ClientError,
    ConnectError,
    SetupError,
    TokenWantedError,
    spoken,
)
from secure_client.i18n import _
from secure_protocol.errors import ErrorCode
from secure_protocol.printable import printable
from secure_protocol.reasons import CloseReason
from secure_protocol.replies import ErrorReply
from secure_protocol.scram import MECHANISM, WRONG_BINDING
from secure_protocol.token import Token

Words = list[str]
Greeting = Generator[Words, object, Session]
"""Yields what to ask, is sent the replies, and returns the session; raises a ClientError where there is none."""
Greeter = Callable[[Login, bytes | None], Greeting]
"""Such as `greet`."""

_NOT_KNOWN = (ErrorCode.NOMECHANISM, ErrorCode.WRONGPASS, ErrorCode.ERR)
"""How servers answer the first message that do not know the mechanism, or do not want it; some take it for a token."""


def greet(login: Login, certificate: bytes | None) -> Greeting:
    """Say who we are, and have the server prove who it is.

    Args:
        login: where and as whom.
        certificate: that the server was verified by, in DER; None without TLS.

    Raises:
        AuthenticationError: the token was refused, or a client certificate is wanted, or ours is not taken.
        CertificateError: the server cannot prove itself.
        ConnectError: what answers is no such server, or it takes nobody now.
        SetupError: there is no TLS for the mutual handshake to be bound to.
        EndedByServerError: it closed on purpose.
    """
    hello = ["HELLO", "3"]
    if login.token is not None:
        if login.mechanism is Mechanism.BEARER:
            hello += ["AUTH", "default", login.token.reveal()]
        else:
            yield from _shake_hands(login, login.token, certificate)
    reply = yield [*hello, "SETNAME", login.name]
    if isinstance(reply, ErrorReply):
        raise refusal(login, reply)
    if login.language is not None:
        yield ["LANG", login.language]  # an unknown language leaves the server's own
    return Session.from_wire(reply)


def _shake_hands(login: Login, token: Token, certificate: bytes | None) -> Generator[Words, object, None]:
    from secure_client.core.scram import ScramClient, ScramError  # noqa: PLC0415 - a Unix socket's client needs none

    scram = ScramClient(token.id, token.secret, _binding(login.endpoint, certificate))
    first = yield ["AUTH", MECHANISM, scram.first()]
    if isinstance(first, ErrorReply):
        raise _not_known(login.endpoint, first) or refusal(login, first)
    try:
        message = scram.final(first)
    except ScramError:
        raise _unproved(login.endpoint) from None
    final = yield ["AUTH", MECHANISM, message]
    if isinstance(final, ErrorReply):
        raise _relayed(login.endpoint, final) or refusal(login, final)
    try:
        scram.verify(final)
    except ScramError:
        raise _unproved(login.endpoint) from None


def _binding(endpoint: Endpoint, certificate: bytes | None) -> bytes:
    from secure_client.core.scram import end_point  # noqa: PLC0415 - as above

    if certificate is None:
        sentence = _("{endpoint} has no TLS, which the mutual handshake needs; it takes no token either.")
        raise SetupError(sentence.format(endpoint=endpoint))
    try:
        return end_point(certificate)
    except ValueError:
        sentence = _(
            "The certificate of {endpoint} is of a kind that the mutual handshake cannot be bound to: "
            "the server needs an RSA, ECDSA or Ed25519 one."
        )
        raise CertificateError(sentence.format(endpoint=endpoint)) from None


def refusal(login: Login, reply: ErrorReply) -> ClientError:
    """Return what an error in reply to a greeting means, and what to do."""
    endpoint = login.endpoint
    if reply.code == ErrorCode.CLOSED:
        return Closing.from_error(reply).error(endpoint)
    if reply.code == ErrorCode.BANNED:
        wait = retry_after(reply.text, CloseReason.BANNED)
        return Closing(CloseReason.BANNED, wait, _without_retry(reply)).error(endpoint)
    if reply.code in (ErrorCode.WRONGPASS, ErrorCode.NOPERM):
        sentence = _(
            "The token was refused by {endpoint} ({code}). Check that it is one of this server's and "
            "was not revoked, or ask the administrator for a new one."
        )
        return AuthenticationError(sentence.format(endpoint=endpoint, code=reply.code))
    if reply.code == ErrorCode.NOMECHANISM:
        sentence = _("{endpoint} takes a token by the mutual handshake alone: leave out --mechanism bearer.")
        return AuthenticationError(sentence.format(endpoint=endpoint))
    if reply.code == ErrorCode.NOAUTH:
        if login.trust.certificate is not None and login.token is None:
            sentence = _(
                "{endpoint} takes your client certificate, and wants a token besides: set SECURE_CLIENT_TOKEN or "
                "give --token-file."
            )
        else:
            sentence = _("{endpoint} wants a token: set SECURE_CLIENT_TOKEN or give --token-file.")
        return TokenWantedError(sentence.format(endpoint=endpoint))
    if reply.code in (ErrorCode.THROTTLED, ErrorCode.DRAINING):
        return _throttled(endpoint, reply)
    said = f"{printable(reply.code)} {printable(reply.text, SENTENCE_CHARACTERS)}"
    sentence = _("{endpoint} does not speak this client's protocol, it answered: {said}")
    return ConnectError(sentence.format(endpoint=endpoint, said=said))


def _throttled(endpoint: Endpoint, reply: ErrorReply) -> ConnectError:
    wait = retry_after(reply.text)
    when = _("later") if wait is None else _("in {seconds} s").format(seconds=spoken(wait))
    said = _without_retry(reply)
    sentence = _("{endpoint} does not let you in now ({code}: {said}). Try again {when}.")
    return ConnectError(sentence.format(endpoint=endpoint, code=reply.code, said=said, when=when), wait)


def _without_retry(reply: ErrorReply) -> str:
    """Return an error's words without those for programs."""
    return printable(reply.text, SENTENCE_CHARACTERS).partition("; retry-after=")[0]


def _not_known(endpoint: Endpoint, reply: ErrorReply) -> ClientError | None:
    """Say what an error in reply to the first message means, if it is that there is no such handshake."""
    if reply.code not in _NOT_KNOWN:
        return None
    sentence = _(
        "{endpoint} does not take the mutual handshake ({code}: {said}), which keeps the token secret. If you are "
        "sure of that server, let it see the token itself: --mechanism bearer, here or in the profile."
    )
    said = printable(reply.text, SENTENCE_CHARACTERS)
    return AuthenticationError(sentence.format(endpoint=endpoint, code=printable(reply.code), said=said))


def _relayed(endpoint: Endpoint, reply: ErrorReply) -> ClientError | None:
    """Say what an error in reply to the final message means, if it is that the server saw another certificate."""
    if f"e={WRONG_BINDING}" not in reply.text:
        return None
    sentence = _(
        "Somebody stands between you and {endpoint}: the certificate that you were served is not the one that the "
        "server shows. Your token was not given away. Do not go on; ask the administrator who made that "
        "certificate (a proxy that ends TLS looks the same)."
    )
    return CertificateError(sentence.format(endpoint=endpoint))


def _unproved(endpoint: Endpoint) -> ClientError:
    sentence = _(
        "{endpoint} could not prove that it knows your token, so it is not the server that gave it out. Your token "
        "was not given away. Do not go on; ask the administrator who answers there."
    )
    return CertificateError(sentence.format(endpoint=endpoint))
