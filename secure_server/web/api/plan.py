"""What a request asks of a session: the words to send, and how their answer is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from secure_protocol.description import CommandDescription
from secure_protocol.errors import CommandError, ErrorCode
from secure_protocol.replies import ErrorReply, ReplyKind, Timestamp
from secure_server.commands.command import Command
from secure_server.i18n import N_, Translate
from secure_server.jobs.refusals import no_such_job
from secure_server.web.api.arguments import words_of
from secure_server.web.api.openapi import openapi
from secure_server.web.api.telling import AsItIs, Sink, Teller, asked_for
from secure_server.web.message import Question

RUN, JOBS, JOB = (
    re.compile(r"/v1/run/([^/]+)(?:/([^/]+))?"),
    "/v1/jobs",
    re.compile(r"/v1/jobs/([1-9]\d{0,14})(/output)?"),
)
COMMANDS, OPENAPI = "/v1/commands", "/v1/openapi.json"
METRICS, OPENMETRICS = "/metrics", "application/openmetrics-text"
METRICS_KINDS = {
    False: "text/plain; version=0.0.4; charset=utf-8",
    True: f"{OPENMETRICS}; version=1.0.0; charset=utf-8",
}
"""Media types, by whether OpenMetrics were wanted."""
KEY_HEADER = "idempotency-key"
NAME_CHARACTERS = 80
"""Of a command's name that there is not, in an error."""

Find = Callable[[str], Command | None]
"""Returns a command by its name."""
MayBeJob = Callable[[Command], bool]
"""Whether a job can be made of a command."""


BARE = partial(Teller, bare=True)
"""Tells a reply as JSON, and as all of the answer."""


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


def _as_it_is(reply: object) -> object:
    return reply


def _by_its_code(_error: ErrorReply, _translate: Translate) -> HTTPStatus | None:
    return None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a request once its body is there.

    Attributes:
        words: makes them of the body, in the language of a translator; raises CommandError.
        shape: what becomes of the reply before it is told.
        teller: tells the answer; None: what the client asked for does.
        status: of an error, in the language of a translator; None for that of its code.
    """

    words: Callable[[bytes, Translate], Words]
    shape: Callable[[object], object] = _as_it_is
    teller: Callable[[Sink], Teller] | None = None
    status: Callable[[ErrorReply, Translate], HTTPStatus | None] = _by_its_code


class Asked(NamedTuple):
    """A request that shows a token.

    Attributes:
        question: its head.
        token: what it shows, as it came.
    """

    question: Question
    token: str

    def __repr__(self) -> str:
        return f"Asked({self.question.method} {self.question.path})"  # without the token


def is_ours(path: str) -> bool:
    """Whether a path is one of these."""
    return path in (COMMANDS, OPENAPI, JOBS) or path.startswith(("/v1/run/", "/v1/jobs/"))


def plan(question: Question, find: Find, may_be_job: MayBeJob) -> Plan:
    """Return what a request is about.

    Raises:
        WrongRequestError: it is about nothing, or in no way that there is.
    """
    path, method = question.path, question.method
    if path in (COMMANDS, OPENAPI):
        _only(method, "GET")

        def offered(reply: object) -> list[object]:
            items = reply if isinstance(reply, list) else []
            return [item for item in items if _offered(str(item["name"]), find) is not None]

        shape = offered if path == COMMANDS else lambda reply: openapi(offered(reply))
        return Plan(lambda _body, _translate: Words([b"COMMANDS"]), shape, teller=BARE)
    if path == JOBS:
        _only(method, "GET")
        return Plan(lambda _body, _translate: Words([b"JOBS"]), teller=BARE)
    if (job := JOB.fullmatch(path)) is not None:
        return _of_job(int(job[1]), question, output=job[2] is not None)
    if (run := RUN.fullmatch(path)) is not None:
        _only(method, "POST")
        return _of_run(" ".join(unquote(part) for part in run.groups() if part), question, find, may_be_job)
    if path == METRICS:
        return _of_metrics(question)
    raise WrongRequestError(HTTPStatus.NOT_FOUND, CommandError(N_("There is nothing at this address.")))


def strict(question: Question) -> bool:
    """Whether metrics are wanted as OpenMetrics; else in Prometheus' text format."""
    return OPENMETRICS in (question.header("accept") or "").lower()


def _of_metrics(question: Question) -> Plan:
    _only(question.method, "GET", "HEAD")
    openmetrics = strict(question)
    words = [b"SERVER", b"METRICS", *([b"--openmetrics"] if openmetrics else [])]
    return Plan(lambda _body, _translate: Words(words), teller=partial(AsItIs, kind=METRICS_KINDS[openmetrics]))


def _only(method: str, *allowed: str) -> None:
    if method not in allowed:
        names = ", ".join(allowed)
        error = CommandError(N_("Use one of these methods: {names}."), names=names)
        raise WrongRequestError(HTTPStatus.METHOD_NOT_ALLOWED, error, names)


def _offered(name: str, find: Find) -> Command | None:
    """Return a command by its name, if it is one over HTTP."""
    command = find(name.upper())
    return None if command is None or command.of_connection or command.internal else command


def _of_job(number: int, question: Question, *, output: bool) -> Plan:
    _only(question.method, *(("GET",) if output else ("GET", "DELETE")))
    ends = question.method == "DELETE"
    named = str(number).encode()

    def status(error: ErrorReply, translate: Translate) -> HTTPStatus | None:
        if error.code == ErrorCode.ERR:
            if error.text == no_such_job(number).sentence(translate):
                return HTTPStatus.NOT_FOUND
            return HTTPStatus.CONFLICT if ends else None  # it has ended already
        return None

    words = [b"JOB", b"CANCEL" if ends else b"SHOW", named]
    follows = asked_for(question.header("accept") or "") is not Teller
    if follows and not ends:
        words = [b"JOB", b"ATTACH", named, *_first(question, b"0")]
    elif output:
        patience = parse_qs(question.query).get("wait", [])[:1]
        words = [b"JOB", b"OUTPUT", *(b"--wait=" + text.encode() for text in patience), named, *_first(question, b"0")]
    bare = not (follows or ends)
    return Plan(lambda _body, _translate: Words(words), teller=BARE if bare else None, status=status)


def _first(question: Question, otherwise: bytes) -> list[bytes]:
    """Return the part that is asked for: the address says it, or, of events, which one came last."""
    if asked := parse_qs(question.query).get("from", [])[:1]:
        return [b"--", asked[0].encode()]
    last = question.header("last-event-id") or ""
    return [b"--", b"%d" % (int(last) + 1) if re.fullmatch(r"[0-9]{1,15}", last) else otherwise]


def _of_run(name: str, question: Question, find: Find, may_be_job: MayBeJob) -> Plan:
    command = _offered(name, find)
    if command is None:
        raise WrongRequestError(
            HTTPStatus.NOT_FOUND, CommandError(N_("There is no command {name} over HTTP."), name=name[:NAME_CHARACTERS])
        )
    key = question.header(KEY_HEADER)
    follows = asked_for(question.header("accept") or "") is not Teller
    # A preference that cannot be met is let be (RFC 7240, section 2); a key is none, and the session says no.
    prefers = "respond-async" in (question.header("prefer") or "").lower() and (key is not None or may_be_job(command))
    leaves = prefers or (command.job and not follows)
    given: list[bytes] = []

    def words(body: bytes, translate: Translate) -> Words:
        described: CommandDescription = command.describe(translate)
        given[:] = words_of(described, body)
        called = [*command.words, *given]
        if not (leaves or command.job or key is not None):
            return Words(called)
        keyed = [] if key is None else [b"--key=" + key.encode("latin-1", "replace")]
        return Words([b"JOB", b"START", *keyed, *called], leaves)

    def status(error: ErrorReply, _translate: Translate) -> HTTPStatus | None:
        if error.code != ErrorCode.ERR:
            return None
        try:
            command.signature.bind(command.name, given)
        except CommandError:
            return HTTPStatus.BAD_REQUEST
        return HTTPStatus.UNPROCESSABLE_ENTITY

    shape = _moment if command.reply is ReplyKind.TIMESTAMP else _as_it_is
    return Plan(words, shape, status=status)


def _moment(reply: object) -> object:
    """Return a moment as JSON's users know it; over RESP it is Redis' two numbers."""
    try:
        seconds, microseconds = reply  # type: ignore[misc] # where it is no pair it is told as it is
        return Timestamp(int(seconds), int(microseconds)).isoformat()  # type: ignore[has-type] # likewise
    except (TypeError, ValueError, OverflowError, OSError):
        return reply
