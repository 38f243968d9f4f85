"""The row of the table of routes that leads to a session by a token in `Authorization`."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import h11

from secure_server.net.wire import Wire
from secure_server.session.session import Session
from secure_server.web.api.http_wire import HttpWire
from secure_server.web.api.plan import Asked, Find, WrongRequestError, is_ours, plan
from secure_server.web.api.telling import dumped
from secure_server.web.message import Answer, Question
from secure_server.web.routes import Handover

BEARER = "bearer "


class Request(Handover):
    """A request that a session answers.

    Args:
        asked: what it is.
        ask: answers further requests of the connection.
    """

    transport = "http"
    takes_body = True

    def __init__(self, asked: Asked, ask: Callable[[Question], Answer | Handover]) -> None:
        self.asked = asked
        self._ask = ask

    def wire(self, inner: Wire, http: h11.Connection, session: Callable[[], Session]) -> Wire:
        """See `Handover`."""
        return HttpWire(inner, http, self.asked, session, self._further)

    def _further(self, question: Question) -> Answer | Asked:
        found = self._ask(question)
        if isinstance(found, Answer):
            return found
        if isinstance(found, Request):
            return found.asked
        return problem(HTTPStatus.BAD_REQUEST, "ERR", "A connection that shows a token becomes no WebSocket.")


class Api:
    """Answers what is about commands and jobs.

    Args:
        find: a command by its name.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self.ask: Callable[[Question], Answer | Handover] = self._nobody

    def __call__(self, question: Question) -> Answer | Handover | None:
        """See `Row`."""
        if not is_ours(question.path):
            return None
        shown = question.header("authorization") or ""
        if not shown.lower().startswith(BEARER) or not shown[len(BEARER) :].strip():
            return problem(
                HTTPStatus.UNAUTHORIZED, "NOAUTH", "Send a token: Authorization: Bearer TOKEN.",
                (("WWW-Authenticate", "Bearer"),),
            )  # fmt: skip
        try:
            wanted = plan(question, self._find)
        except WrongRequestError as error:
            allow = (("Allow", error.allow),) if error.allow else ()
            return problem(error.status, error.error.code, error.error.sentence(), allow)
        return Request(Asked(question, shown[len(BEARER) :].strip(), wanted), self.ask)

    @staticmethod
    def _nobody(_question: Question) -> Answer | Handover:
        raise NotImplementedError


def problem(status: HTTPStatus, code: str, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """Return an error as programs read it."""
    body = dumped({"error": {"code": code, "message": text}}) + b"\n"
    return Answer(status, body, "application/json", headers)
