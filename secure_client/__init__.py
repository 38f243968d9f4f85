"""The client: a library (`Client`) and a terminal program (`secure-client`).

Layers, each of which knows only those before it:

    i18n, errors   sentences in the language of the environment, and what can go wrong
    core/          what is decided about a connection, sans I/O: the greeting, what is in flight, what is repeated
    connection/    the sockets, and the thread that drives the core with them
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
    from secure_client.core.endpoint import Endpoint
    from secure_client.core.login import Login
    from secure_client.core.status import State, Status
    from secure_client.core.watch import Part
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
    "Endpoint": "core.endpoint",
    "Job": "job",
    "Login": "core.login",
    "Part": "core.watch",
    "State": "core.status",
    "Status": "core.status",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for (PEP 562): a program that needs a part waits for no more than that."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
