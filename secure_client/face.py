"""What the library's two faces have in common: how one is made, and who hears what the server tells unasked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from secure_client.catalogue import Catalogue
from secure_client.core.endpoint import Endpoint, TransportChoice
from secure_client.core.known import Known
from secure_client.core.link import CONNECT_TIMEOUT
from secure_client.core.login import Login, Mechanism
from secure_client.core.status import State, Status
from secure_protocol.description import COMMANDS_CHANGED
from secure_protocol.replies import Push
from secure_protocol.token import Token


class Listener(Protocol):
    """Who hears the pushes."""

    def put(self, push: Push) -> None:
        """Take one."""

    def end(self) -> None:
        """No more will come."""


class Face(ABC):
    """A client of one server; see `Client` and `AsyncClient` for its arguments and attributes."""

    def __init__(
        self,
        endpoint: Endpoint | str,
        *,
        token: Token | str | None = None,
        ca: Path | str | None = None,
        certificate: Path | str | None = None,
        key: Path | str | None = None,
        name: str = "secure-client",
        language: str | None = None,
        mechanism: Mechanism | str = Mechanism.SCRAM,
        transport: TransportChoice | str | None = None,
        reconnect: bool = True,
        connect_timeout: float = CONNECT_TIMEOUT,
    ) -> None:
        login = Login.of(endpoint, token, ca, certificate, key, name, language, mechanism, transport)
        self._begin(login, reconnect=reconnect, connect_timeout=connect_timeout)

    def _begin(self, login: Login, *, reconnect: bool, connect_timeout: float) -> None:
        self.login = login
        self.on_push: Callable[[Push], None] | None = None
        self.on_state: Callable[[Status], None] | None = None
        self._known = Known()
        self._listeners: tuple[Listener, ...] = ()
        self._make_link(reconnect=reconnect, connect_timeout=connect_timeout)

    @abstractmethod
    def _make_link(self, *, reconnect: bool, connect_timeout: float) -> None:
        """Make what drives the connection; it calls `_pushed` and `_changed`."""

    @abstractmethod
    def _learn_again(self) -> None:
        """Ask for the commands once more, where somebody has asked for them.

        While an answer is on its way there is no need to: what comes after the push was told after it.
        """

    @classmethod
    def of(cls, login: Login, *, reconnect: bool = True, connect_timeout: float = CONNECT_TIMEOUT) -> Self:
        """Return a client for a login that is put together already."""
        client = cls.__new__(cls)
        client._begin(login, reconnect=reconnect, connect_timeout=connect_timeout)  # noqa: SLF001 - its own
        return client

    @classmethod
    def from_profile(cls, name: str, *, reconnect: bool = True, connect_timeout: float = CONNECT_TIMEOUT) -> Self:
        """Return a client for a server that was saved with `secure-client profile add` or `enroll`.

        Nobody is asked for a token, and no variable of the environment stands in for what the profile says.

        Raises:
            SetupError: there is no such profile, or the file cannot be read.
            AuthenticationError: its token cannot be had.
        """
        from secure_client.profiles.target import login_of  # noqa: PLC0415 - most programs name their server themselves

        return cls.of(login_of(name), reconnect=reconnect, connect_timeout=connect_timeout)

    @property
    @abstractmethod
    def status(self) -> Status:
        """What the connection is doing now."""

    @property
    def catalogue(self) -> Catalogue:
        """The commands as last told; empty before `commands` was called."""
        return self._known.catalogue

    def _hear(self, listener: Listener) -> None:
        self._listeners = (*self._listeners, listener)
        if self.status.state is State.STOPPED:
            listener.end()

    def _forget(self, listener: Listener) -> None:
        self._listeners = tuple(other for other in self._listeners if other is not listener)

    def _pushed(self, push: Push) -> None:
        if push.kind == COMMANDS_CHANGED:
            self._learn_again()
        for listener in self._listeners:
            listener.put(push)
        if self.on_push is not None:
            self.on_push(push)

    def _changed(self, status: Status) -> None:
        if status.state is State.STOPPED:
            for listener in self._listeners:
                listener.end()
        if self.on_state is not None:
            self.on_state(status)
