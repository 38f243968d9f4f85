"""The client: a library (`Client`) and a terminal program (`secure-client`).

Layers, each of which knows only those before it:

    i18n               sentences in the language of the environment
    errors, endpoint   what can go wrong, and where a server is
    tls                the certificate check, always on
    handshake          the proof that the token is known, of both sides
    connection         one connection: TLS, authentication, requests and replies
    parts, request     one command, and what comes of its answer before the end
    backoff, link      the thread that owns a connection and replaces a lost one
    client             the library's face: any thread, Python values, exceptions
    profiles, target, cli, terminal   the program
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_client.client import Client
    from secure_client.endpoint import Endpoint
    from secure_client.errors import (
        AuthenticationError,
        CertificateError,
        ClientCertificateError,
        ClientError,
        CommandFailed,
        ConnectError,
        ConnectionLostError,
        EndedByServerError,
        NoAnswerError,
        RevokedError,
        SetupError,
        TokenWantedError,
        TooLongError,
        TooManyRequestsError,
    )
    from secure_client.link import State, Status
    from secure_client.login import Login

__all__ = [
    "AuthenticationError",
    "CertificateError",
    "Client",
    "ClientCertificateError",
    "ClientError",
    "CommandFailed",
    "ConnectError",
    "ConnectionLostError",
    "EndedByServerError",
    "Endpoint",
    "Login",
    "NoAnswerError",
    "RevokedError",
    "SetupError",
    "State",
    "Status",
    "TokenWantedError",
    "TooLongError",
    "TooManyRequestsError",
]

_HOMES = {  # of all but the errors
    "Client": "client",
    "Endpoint": "endpoint",
    "Login": "login",
    "State": "link",
    "Status": "link",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for (PEP 562): a program that needs a part waits for no more than that."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
