"""The client: a library (`Client`) and a terminal program (`secure-client`).

Layers, each of which knows only those before it:

    i18n, errors   sentences in the language of the environment, and what can go wrong
    connection/    one connection, and the thread that owns it and replaces a lost one
    job            a run at the server that is followed
    client         the library's face: any thread, Python values, exceptions
    profiles/      saved servers, and how one is enrolled
    typed/         a typed line before it is sent: its words, files and question
    terminal/      what a person sees and types
    cli/           the program
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_client.client import Client
    from secure_client.connection.endpoint import Endpoint
    from secure_client.connection.link import State, Status
    from secure_client.connection.login import Login
    from secure_client.connection.watch import Part
    from secure_client.errors import (
        AuthenticationError,
        BusyError,
        CertificateError,
        ClientCertificateError,
        ClientError,
        CommandFailed,
        ConnectError,
        ConnectionLostError,
        DetachedError,
        EndedByServerError,
        JobLostError,
        NoAnswerError,
        NoJobsError,
        RevokedError,
        SetupError,
        TokenWantedError,
        TooLongError,
        TooManyRequestsError,
    )
    from secure_client.job import Job

__all__ = [
    "AuthenticationError",
    "BusyError",
    "CertificateError",
    "Client",
    "ClientCertificateError",
    "ClientError",
    "CommandFailed",
    "ConnectError",
    "ConnectionLostError",
    "DetachedError",
    "EndedByServerError",
    "Endpoint",
    "Job",
    "JobLostError",
    "Login",
    "NoAnswerError",
    "NoJobsError",
    "Part",
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
    "Endpoint": "connection.endpoint",
    "Job": "job",
    "Login": "connection.login",
    "Part": "connection.watch",
    "State": "connection.link",
    "Status": "connection.link",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for (PEP 562): a program that needs a part waits for no more than that."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
