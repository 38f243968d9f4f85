"""Taking up another configuration while the server runs: all of it, or nothing.

The file is read and checked, and whatever holds by it is built beside what holds now (each `Part` does that for its
own), before the first is put in the place of the other; and that is assignments alone, which cannot fail. So a mistake
anywhere leaves everything as it was.

What an administrator sets until the restart goes the same way: it stands over what the file says, now and after each
reload, until it is taken back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from secure_protocol.printable import printable
from secure_protocol.sentence import Sentence
from secure_server.audit.who import Who
from secure_server.auth.certificates import CertificateSettingError
from secure_server.commands.loading import LoadingError
from secure_server.config import temporary
from secure_server.config.changes import (
    Change,
    Reloaded,
    ReloadRefusedError,
    differences,
    with_what_takes_a_restart,
)
from secure_server.config.holding import Held, Origins
from secure_server.config.reading import ConfigError
from secure_server.config.settings import Config
from secure_server.config.writing import dotted
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
        origins: where values come from.

    Attributes:
        running: what holds.
    """

    def __init__(
        self,
        running: Config,
        read: Callable[[], Config],
        parts: Sequence[Part],
        recording: Recording,
        origins: Origins,
    ) -> None:
        self.running = running
        self._origins = origins
        self._filed = running  # what the file said when it was last taken up
        self._set: dict[str, object] = {}  # what stands over that, by its keys
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
                changes, put_in_place = self._prepared(self._file(), self._set)
            except ReloadRefusedError as refused:
                _log.error("the configuration was not reloaded: %s", refused)
                self._recording.configuration(by, "kept", cause, why=str(refused))
                raise
            reloaded = replace(Reloaded.of(changes), stays=tuple(self._set))
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
            changes, _ = self._prepared(self._file(), self._set)
            return replace(Reloaded.of(changes), stays=tuple(self._set))

    def set(self, key: str, text: str, by: Who) -> Change | None:
        """Have a setting be something else until the restart, whatever the file says; see `config.temporary`.

        Args:
            key: such as `limits.max_clients`.
            text: its value, as people write it.
            by: who asked for it.

        Returns:
            What is other now; None where it was so before.

        Raises:
            ReloadRefusedError: it cannot be set, or not to that; says why.
        """
        with self._lock:
            return self._stand("CONFIG SET", "set", key, lambda: {**self._set, key: temporary.read(key, text)}, by)

    def unset(self, key: str, by: Who) -> Change | None:
        """Take that back: what the file said when it was last taken up holds again; raises likewise."""

        def without() -> dict[str, object]:
            if key not in self._set:
                raise ConfigError(Sentence("{key} is not set; CONFIG SHOW says what is.", key=printable(key, 60)))
            return {name: value for name, value in self._set.items() if name != key}

        with self._lock:
            return self._stand("CONFIG UNSET", "unset", key, without, by)

    def holding(self) -> list[Held]:
        """Return all that holds, key by key, and where it comes from."""
        with self._lock:
            return list(self._origins.of(self.running, self._set))

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

    def _stand(
        self, cause: str, outcome: str, key: str, values: Callable[[], dict[str, object]], by: Who
    ) -> Change | None:
        """Have these stand over the file, and tell log and trail."""
        try:
            changes, put_in_place = self._prepared(self._filed, values)
        except ReloadRefusedError as refused:
            self._recording.configuration(by, "kept", cause, why=str(refused))
            raise
        change = next((change for change in changes if dotted(change.key) == key), None)
        put_in_place()
        _log.warning("configuration: %s by %s: %s", outcome, by.principal, key)
        self._recording.configuration(by, outcome, cause, changed=key)
        return change

    def _prepared(
        self, file: Config, values: dict[str, object] | Callable[[], dict[str, object]]
    ) -> tuple[list[Change], Callable[[], None]]:
        """Return what changes, and what puts it in place."""
        try:
            values = values() if callable(values) else values
            wanted = temporary.with_set(with_what_takes_a_restart(self.running, file), values)
            changes = differences(self.running, temporary.with_set(file, values))
            steps = [part(wanted) for part in self._parts]
        except UNUSABLE as error:
            raise ReloadRefusedError(*error.args) from None

        def put_in_place() -> None:
            self._filed, self._set = file, values
            if any(not change.restart for change in changes):
                for step in steps:
                    step()
                self.running = wanted

        return changes, put_in_place
