"""`/metrics`, for Prometheus: from networks that the settings name, or with an administrator's token.

With a token it is a session that asks, as of any command over HTTP. Without one a worker is asked: there may be some
thousand lines, and newcomers wait for nothing on their thread.
"""

from __future__ import annotations

import functools
import logging
from http import HTTPStatus
from ipaddress import ip_network

from secure_protocol.errors import CommandError
from secure_protocol.replies import ErrorReply
from secure_server.auth.networks import within
from secure_server.auth.token_record import Network
from secure_server.commands.builtin.pieces import Pieces
from secure_server.commands.builtin.server.metrics import metrics
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.dispatch.workers import Submit, WorkersBusyError
from secure_server.web.api.plan import METRICS, METRICS_KINDS, strict
from secure_server.web.api.routes import Api, problem
from secure_server.web.api.statuses import of_error
from secure_server.web.message import Answer, Question, told
from secure_server.web.routes import Awaited, Deliver, Handover

RETRY_SECONDS = "15"
"""How soon Prometheus asks again by itself."""

_log = logging.getLogger("secure_server.web")


class Metrics:
    """Answers it.

    Args:
        services: of which it is told.
        submit: has a worker do something.
        api: has a session answer what shows a token.
    """

    def __init__(self, services: BuiltInServices, submit: Submit, api: Api) -> None:
        self._services = services
        self._submit = submit
        self._api = api

    def __call__(self, question: Question) -> Answer | Awaited | Handover | None:
        """See `Row`."""
        if question.path != METRICS:
            return None
        if question.method not in ("GET", "HEAD"):
            return told(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", "GET, HEAD"),), last=True)
        networks = _read(self._services.running().metrics.networks)
        if question.header("authorization") is None and within(networks, question.peer.address):
            return Awaited(functools.partial(self._ask, openmetrics=strict(question)))
        return self._api.asked(question)

    def _ask(self, deliver: Deliver, *, openmetrics: bool) -> None:
        """Have a worker tell them; in a line of their own, so that whoever asks keeps no command waiting."""
        try:
            self._submit(lambda: deliver(self._told(openmetrics=openmetrics)), METRICS)
        except WorkersBusyError:
            retry = (("Retry-After", RETRY_SECONDS),)
            deliver(problem(HTTPStatus.SERVICE_UNAVAILABLE, "THROTTLED", "All workers are busy.", retry))

    # Workers

    def _told(self, *, openmetrics: bool) -> Answer:
        try:
            text = metrics(self._services, Pieces(None), openmetrics=openmetrics)
        except CommandError as error:
            return problem(of_error(ErrorReply(error.code, error.sentence())), error.code, error.sentence())
        except BaseException:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            _log.exception("unexpected error in the metrics")
            return told(HTTPStatus.INTERNAL_SERVER_ERROR)
        return Answer(HTTPStatus.OK, text.encode(), METRICS_KINDS[openmetrics])


@functools.lru_cache(maxsize=4)
def _read(networks: tuple[str, ...]) -> tuple[Network, ...]:
    """Return networks as they are compared: those of the settings of now, and of those before them."""
    return tuple(map(ip_network, networks))
