"""The client: a library (`Client`) and a terminal program (`secure-client`).

Layers, each of which knows only those before it:

    i18n, errors   sentences in the language of the environment, and what can go wrong
    core/          what is decided about a connection, sans I/O: the greeting, what is in flight, what is repeated
    connection/    the sockets, and the thread that drives the core with them
    job, stream, pipeline, pushes   what the library's user has of a run, of an answer, of many, and of news
    face           what is the same of both clients
    client         the library's face: any thread, Python values, exceptions
    asynchronous/  the same for tasks of an event loop
    profiles/      saved servers
    enrolment      how one line makes a client that is let in
    typed/         a typed line before it is sent: its words, files and question
    answers/       how answers are written, for people and for programs
    terminal/      what a person sees and types
    cli/           the program
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from secure_client.asynchronous.client import AsyncClient
    from secure_client.asynchronous.job import AsyncJob
    from secure_client.asynchronous.stream import AsyncPushes, AsyncStream
    from secure_client.client import Client
    from secure_client.core.endpoint import Endpoint
    from secure_client.core.jobs import JobRow
    from secure_client.core.login import Login
    from secure_client.core.status import State, Status
    from secure_client.core.watch import Part
    from secure_client.errors import (
        AuthenticationError,
        BannedError,
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
        OutcomeUnknown,
        RevokedError,
        SetupError,
        TokenWantedError,
        TooLongError,
        TooManyRequestsError,
        UnexpectedReplyError,
    )
    from secure_client.job import Job
    from secure_client.pushes import Pushes
    from secure_client.stream import Stream

__all__ = [
    "AsyncClient",
    "AsyncJob",
    "AsyncPushes",
    "AsyncStream",
    "AuthenticationError",
    "BannedError",
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
    "JobRow",
    "Login",
    "NoAnswerError",
    "NoJobsError",
    "OutcomeUnknown",
    "Part",
    "Pushes",
    "RevokedError",
    "SetupError",
    "State",
    "Status",
    "Stream",
    "TokenWantedError",
    "TooLongError",
    "TooManyRequestsError",
    "UnexpectedReplyError",
]

_HOMES = {  # of all but the errors
    "AsyncClient": "asynchronous.client",
    "AsyncJob": "asynchronous.job",
    "AsyncPushes": "asynchronous.stream",
    "AsyncStream": "asynchronous.stream",
    "JobRow": "core.jobs",
    "Pushes": "pushes",
    "Stream": "stream",
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
