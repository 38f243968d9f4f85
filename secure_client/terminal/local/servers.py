r"""Other servers: `\connect`, `\profile`, and `\reconnect` to this one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from secure_client.client import Client
from secure_client.core.link import CONNECT_TIMEOUT
from secure_client.core.login import Login, parse_token
from secure_client.core.status import State, Status, settled
from secure_client.errors import ClientError, SetupError, TokenWantedError
from secure_client.i18n import N_, _
from secure_client.profiles.profiles import Profiles
from secure_client.profiles.target import Options, ask_token, resolve
from secure_client.terminal.appearance import LocalCommand
from secure_client.terminal.local.steered import Terminal
from secure_protocol.printable import printable


class MovedError(Exception):
    """The user goes on at another server.

    Attributes:
        client: connected to it.
    """

    def __init__(self, client: Client) -> None:
        super().__init__(str(client.login.endpoint))
        self.client = client


class StayedError(ClientError):
    """The user wanted to go on at another server, and could not."""

    def __init__(self, why: ClientError, where: str) -> None:
        super().__init__(f"{why} " + _("You are still at {server}.").format(server=where))
        self.code = why.code


class Servers:
    """Tells where one is, and goes elsewhere.

    Args:
        client: whose server it is now.
        terminal: steered.
        moves: there are other servers to go to.
    """

    def __init__(self, client: Client, terminal: Terminal, *, moves: bool) -> None:
        self._client = client
        self._terminal = terminal
        self._moves = moves

    def commands(self) -> Mapping[str, LocalCommand]:
        """Return what is typed for them."""
        servers = N_("Servers")
        here = {
            "\\reconnect": LocalCommand(
                N_("Connect now, instead of when the countdown ends."), self._reconnect, group=servers
            )
        }
        if not self._moves:
            return here
        return {
            "\\connect": LocalCommand(
                N_("Go on at another server, or connect anew."),
                self._connect,
                "[PROFILE|HOST:PORT]",
                "work",
                N_("Where that cannot be, you stay at this one. Jobs that were left go on."),
                servers,
                values=_servers,
            ),
            "\\profile": LocalCommand(
                N_("Which server this is, and others; or go on at one."),
                self._profile,
                "[PROFILE]",
                "work",
                group=servers,
                values=_names,
            ),
            **here,
        }

    def _reconnect(self, _rest: str) -> str:
        if self._client.status.state is State.CONNECTED:
            return _("Connected to {endpoint} already.").format(endpoint=self._client.login.endpoint)
        self._terminal.reconnect()
        return ""

    def _connect(self, rest: str) -> str:
        return self._go(Options(_one(rest, _("Type \\connect PROFILE, or \\connect HOST:PORT."))))

    def _profile(self, rest: str) -> str:
        name = _one(rest, _("Type \\profile PROFILE."))
        return self._go(Options(profile=name)) if name else self._told()

    def _go(self, options: Options) -> str:
        try:
            login = self._client.login
            if options.target is not None or options.profile is not None:
                login = resolve(options, Profiles(), {})  # the environment's token is none for others
            raise MovedError(self._connected(login))
        except ClientError as error:
            raise StayedError(error, self._client.login.called) from None
        except KeyboardInterrupt:
            raise StayedError(SetupError(_("Interrupted.")), self._client.login.called) from None

    def _connected(self, login: Login) -> Client:
        self._terminal.announce(_("Connecting to {endpoint} …").format(endpoint=login.endpoint))
        try:
            return self._opened(login)
        except TokenWantedError:
            if login.trust.certificate is None:
                raise
            return self._opened(login._replace(token=parse_token(ask_token(login.endpoint))))

    def _opened(self, login: Login) -> Client:
        client, deadline = Client.of(login, reconnect=True), time.monotonic() + CONNECT_TIMEOUT

        def changed(status: Status) -> None:
            if status.state is State.WAITING and not settled(status, deadline):
                self._terminal.announce(f"{status.error} " + _("Waiting; Ctrl-C ends it."))

        client.on_state = changed
        client.connect()  # which stops it where that fails, at Ctrl-C too
        client.on_state = None
        return client

    def _told(self) -> str:
        """Return which server this is, as whom, and which others are saved."""
        login, session = self._client.login, self._client.status.session
        others = ", ".join(map(printable, (name for name in _saved() if name != login.profile)))
        told = {
            _("profile"): printable(login.profile) or _("(not saved)"),
            _("server"): str(login.endpoint),
            _("user"): f"{session.user} ({session.role})" if session is not None and session.user else "",
            "CA": printable(str(login.trust.ca)) if login.trust.ca is not None else _("the system's"),
            _("certificate"): printable(str(login.trust.certificate)) if login.trust.certificate is not None else "",
            _("mechanism"): str(login.mechanism),
            _("transport"): self._client.status.way.transport or str(login.transport),
            _("others"): others or _("(none)"),
        }
        width = max(map(len, told))
        return "\n".join(f"{name.ljust(width)}  {value}" for name, value in told.items() if value)


def _one(rest: str, otherwise: str) -> str | None:
    words = rest.split()
    if len(words) > 1:
        raise SetupError(otherwise)
    return words[0] if words else None


def _saved() -> Mapping[str, str]:
    """Return all profiles, with their addresses; none where they cannot be read, which is said when one is wanted."""
    with suppress(SetupError):
        return {name: profile.endpoint for name, profile in Profiles().load().items()}
    return {}


def _names(words: Sequence[str]) -> Iterable[str]:
    return () if words else _saved()


def _servers(words: Sequence[str]) -> Iterable[str]:
    saved = {} if words else _saved()
    return dict.fromkeys([*saved, *saved.values()])
