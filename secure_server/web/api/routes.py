"""The row of the table of routes that leads to a session by a token in `Authorization`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

import h11

from secure_server.net.wire import Wire
from secure_server.session.session import Session
from secure_server.web.api.http_wire import HttpWire
from secure_server.web.api.plan import Asked, Find, MayBeJob, Plan, is_ours, plan
from secure_server.web.api.telling import dumped
from secure_server.web.message import Answer, Question
from secure_server.web.routes import Awaited, Handover

BEARER = "bearer "


class Request(Handover):
    """A request that a session answers, once its token is good: a stranger learns of nothing whether it is there.

    Args:
        asked: what it is.
        ask: answers further requests of the connection.
        plan: says what is done with each.
    """

    transport = "http"
    takes_body = True

    def __init__(
        self, asked: Asked, ask: Callable[[Question], Answer | Awaited | Handover], plan: Callable[[Question], Plan]
    ) -> None:
        self.asked = asked
        self._ask = ask
        self._plan = plan

    def wire(self, inner: Wire, http: h11.Connection, session: Callable[[], Session]) -> Wire:
        """See `Handover`."""
        return HttpWire(inner, http, self.asked, session, partial(_further, self._ask), self._plan)


def _further(ask: Callable[[Question], Answer | Awaited | Handover], question: Question) -> Answer | Asked:
    """Answer a further request of a session's connection. It knows nothing of the first one, which has the token."""
    found = ask(question)
    if isinstance(found, Answer):
        return found
    if isinstance(found, Request):
        return found.asked
    return problem(HTTPStatus.BAD_REQUEST, "ERR", "On a connection that shows a token each request shows it.")


class Api:
    """Answers what is about commands and jobs.

    Args:
        find: a command by its name.
        may_be_job: whether a job can be made of one.
        ask: answers further requests of a connection.
    """

    def __init__(
        self, find: Find, may_be_job: MayBeJob, ask: Callable[[Question], Answer | Awaited | Handover]
    ) -> None:
        self._plan = partial(plan, find=find, may_be_job=may_be_job)
        self._ask = ask

    def __call__(self, question: Question) -> Answer | Handover | None:
        """See `Row`."""
        if not is_ours(question.path):
            return None
        return self.asked(question)

    def asked(self, question: Question) -> Answer | Handover:
        """Have a session answer, whose token is shown."""
        shown = question.header("authorization") or ""
        if not shown.lower().startswith(BEARER) or not shown[len(BEARER) :].strip():
            return problem(
                HTTPStatus.UNAUTHORIZED, "NOAUTH", "Send a token: Authorization: Bearer TOKEN.",
                (("WWW-Authenticate", "Bearer"),),
            )  # fmt: skip
        asked = Asked(question, shown[len(BEARER) :].strip())
        return Request(asked, self._ask, self._plan)


def problem(status: HTTPStatus, code: str, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return an error as programs read it."""
    body = dumped({"error": {"code": code, "message": text}}) + b"\n"
    return Answer(status, body, "application/json", headers)
