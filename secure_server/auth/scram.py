"""The server's side of the mutual handshake: RFC 5802 by `scramp`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from scramp import ScramException, ScramMechanism
from scramp.core import CBindData

from secure_protocol.scram import BINDING, ITERATIONS, MECHANISM, MESSAGE_CHARACTERS
from secure_protocol.token import BASE62, ID_LENGTH
from secure_server.auth.scram_keys import Salted

MALFORMED = "other-error"
"""RFC 5802's word for what has none of its own."""

_FIRST = re.compile(rf"[^,]{{1,64}},[^,]{{0,64}},n=([{BASE62}]{{{ID_LENGTH}}}),r=[^,]+")
_PRINTABLE = re.compile(rf"[\x20-\x7e]{{1,{MESSAGE_CHARACTERS}}}")
_CERTIFICATES = 16
"""Whose hashes are remembered: reading a certificate takes longer than the rest of an exchange."""


class ExchangeError(Exception):
    """An exchange came to nothing.

    Attributes:
        word: why, as RFC 5802 section 7 lists it (`invalid-proof`); for peers, too.
    """

    def __init__(self, word: str) -> None:
        super().__init__(f"the SCRAM exchange failed: {word}")
        self.word = word


@lru_cache(_CERTIFICATES)
def end_point(der: bytes) -> bytes:
    """The channel binding `tls-server-end-point` of a certificate (RFC 5929 section 4.1).

    Args:
        der: the leaf that a connection was served. The hash is that of its signature, and SHA-256 where that is weaker;
            RFC 5929 leaves Ed25519 undefined, and here it is the SHA-512 that is part of it.

    Raises:
        ExchangeError: its signature has no such hash (Ed448), so nothing can be bound to it.
    """
    try:
        return bytes(CBindData.from_der(der))
    except (ScramException, TypeError) as error:  # TypeError: a hash of no fixed length, which the library forgets
        raise ExchangeError("channel-binding-not-supported") from error


class Exchange:
    """One handshake, from the client's first message to the server's last.

    Args:
        find: the salt and keys of an id; it knows some for every id.
        binding: what this connection is bound to, by `end_point`.

    Attributes:
        token_id: whom the client says it is; empty before `begin`.
    """

    def __init__(self, find: Callable[[str], Salted], binding: bytes) -> None:
        self.token_id = ""
        self._find = find
        self._server = ScramMechanism(MECHANISM).make_server(self._look_up, (BINDING, binding))

    def begin(self, message: str) -> str:
        """Take `client-first-message`, and return `server-first-message`.

        Raises:
            ExchangeError: it is none, or asks for what there is not.
        """
        # Before the library sees it: preparing a name of kilobytes as RFC 4013 asks takes it tens of milliseconds.
        match = _FIRST.match(message) if _PRINTABLE.fullmatch(message) else None
        if match is None:
            raise ExchangeError(MALFORMED)
        self.token_id = match[1]
        try:
            self._server.set_client_first(message)
            return str(self._server.get_server_first())
        except ScramException as error:
            raise _refused(error) from error

    def finish(self, message: str) -> str:
        """Take `client-final-message`, and return `server-final-message`, by which the server proves itself.

        Raises:
            ExchangeError: the client does not know the secret, or is bound to another certificate.
        """
        if _PRINTABLE.fullmatch(message) is None:
            raise ExchangeError(MALFORMED)
        try:
            self._server.set_client_final(message)
            return str(self._server.get_server_final())
        except ScramException as error:
            raise _refused(error) from error

    def _look_up(self, token_id: str) -> tuple[bytes, bytes, bytes, int]:
        salt, keys = self._find(token_id)
        return salt, keys.stored_key, keys.server_key, ITERATIONS


def _refused(error: ScramException) -> ExchangeError:
    word = error.server_error
    return ExchangeError(MALFORMED if word is None else str(word.value))
