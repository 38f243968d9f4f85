"""The thread that makes changes to tokens take effect in a running server."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from secure_protocol.sentence import Sentence
from secure_server.auth.authenticator import Ended, TokenAuthenticator
from secure_server.auth.errors import SplitStorageError, StorageError

INTERVAL = 0.25
"""Seconds between looks at the storage: a revocation has to end its sessions within one second."""

_log = logging.getLogger("secure_server.auth")


class TokenWatch:
    """Looks for changed and expired tokens, reports those that ended, and writes last uses.

    Survives a storage that fails: it says so once, goes on, and says when it is over. What it could not
    report is reported again at the next step.

    Args:
        authenticator: the table to keep fresh.
        on_ended: called on the watch's thread with the tokens whose sessions are to be closed.
        interval: seconds between steps.
        beside: what else is to be done at each step, whatever becomes of the tokens; may raise StorageError.
        tell: told when the storage cannot be trusted, and when it can again; for administrators.

    Attributes:
        split: the storage is not what others see, so nobody knows who was revoked; as of the last step. Any thread.
        failure: why it cannot be used; None where it can. Likewise.
    """

    def __init__(
        self,
        authenticator: TokenAuthenticator,
        on_ended: Callable[[list[Ended]], None],
        interval: float = INTERVAL,
        beside: Callable[[], None] = lambda: None,
        tell: Callable[[Sentence], None] = lambda _sentence: None,
    ) -> None:
        self.split = False
        self._tell_administrators = tell
        self._authenticator = authenticator
        self._on_ended = on_ended
        self._beside = beside
        self._interval = interval
        self._undelivered: list[Ended] = []
        self.failure: str | None = None
        self._stepping = threading.Lock()
        self._wakeup = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="token-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, after a last step, and wait for it. Any thread but its own."""
        self._stopping = True
        self._wakeup.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Have the next step made now. Any thread."""
        self._wakeup.set()

    def step(self) -> None:
        """Do once what the thread does again and again. Any thread; raises nothing.

        Whoever changed a token in this process calls it, so that the change acts at once.
        """
        with self._stepping:
            self._step()

    def _step(self) -> None:
        failure, split = None, False
        try:
            # Before anything that may fail, so that expiry is kept to while the storage is out of order.
            self._undelivered += self._authenticator.expire()
            self._undelivered += self._authenticator.reload()
            self._authenticator.flush()
        except StorageError as error:
            failure, split = str(error), isinstance(error, SplitStorageError)
        except BaseException as error:  # noqa: BLE001 - whatever it raises, tokens must stay revocable: it goes on
            failure = f"unexpected {type(error).__qualname__}"
            if failure != self.failure:
                _log.exception("a step of the token watch failed; trying again")
        try:
            self._beside()
        except StorageError as error:
            failure, split = str(error), split or isinstance(error, SplitStorageError)
        except BaseException:  # noqa: BLE001 - as above
            _log.exception("a step beside the tokens failed; trying again")
        was_split, self.split = self.split, split
        self._tell(failure)
        if split is not was_split:
            self._announce(failure if split else None)
        self._deliver()

    def _run(self) -> None:
        while not self._stopping:
            self._wakeup.wait(self._interval)
            self._wakeup.clear()
            self.step()

    def _deliver(self) -> None:
        if not self._undelivered:
            return
        try:
            self._on_ended(list(self._undelivered))
        except BaseException:  # noqa: BLE001 - as above
            _log.exception("sessions of ended tokens could not be closed; trying again")
        else:
            self._undelivered.clear()

    def _announce(self, failure: str | None) -> None:
        try:
            self._tell_administrators(
                Sentence("The token database works again; logins are taken.")
                if failure is None
                else Sentence("Nobody can log in, for the token database cannot be trusted: {why}", why=failure)
            )
        except BaseException:  # noqa: BLE001 - as above
            _log.exception("administrators could not be told how the token database fares")

    def _tell(self, failure: str | None) -> None:
        """Log a failure when it begins or changes, not four times a second."""
        if failure == self.failure:
            return
        self.failure = failure
        if failure is None:
            _log.warning("the token database works again")
        else:
            _log.error("changes to tokens do not take effect: %s", failure)
