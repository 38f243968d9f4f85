"""What the server is asked for the screen: on the link's thread, so that nothing there waits for an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from secure_client.client import Client
from secure_client.connection.request import Request
from secure_client.core.closing import reconnect_policy
from secure_client.core.status import State
from secure_client.errors import ClientError, CommandFailed, UnexpectedReplyError
from secure_client.i18n import _
from secure_client.terminal.prompt.toolbar import state_words
from secure_client.terminal.top.figures import Look, figures
from secure_client.terminal.top.panes import SHORTEST, Row, ordered, with_rates
from secure_client.terminal.top.view import Listing, View
from secure_protocol.errors import ErrorCode
from secure_protocol.printable import printable
from secure_protocol.reasons import Reconnect
from secure_protocol.text_requests import split

STATS = ("SERVER", "STATS")
MOST_CLIENTS = 50
"""That are asked for: more than a screen has room for, and little for a server that has 10,000."""
SORTED = ("--sort", "-commands", "--limit", str(MOST_CLIENTS))
SECONDS_A_ROW = 0.001
"""Until clients are asked for again, for each of them, where the server tells all or nothing: so 10,000 cost it a few
percent of its time."""
LATE = 5.0
"""Seconds without an answer until that is said."""
TICK = 1.0
"""Seconds between looks at a countdown, while there is trouble."""
RETRY = 2.0
"""Seconds until the next try, of a client that does not try by itself."""
ERROR_CHARACTERS = 600


def look_of(reply: object, at: float) -> Look:
    """Return what a server answered to `SERVER STATS`, as a look at it.

    Raises:
        UnexpectedReplyError: it is no map.
    """
    if not isinstance(reply, dict):
        raise UnexpectedReplyError(_("The server answered SERVER STATS with something that is no map."), reply)
    return Look(reply, at)


def clients_of(reply: object) -> list[Row]:
    """Return the busiest clients of a list of them."""
    found = [row for row in reply if isinstance(row, dict)] if isinstance(reply, list) else []
    return ordered(found, "commands", rising=False)[:MOST_CLIENTS]


def told_of(error: ClientError) -> str:
    """Return an error on one line."""
    return printable(getattr(error, "text", "") or str(error), ERROR_CHARACTERS)


class Asking:
    """Looks at a server again and again; all of it on the screen's event loop.

    Args:
        client: asked.
        view: shows what it answers; both its lists are commands, and clients.
        changed: called when there is something new to be drawn.
        seen: which lists are on the screen; clients are asked for where theirs is.
    """

    def __init__(
        self, client: Client, view: View, changed: Callable[[], object], seen: Callable[[], Sequence[Listing]]
    ) -> None:
        self._client = client
        self._view = view
        self._changed = changed
        self._seen = seen
        self._wake = asyncio.Event()
        self._look: Look | None = None
        self._commands: Sequence[Row] = ()
        self._clients: tuple[Sequence[Row], float] = ((), 0.0)
        self._sorts: bool | None = None
        self._good = ""
        self._next_clients = 0.0
        self._asked: float | None = None
        self._retry = 0.0
        self._ticking: asyncio.TimerHandle | None = None

    def take(self, look: Look) -> None:
        """Show a look."""
        self._view.figures = figures(look, self._look, self._view.interval, self._view.signs)
        if self._look is None or look.at - self._look.at >= SHORTEST:
            self._look = look
        self._commands = self._view.figures.commands
        self.sift()

    def sift(self) -> None:
        """Show the commands that go with the filter, which is a part of a name."""
        commands = self._view.listings[0]
        wanted = commands.filter.casefold()
        commands.rows = [row for row in self._commands if wanted in str(row.get("command")).casefold()]

    def again(self, *, clients: bool = False) -> None:
        """Look again now, also at clients that were just looked at."""
        if clients:
            self._next_clients = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Look until it is cancelled."""
        while True:
            if not self._view.paused:
                await self._look_once()
            self._wake.clear()
            pause = None if self._view.paused else self._view.interval
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)

    async def ask(self, *words: str, idempotent: bool = True) -> object:
        """Return an answer; raises ClientError."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[object] = loop.create_future()

        def settle(request: Request) -> None:
            if answer.done():
                return
            if (error := request.exception(0)) is not None:
                answer.set_exception(error)
            else:
                answer.set_result(request.result(0))

        def done(request: Request) -> None:
            with suppress(RuntimeError):  # the screen is closed
                loop.call_soon_threadsafe(settle, request)

        request = self._client.submit(words, idempotent=idempotent)
        request.add_done_callback(done)
        try:
            return await answer
        finally:
            request.cancel()

    # -- one look -----------------------------------------------------------------------------------------------------

    async def _look_once(self) -> None:
        self._asked = time.monotonic()
        self._tick_in(LATE)
        try:
            self.take(look_of(await self.ask(*STATS), time.monotonic()))
            if self._view.listings[1] in self._seen():
                await self._look_at_clients(self._view.listings[1])
        except ClientError as error:
            if self._client.status.state is State.CONNECTED:
                self._view.trouble = told_of(error)
                self._asked = None
                self._changed()
                return
        self._asked = None
        self.stand()

    async def _look_at_clients(self, clients: Listing) -> None:
        if time.monotonic() < self._next_clients:
            return
        wanted = clients.filter
        try:
            words = [
                word.decode("utf-8", "surrogateescape") for word in split(wanted.encode("utf-8", "surrogateescape"))
            ]
            reply = await self._ask_for_clients(words)
        except ValueError:
            self._refused(clients, _("A quote is not closed, or text follows a closing quote at once."))
        except CommandFailed as error:
            self._refused(clients, told_of(error))
        else:
            if clients.filter == wanted:
                before, then = self._clients
                now, rows = time.monotonic(), clients_of(reply)
                clients.rows = with_rates(rows, before, now - then)
                self._clients, self._good = (rows, now), wanted
                self._next_clients = max(self._next_clients, now + SHORTEST)

    async def _ask_for_clients(self, words: Sequence[str]) -> object:
        """Return the busiest clients, or all where the server does not know how to choose."""
        if self._sorts is not False:
            try:
                reply = await self.ask("CLIENTS", *words, *SORTED)
            except CommandFailed as error:
                if self._sorts or error.code != ErrorCode.ERR:
                    raise
            else:
                self._sorts = True
                return reply
        reply = await self.ask("CLIENTS", *words)
        self._sorts = False
        self._next_clients = time.monotonic() + SECONDS_A_ROW * (len(reply) if isinstance(reply, list) else 0)
        return reply

    def _refused(self, clients: Listing, why: str) -> None:
        """Tell that there are no clients by this filter, and go by the last that was good."""
        self._view.tell(why, bad=True)
        if clients.filter != self._good:
            clients.filter = self._good

    # -- how the connection stands ------------------------------------------------------------------------------------

    def stand(self) -> None:
        """Say what keeps answers from coming, for as long as it does."""
        trouble = self._trouble(time.monotonic())
        if trouble:
            self._tick_in(TICK)
        self._view.trouble = trouble
        self._changed()

    def _trouble(self, now: float) -> str:
        status = self._client.status
        if status.state is not State.CONNECTED:
            self._sorts = None  # it may be another version when it is back
        else:
            late = now - self._asked if self._asked is not None else 0.0
            return _("no answer for {seconds} s").format(seconds=int(late)) if late >= LATE else ""
        never = status.error is not None and reconnect_policy(status.error) is Reconnect.NEVER
        if status.state is State.STOPPED and not never and now >= self._retry:
            self._retry = now + RETRY
            self._client.reconnect()
        words = state_words(status, now)
        if status.state is State.STOPPED:
            return _("{state}; c connects again").format(state=words) if never else _("connection lost, reconnecting")
        return _("connection lost, {state}").format(state=words) if status.error is not None else words

    def _tick_in(self, seconds: float) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = asyncio.get_running_loop().call_later(seconds, self.stand)
