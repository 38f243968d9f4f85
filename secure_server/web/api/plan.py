"""What a request asks of a session: the words to send, and how their answer is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from secure_protocol.description import CommandDescription
from secure_protocol.errors import CommandError
from secure_server.commands.command import Command
from secure_server.i18n import N_, Translate
from secure_server.web.api.arguments import words_of
from secure_server.web.api.openapi import openapi
from secure_server.web.message import Question

RUN, JOBS, JOB = re.compile(r"/v1/run/([^/]+)(?:/([^/]+))?"), "/v1/jobs", re.compile(r"/v1/jobs/(\d{1,15})(/output)?")
COMMANDS, OPENAPI = "/v1/commands", "/v1/openapi.json"
KEY_HEADER = "idempotency-key"

Find = Callable[[str], Command | None]
"""Returns a command by its name."""


class WrongRequestError(Exception):
    """It is refused before any command runs.

    Args:
        status: of the answer.
        error: its sentence.
        allow: the methods that there are, where it is that.
    """

    def __init__(self, status: HTTPStatus, error: CommandError, allow: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.error = error
        self.allow = allow


class Words(NamedTuple):
    """What is sent to the session.

    Attributes:
        words: of the command.
        leaves: it starts a job, whose number is the answer.
    """

    words: list[bytes]
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a request once its body is there.

    Attributes:
        words: makes them of the body, in the language of a translator; raises CommandError.
        shape: what becomes of the reply; None: it is told as it is, as the client asked for.
        takes_body: whether a body means anything.
    """

    words: Callable[[bytes, Translate], Words]
    shape: Callable[[object], object] | None = None
    takes_body: bool = False


class Asked(NamedTuple):
    """A request that a session answers.

    Attributes:
        question: its head.
        token: what it shows, as it came.
        plan: what it is about.
    """

    question: Question
    token: str
    plan: Plan

    def __repr__(self) -> str:
        return f"Asked({self.question.method} {self.question.path})"  # without the token


def is_ours(path: str) -> bool:
    """Whether a path is one of these."""
    return path in (COMMANDS, OPENAPI, JOBS) or path.startswith(("/v1/run/", "/v1/jobs/"))


def plan(question: Question, find: Find) -> Plan:
    """Return what a request is about.

    Raises:
        WrongRequestError: it is about nothing, or in no way that there is.
    """
    path, method = question.path, question.method
    if path == COMMANDS:
        _only(method, "GET")
        return Plan(lambda _body, _translate: Words([b"COMMANDS"]), lambda reply: reply)
    if path == OPENAPI:
        _only(method, "GET")
        return Plan(lambda _body, _translate: Words([b"COMMANDS"]), openapi)
    if path == JOBS:
        _only(method, "GET")
        return Plan(lambda _body, _translate: Words([b"JOBS"]), lambda reply: reply)
    if (job := JOB.fullmatch(path)) is not None:
        return _of_job(method, job[1].encode(), question, output=job[2] is not None)
    if (run := RUN.fullmatch(path)) is not None:
        _only(method, "POST")
        return _of_run(" ".join(unquote(part) for part in run.groups() if part), question, find)
    raise _nothing()


def _nothing() -> WrongRequestError:
    return WrongRequestError(HTTPStatus.NOT_FOUND, CommandError(N_("There is nothing at this address.")))


def _only(method: str, *allowed: str) -> None:
    if method not in allowed:
        names = ", ".join(allowed)
        error = CommandError(N_("Use one of these methods: {names}."), names=names)
        raise WrongRequestError(HTTPStatus.METHOD_NOT_ALLOWED, error, names)


def _of_job(method: str, number: bytes, question: Question, *, output: bool) -> Plan:
    if output:
        _only(method, "GET")
        start = parse_qs(question.query).get("from", ["0"])[0].encode()
        return Plan(lambda _body, _translate: Words([b"JOB", b"OUTPUT", number, start]), lambda reply: reply)
    _only(method, "GET", "DELETE")
    verb = b"SHOW" if method == "GET" else b"CANCEL"
    if verb == b"SHOW" and "text/event-stream" in (question.header("accept") or ""):
        return Plan(lambda _body, _translate: Words([b"JOB", b"ATTACH", number]))
    return Plan(lambda _body, _translate: Words([b"JOB", verb, number]), lambda reply: reply)


def _of_run(name: str, question: Question, find: Find) -> Plan:
    command = find(name.upper())
    if command is None or command.of_connection or command.internal:
        raise WrongRequestError(
            HTTPStatus.NOT_FOUND, CommandError(N_("There is no command {name} over HTTP."), name=name[:80])
        )
    key = question.header(KEY_HEADER)
    accept = question.header("accept") or ""
    leaves = "respond-async" in (question.header("prefer") or "")
    streamed = "text/event-stream" in accept or "text/plain" in accept
    leaves = leaves or (command.job and not streamed)

    def words(body: bytes, translate: Translate) -> Words:
        described: CommandDescription = command.describe(translate)
        called = words_of(described, body)
        if not (leaves or command.job or key is not None):
            return Words(called)
        keyed = [] if key is None else [b"--key", key.encode("latin-1", "replace")]
        return Words([b"JOB", b"START", *keyed, *called], leaves)

    return Plan(words, takes_body=True)
