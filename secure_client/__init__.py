"""The client: a library (`Client`) and a terminal program (`secure-client`).

Layers, each of which knows only those before it:

    errors, endpoint   what can go wrong, and where a server is
    tls                the certificate check, always on
    connection         one connection: TLS, authentication, requests and replies
    backoff, link      the thread that owns a connection and replaces a lost one
    client             the library's face: any thread, Python values, exceptions
    profiles, token_source, cli, terminal   the program
"""

from secure_client.client import Client
from secure_client.endpoint import Endpoint
from secure_client.errors import (
    AuthenticationError,
    CertificateError,
    ClientError,
    CommandFailed,
    ConnectError,
    ConnectionLostError,
    EndedByServerError,
    NoAnswerError,
    RevokedError,
    SetupError,
    TooManyRequestsError,
)
from secure_client.link import State, Status
from secure_client.login import Login

__all__ = [
    "AuthenticationError",
    "CertificateError",
    "Client",
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
    "TooManyRequestsError",
]
