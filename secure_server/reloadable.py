"""What of the server takes up another configuration by more than being told: each builds what is new beside what holds.

See `reloading`, whose parts these make.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from secure_protocol.sentence import Sentence
from secure_server.auth.admin_networks import AdminNetworks
from secure_server.auth.certificates import Grant
from secure_server.commands.authorizer import may_run
from secure_server.commands.builtin import BUILT_IN
from secure_server.commands.command import Command
from secure_server.commands.loading import load, load_declared
from secure_server.commands.registry import Registry
from secure_server.config.settings import Config
from secure_server.config.writing import value
from secure_server.limits.descriptors import Fitted, TooFewDescriptorsError
from secure_server.reloading import Part, told
from secure_server.session.population import Sessions

_log = logging.getLogger("secure_server")


class OwnCommands:
    """All commands: those that stay as long as the server runs, and those of the configuration.

    Args:
        config: the configuration.

    Attributes:
        registry: all of them.
        built_in: those that come with the server.

    Raises:
        LoadingError: there is one that cannot be used.
    """

    def __init__(self, config: Config) -> None:
        self._lasting = Registry()
        self._lasting.load(BUILT_IN)
        self.built_in = frozenset(self._lasting)
        load(self._lasting, config.commands.modules)
        self._declared = config.commands.declared
        self.registry = self._with(config)

    def part(self, sessions: Sessions) -> Part:
        """Return what takes up other commands, and tells the sessions that it concerns."""

        def prepare(config: Config) -> Callable[[], None]:
            present = {
                name: command
                for name, table in config.commands.declared.items()
                if name in self._declared
                and value(self._declared[name]) == value(table)
                and (command := self.registry.named(name)) is not None
            }
            return partial(self._take_up, self._with(config, present), config, sessions)

        return prepare

    def _with(self, config: Config, present: dict[str, Command] | None = None) -> Registry:
        registry = self._lasting.copy()
        load_declared(registry, config.commands.declared, present)
        return registry

    def _take_up(self, registry: Registry, config: Config, sessions: Sessions) -> None:
        before, self._declared = self._declared, config.commands.declared
        if value(before) == value(self._declared):
            return  # what sessions remember of them stays good
        changed = set(self.registry.ordered) ^ set(registry.ordered)
        self.registry.take_up(registry)
        if changed:
            sessions.tell_of_commands(lambda principal: any(may_run(principal, command) for command in changed))


def admin_networks(networks: AdminNetworks, sessions: Sessions) -> Part:
    """Return what takes up from where admins are such, and tells those whom it concerns that they may run others."""

    def take_up(config: Config) -> None:
        if networks.take_up(config.admin.networks):
            sessions.tell_of_commands(lambda principal: principal.elsewhere is not None or principal.outside)

    return told(take_up)


class Grants:
    """What client certificates stand for.

    Args:
        config: the configuration.
        clock: monotonic seconds.

    Attributes:
        present: by their names.

    Raises:
        CertificateSettingError: a table cannot be used.
    """

    def __init__(self, config: Config, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rate = _rate(config)
        self.present = self._of(config)

    def part(self, take_up: Callable[[dict[str, Grant]], None]) -> Part:
        """Return what has certificates stand for something else.

        Args:
            take_up: is told, where that is so.
        """

        def prepare(config: Config) -> Callable[[], None]:
            grants = self._of(config)
            if self._rate == _rate(config):  # what names have used of their rate stays used
                grants = {
                    name: before if (before := self.present.get(name)) == grant and before else grant
                    for name, grant in grants.items()
                }
            return partial(self._take_up, grants, config, take_up)

        return prepare

    def _of(self, config: Config) -> dict[str, Grant]:
        now, limits = self._clock(), config.limits
        return {name: Grant.of(name, written, limits, now) for name, written in config.certificates.items()}

    def _take_up(self, grants: dict[str, Grant], config: Config, tell: Callable[[dict[str, Grant]], None]) -> None:
        same = grants.keys() == self.present.keys() and all(grants[name] is self.present[name] for name in grants)
        self.present, self._rate = grants, _rate(config)
        if not same:
            tell(grants)


def _rate(config: Config) -> tuple[int, int]:
    return config.limits.commands_per_second, config.limits.commands_burst


class Room:
    """What there is room for in the descriptors, for as long as the server runs.

    Args:
        started: as it was fitted at the start.
        asked: the configuration of then.
        fit: fits another.
    """

    def __init__(self, started: Fitted, asked: Config, fit: Callable[[Config], Fitted]) -> None:
        self._fitted = started
        self._limits = asked.limits
        self._threads = started.config.threads
        self._fit = fit

    def part(self, take_up: Callable[[Config], None]) -> Part:
        """Return what takes up bounds on connections, as far as there is room for them.

        Args:
            take_up: is told the configuration with what there is room for.
        """

        def prepare(config: Config) -> Callable[[], None]:
            if config.limits == self._limits:
                limits = self._fitted.config.limits
                fitted = self._fitted
            else:
                fitted = self._fit(config)
                limits = fitted.config.limits
                given, have = fitted.config.threads, self._threads
                if given.workers < have.workers or given.spare < have.spare or given.jobs < have.jobs:
                    raise TooFewDescriptorsError(
                        Sentence(
                            "Too few files may be open for limits.max_clients = {clients} and "
                            "limits.max_unauthenticated = {strangers}; raise the limit (`ulimit -n`, or LimitNOFILE= "
                            "in a systemd unit) and start the server anew, or lower them.",
                            clients=config.limits.max_clients,
                            strangers=config.limits.max_unauthenticated,
                        )
                    )

            def put_in_place() -> None:
                if fitted.shortage and fitted is not self._fitted:
                    _log.warning("%s", fitted.shortage)
                self._fitted, self._limits = fitted, config.limits
                take_up(replace(config, limits=limits))

            return put_in_place

        return prepare
