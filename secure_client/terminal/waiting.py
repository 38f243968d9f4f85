"""While there is no connection: what the user is told, and how long a line waits."""

from __future__ import annotations

import math
from collections.abc import Callable

from secure_client.client import Client
from secure_client.connection.request import Request
from secure_client.core.call import NoSignError
from secure_client.errors import CommandFailed, ConnectionLostError
from secure_client.i18n import _
from secure_client.terminal.progress import ProgressBar
from secure_client.terminal.running import TICK
from secure_client.typed.line import NOTHING_TO_TELL, learn

RECONNECT_PATIENCE = 30.0
"""Seconds a typed command waits for the connection to come back; the longest backoff."""


class Waiting:
    """Tells the user what a line waits for.

    Args:
        client: whose connection is waited for.
        say: tells a sentence.
        bar: where the toolbar is while nothing is typed.
        standing: what the toolbar tells.
    """

    def __init__(
        self, client: Client, say: Callable[[str], None], bar: ProgressBar, standing: Callable[[], tuple[str, ...]]
    ) -> None:
        self._client = client
        self._where = str(client.login.endpoint)
        self._say = say
        self._bar = bar
        self._standing = standing

    def begin(self) -> None:
        """Say that there is no connection, and when the next try is made."""
        sentence = _("Not connected to {endpoint}; waiting for the connection (Ctrl-C gives up) …")
        self._say(sentence.format(endpoint=self._where))
        self._tell()

    def learn(self) -> None:
        """Wait for a connection, and for what the server tells of its commands.

        Raises:
            ClientError: it does not come, or does not tell them now.
        """
        self.begin()
        request = self._client.learn_commands()
        silence = self.unless_sent(request, 0.0)
        try:
            told = any(self._told(request, silence) for _turn in range(math.ceil(RECONNECT_PATIENCE / TICK)))
        except BaseException:  # Ctrl-C, too
            request.give_up()
            raise
        finally:
            self._bar.clear()
        if not told:
            raise self._client.too_late(request, RECONNECT_PATIENCE)
        learn(self._client, RECONNECT_PATIENCE)  # the link's thread may come later than this one to keeping them

    def _told(self, request: Request, silence: Callable[[], None]) -> bool:
        try:
            request.wait(TICK)
        except NoSignError:
            silence()
            return False
        except CommandFailed as error:
            if error.code not in NOTHING_TO_TELL:
                raise
        return True

    def unless_sent(self, request: Request, patience: float) -> Callable[[], None]:
        """Return what bounds the waiting for a connection; what was sent may take as long as it takes.

        Args:
            request: that waits.
            patience: seconds until it is called for the first time; from then on each `TICK`.
        """
        left = RECONNECT_PATIENCE - patience

        def silence() -> None:
            nonlocal left
            if request.running() or request.done():
                self._bar.clear()
            elif left > 0:
                left -= TICK
                self._tell()
            elif request.cancel():  # only what was never sent can be cancelled
                raise self._away()

        return silence

    def _tell(self) -> None:
        self._bar.tell("  ".join(filter(None, self._standing())))

    def _away(self) -> ConnectionLostError:
        return ConnectionLostError(
            _(
                "Not connected to {endpoint} within {seconds} s; the command was not sent. "
                "It can be typed again when the connection is back."
            ).format(endpoint=self._where, seconds=round(RECONNECT_PATIENCE))
        )
