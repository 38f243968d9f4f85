"""Takes over connections behind their TLS handshake whose peers speak HTTP: on the TLS listener's addresses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import h11

from secure_protocol.reasons import CloseReason
from secure_server.admission.reception import Reception
from secure_server.commands.builtin.jobs.starting import not_for_jobs
from secure_server.commands.builtin.server.readiness import hindrances
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.config.settings import Timeouts
from secure_server.config.web import Web
from secure_server.dispatch.workers import Submit
from secure_server.filters.kinds import host_of
from secure_server.limits.newcomers import Place, Shortage
from secure_server.net.event_loop import EventLoop
from secure_server.net.io_thread import IOThreads
from secure_server.net.lingering import MOST_LINGERING, Lingering
from secure_server.net.wire import Wire
from secure_server.session.peer import Peer
from secure_server.session.session import Session
from secure_server.web.api.routes import Api
from secure_server.web.exchange import Exchange
from secure_server.web.forwarded import Proxies, is_near
from secure_server.web.health import Health
from secure_server.web.message import Answer, Question, told
from secure_server.web.metrics import Metrics
from secure_server.web.page import Page
from secure_server.web.routes import Awaited, Handover, Routes
from secure_server.web.sameness import Sameness
from secure_server.web.upgrade import upgrade

_log = logging.getLogger("secure_server.web")


class WebListener:
    """HTTP and WebSocket, by ALPN.

    Args:
        loop: the newcomers'.
        settings: of the page.
        timeouts: deadlines.
        reception: receives whoever comes.
        threads: carry them then.
        reached: returns where the port is.
        services: of which health and metrics are told, and what looks commands up.
        submit: has a worker do something.
        most_lingering: see `Lingering`.
    """

    transport = "websocket"

    def __init__(
        self,
        loop: EventLoop,
        settings: Web,
        timeouts: Timeouts,
        reception: Reception,
        threads: IOThreads,
        reached: Callable[[], tuple[str, ...]],
        services: BuiltInServices,
        submit: Submit,
        most_lingering: int = MOST_LINGERING,
    ) -> None:
        self._loop = loop
        self._reception = reception
        self._threads = threads
        self._reached = reached
        self._lingering = Lingering(loop, timeouts.linger, most_lingering)
        self._sameness = Sameness(settings.pages)
        self._proxies = Proxies(settings.proxies)
        self._warned = False
        api = Api(services.command_named, lambda command: not_for_jobs(services, command) is None, self._answer)
        health = Health(settings.health_networks, partial(hindrances, services))
        self._routes = Routes([upgrade, api, health, Metrics(services, submit, api), Page()])
        self._open: set[Exchange] = set()

    def take_up(self, timeouts: Timeouts) -> None:
        """Have other deadlines for those who come from here on. Any thread."""
        self._lingering.seconds = timeouts.linger

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where it is, as a browser writes it."""
        return tuple(f"https://{address}/" for address in self._reached())

    def open(self) -> None:
        """See `Listener`; the addresses are the TLS listener's."""

    def start(self) -> None:
        """See `Listener`."""

    def refuse(self) -> None:
        """End whoever has not become a session."""
        self._loop.call_soon(self._abort)

    def stop(self) -> None:
        """See `Listener`."""

    # Newcomers' thread

    def receive(self, wire: Wire, peer: Peer, place: Place) -> None:
        """Take over a connection behind its handshake; a `Route`."""
        exchange = Exchange(self._loop, wire, peer, place, self._answer, self._hand_over, self._ended)
        place.give_way = exchange.give_way
        try:
            exchange.start()
        except OSError as error:
            _log.error("an HTTP connection cannot be watched, and is closed: %s", error)
            self._lingering.close(wire)
            self._reception.failed(peer, place, CloseReason.INTERNAL_ERROR, "")
            return
        self._open.add(exchange)
        if not place.held:  # it became another's while nobody could be told
            exchange.end()

    def _answer(self, question: Question) -> Answer | Awaited | Handover:
        """Answer what is asked of us, by ours."""
        question = self._seen(question)
        if (why := self._sameness.refused_host(question)) is not None:
            self._tell(question, why)
            return told(HTTPStatus.MISDIRECTED_REQUEST, "This server goes by another name.", last=True)
        if (why := self._sameness.refused_origin(question)) is not None:
            self._tell(question, why)
            return told(HTTPStatus.FORBIDDEN, "Another page's requests are not taken.", last=True)
        found = self._routes.answer(question)
        if isinstance(found, Handover):
            found.peer = question.peer
        return found

    def _seen(self, question: Question) -> Question:
        """Return a question as one of whoever stands behind a proxy, where one passed it on."""
        seen = self._proxies.seen(question)
        if not self._warned and is_near(question.peer.address) and not self._proxies.include(question.peer.address):
            self._warned = seen.forwarded
            if seen.forwarded:
                _log.warning(
                    "a proxy on this machine passes requests on, and nobody knows whose; web.proxies = [%s] would have "
                    "its X-Forwarded-For believed",
                    f'"{host_of(question.peer.address)}"',
                )
        return seen

    @staticmethod
    def _tell(question: Question, why: str) -> None:
        _log.warning("refused a request over HTTP from %s: %s", question.peer.address, why)

    def _hand_over(self, exchange: Exchange, handover: Handover, http: h11.Connection) -> None:
        """Have a session go on with an exchange's wire."""
        self._open.discard(exchange)
        seated: list[Session] = []
        wire = handover.wire(exchange.wire, http, lambda: seated[0])
        seat = self._threads.seat(wire)

        def take_seat(session: Session) -> Callable[[], None]:
            seated.append(session)
            return seat(session)

        peer = replace(handover.peer, transport=handover.transport)
        if handover.takes_body:  # a token alone says who it is: what a browser sends along is nobody's wish
            peer = replace(peer, certificate=None, stays=False)
        self._reception.receive(peer, take_seat, exchange.place)

    def _ended(self, exchange: Exchange) -> None:
        self._open.discard(exchange)
        self._lingering.close(exchange.wire)
        self._reception.visited(exchange.place)
        exchange.place.give_way = _gone  # they would hold each other, and what waited to be sent, for the collector

    def _abort(self) -> None:
        for exchange in list(self._open):
            exchange.end()
        self._lingering.close_all()


def _gone(_shortage: Shortage) -> None:
    """Nobody is there to give way any more."""
