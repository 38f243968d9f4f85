"""Taking up another configuration while the server runs: all of it, or nothing.

The file is read and checked, and whatever holds by it is built beside what holds now (each `Part` does that for its
own), before the first is put in the place of the other; and that is assignments alone, which cannot fail. So a mistake
anywhere leaves everything as it was.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial

from secure_server.audit.who import Who
from secure_server.auth.certificates import CertificateSettingError
from secure_server.commands.loading import LoadingError
from secure_server.config.changes import (
    Change,
    Reloaded,
    ReloadRefusedError,
    differences,
    with_what_takes_a_restart,
)
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.limits.descriptors import TooFewDescriptorsError
from secure_server.recording.recording import Recording

UNUSABLE = (ConfigError, LoadingError, CertificateSettingError, TooFewDescriptorsError)
"""What is wrong with a configuration; each says it in one sentence."""

_log = logging.getLogger("secure_server")

Part = Callable[[Config], Callable[[], None]]
"""Of the server: checks and builds all that is new to it, changes nothing, and returns what puts that in place, which
cannot fail. Raises one of `UNUSABLE`."""


def told(take_up: Callable[[Config], None]) -> Part:
    """Return a part that builds nothing: what is checked already is merely told to it."""
    return lambda config: partial(take_up, config)


class Reloading:
    """The configuration of a running server, and the one way to another. Any thread but an I/O thread.

    Args:
        running: the configuration, located.
        read: returns what the file says now; raises ConfigError.
        parts: of the server, in the order in which they take it up.
        recording: is told.

    Attributes:
        running: what holds.
    """

    def __init__(
        self, running: Config, read: Callable[[], Config], parts: Sequence[Part], recording: Recording
    ) -> None:
        self.running = running
        self._read = read
        self._parts = parts
        self._recording = recording
        self._lock = threading.Lock()

    def reload(self, cause: str, by: Who | None = None) -> Reloaded:
        """Take up what the file says now, and tell log and trail; see `commands.builtin.services.Reloadable`.

        Args:
            cause: `SIGHUP` or `CONFIG RELOAD`.
            by: who asked for it; None for a signal.

        Raises:
            ReloadRefusedError: nothing was taken up; says why.
        """
        with self._lock:
            try:
                changes, put_in_place = self._prepared()
            except ReloadRefusedError as refused:
                _log.error("the configuration was not reloaded: %s", refused)
                self._recording.configuration(by, "kept", cause, why=str(refused))
                raise
            reloaded = Reloaded.of(changes)
            if reloaded.changed:
                put_in_place()
        changed, restart = ", ".join(reloaded.changed), ", ".join(reloaded.restart)
        _log.warning(
            "configuration reloaded by %s: %s%s",
            cause if by is None else by.principal,
            changed or "nothing changed",
            f"; needs a restart: {restart}" if restart else "",
        )
        outcome = "reloaded" if reloaded.changed else "unchanged"
        self._recording.configuration(by, outcome, cause, changed=changed, restart=restart)
        return reloaded

    def check(self) -> Reloaded:
        """Do the same, but take nothing up, and tell nobody; raises likewise."""
        with self._lock:
            changes, _ = self._prepared()
        return Reloaded.of(changes)

    def differences(self) -> list[Change]:
        """Compare the file with what runs; raises likewise where the file cannot be used."""
        with self._lock:
            return differences(self.running, self._file())

    # Under the lock

    def _file(self) -> Config:
        try:
            return self._read()
        except ConfigError as error:
            raise ReloadRefusedError(*error.args) from None

    def _prepared(self) -> tuple[list[Change], Callable[[], None]]:
        """Return what changes, and what puts it in place."""
        file = self._file()
        changes = differences(self.running, file)
        wanted = with_what_takes_a_restart(self.running, file)
        try:
            steps = [part(wanted) for part in self._parts]
        except UNUSABLE as error:
            raise ReloadRefusedError(*error.args) from None

        def put_in_place() -> None:
            for step in steps:
                step()
            self.running = wanted

        return changes, put_in_place
