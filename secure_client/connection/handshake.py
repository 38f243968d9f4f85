"""The mutual handshake, SCRAM-SHA-256-PLUS: we prove that we know the token without sending it, and so does the server.

Both proofs cover the certificate that this connection was served, so whoever relays them from another one fails.
It never gives way to showing the token itself: that a server cannot do it is what somebody in between would say, too.
"""

from __future__ import annotations

import socket
import ssl

from scramp import ScramClient, ScramException

from secure_client.connection.endpoint import Endpoint
from secure_client.errors import SENTENCE_CHARACTERS, AuthenticationError, CertificateError, ClientError, SetupError
from secure_client.i18n import _
from secure_protocol.errors import ErrorCode
from secure_protocol.printable import printable
from secure_protocol.replies import ErrorReply
from secure_protocol.scram import BINDING, MECHANISM, WRONG_BINDING
from secure_protocol.token import Token

MOST_ITERATIONS = 100_000
"""Rounds that a server may ask for, 24 times what ours does: some 70 ms. More is somebody who wants our CPU."""

_NOT_KNOWN = (ErrorCode.NOMECHANISM, ErrorCode.WRONGPASS, ErrorCode.ERR)
"""How servers answer the first message that do not know the mechanism, or do not want it; some take it for a token."""


class Handshake:
    """One exchange, sans I/O: messages in, messages out, in this order.

    Args:
        token: whose secret is proved, and not sent.
        secured: the connection that it is bound to.
        endpoint: to name it in errors.

    Raises:
        SetupError: the connection has no TLS to be bound to.
        CertificateError: nothing can be bound to the server's certificate.
    """

    def __init__(self, token: Token, secured: socket.socket, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        if not isinstance(secured, ssl.SSLSocket):
            sentence = _("{endpoint} has no TLS, which the mutual handshake needs; it takes no token either.")
            raise SetupError(sentence.format(endpoint=endpoint))
        try:
            self._scram = ScramClient([MECHANISM], token.id, token.secret, (BINDING, secured))
        except (ScramException, TypeError):  # TypeError: a hash of no fixed length (Ed448), which the library forgets
            sentence = _(
                "The certificate of {endpoint} is of a kind that the mutual handshake cannot be bound to: "
                "the server needs an RSA, ECDSA or Ed25519 one."
            )
            raise CertificateError(sentence.format(endpoint=endpoint)) from None

    def first(self) -> str:
        """Return `client-first-message` (RFC 5802 section 7)."""
        return str(self._scram.get_client_first())

    def final(self, server_first: object) -> str:
        """Take `server-first-message`, and return `client-final-message`. Takes about 3 ms.

        Raises:
            CertificateError: it is none, so what answers is no server of ours.
        """
        try:
            self._scram.set_server_first(_ascii(server_first))
            if int(self._scram.iterations) > MOST_ITERATIONS:
                raise self._unproved()
            return str(self._scram.get_client_final())
        except ScramException:
            raise self._unproved() from None

    def verify(self, server_final: object) -> None:
        """Take `server-final-message`, by which the server proves itself.

        Raises:
            CertificateError: it does not.
        """
        try:
            self._scram.set_server_final(_ascii(server_final))
        except ScramException:
            raise self._unproved() from None

    def not_known(self, reply: ErrorReply) -> ClientError | None:
        """Say what an error in reply to the first message means, if it is that there is no such handshake."""
        if reply.code not in _NOT_KNOWN:
            return None
        sentence = _(
            "{endpoint} does not take the mutual handshake ({code}: {said}), which keeps the token secret. If you are "
            "sure of that server, let it see the token itself: --mechanism bearer, here or in the profile."
        )
        said = printable(reply.text, SENTENCE_CHARACTERS)
        return AuthenticationError(sentence.format(endpoint=self._endpoint, code=printable(reply.code), said=said))

    def relayed(self, reply: ErrorReply) -> ClientError | None:
        """Say what an error in reply to the final message means, if it is that the server saw another certificate."""
        if f"e={WRONG_BINDING}" not in reply.text:
            return None
        sentence = _(
            "Somebody stands between you and {endpoint}: the certificate that you were served is not the one that the "
            "server shows. Your token was not given away. Do not go on; ask the administrator who made that "
            "certificate (a proxy that ends TLS looks the same)."
        )
        return CertificateError(sentence.format(endpoint=self._endpoint))

    def _unproved(self) -> ClientError:
        sentence = _(
            "{endpoint} could not prove that it knows your token, so it is not the server that gave it out. Your token "
            "was not given away. Do not go on; ask the administrator who answers there."
        )
        return CertificateError(sentence.format(endpoint=self._endpoint))


def _ascii(message: object) -> str:
    """Return a message as the library wants it: it encodes parts of what it was given, which lone surrogates break."""
    if not isinstance(message, str) or not message.isascii():
        raise ScramException("not a message")
    return message
