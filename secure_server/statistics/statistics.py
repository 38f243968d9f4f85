"""The statistics: whoever records tells them, too; commands read them. Any thread, unless a method says otherwise.

What I/O threads count of commands that need no judgement, each counts for itself and without a lock (`tally`); the
sums are made when they are read, and once a second, for the last minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from secure_server.audit.record import Withheld, held
from secure_server.audit.who import Who
from secure_server.statistics.figures import OTHERS, Asker, Command
from secure_server.statistics.minute import Minute, Totals
from secure_server.statistics.shown import Counted, OfCommand, OfInfo, OfTransport, OfUser, Shown, Took
from secure_server.statistics.slowest import Slow, Slowest
from secure_server.statistics.spans import Counts, Spans, quantiles, since, together
from secure_server.statistics.tally import Runs, Tally

MOST_COMMANDS = 512
"""Commands told apart, some ten times what comes with the server; each takes 3 KB, and in use 20."""
MOST_ASKERS = 1_024
"""Principals told apart, each by each transport; each takes half a kilobyte."""
MOST_TRANSPORTS = 16
"""Transports told apart; there are fewer."""
SHOWN = 50
"""Commands, and principals, that one look shows: the busiest."""
SHARES = (0.5, 0.99, 1)
"""Which quantiles: p50, p99 and the longest."""
_ALL = ""
"""Stands for all commands, among their names."""

_log = logging.getLogger("secure_server.statistics")


class Statistics:
    """Counts.

    Args:
        traffic: protocol bytes that all sessions received and sent since the start.
        clock: monotonic seconds.
        wall: Unix seconds, to tell people.
    """

    def __init__(
        self,
        traffic: Callable[[], tuple[int, int]],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._traffic = traffic
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._commands: dict[str, Command] = {}
        self._askers: dict[tuple[str, str], Asker] = {}
        self._sessions: Counter[str] = Counter()
        self._spans = Spans()  # of all commands, but for what I/O threads count
        self._failed = self._connections = self._handshakes = self._handshakes_failed = 0
        self._accepted = self._refused = 0
        self._minute = Minute(clock())
        self._slowest = Slowest()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="statistics", daemon=True)

    def start(self) -> None:
        """Have each second closed in time, whether anybody looks or not."""
        self._thread.start()

    def stop(self) -> None:
        """End that."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    # Whoever records

    def command(
        self,
        who: Who,
        name: str,
        failure: str,
        *,
        ran: bool,
        seconds: float | None = None,
        worker_seconds: float = 0.0,
        arguments: Callable[[], Sequence[bytes | Withheld] | None] | None = None,
    ) -> None:
        """A request was answered.

        Args:
            who: asked.
            name: of the command; `?` where there is none such.
            failure: the error's code; empty where it was answered well.
            ran: whether its handler was called.
            seconds: how long that took; None where nobody knows.
            worker_seconds: for how long it kept a worker.
            arguments: tells those of the request that may be shown, should it be among the slowest; None: it never is.
        """
        slow = False
        with self._lock:
            command, asker = self._command(name), self._asker(who)
            command.asked += 1
            command.refused += not ran
            command.worker_seconds += worker_seconds
            asker.asked += 1
            if failure:
                command.fail(failure)
                asker.failed += 1
                self._failed += 1
            if seconds is not None:
                command.spans.take(seconds)
                self._spans.take(seconds)
                slow = seconds >= self._slowest.least
        if slow and seconds is not None and arguments is not None:
            self._note(who, name, seconds, arguments())

    def worked(self, name: str, seconds: float) -> None:
        """A handler kept a worker for so long, whose call was counted already."""
        with self._lock:
            self._command(name).worker_seconds += seconds

    def tally(self, who: Who, name: str) -> Tally:
        """Return what counts further runs of a command that are answered well. For the calling I/O thread alone."""
        thread = threading.get_ident()
        with self._lock:
            spans = self._command(name).by_thread.setdefault(thread, Spans())
            runs = self._asker(who).by_thread.setdefault(thread, Runs())
        return Tally(spans, runs)

    def slow(self, who: Who, name: str, seconds: float, arguments: Sequence[bytes | Withheld] | None) -> None:
        """One of those that a tally counts took so long."""
        if seconds >= self._slowest.least:
            self._note(who, name, seconds, arguments)

    def connected(self, transport: str, *, handshake: bool) -> None:
        """A connection became a session.

        Args:
            transport: what carries it.
            handshake: whether there was one.
        """
        with self._lock:
            self._connections += 1
            self._handshakes += handshake
            self._sessions[self._transport(transport)] += 1

    def disconnected(self, transport: str) -> None:
        """A session ended."""
        with self._lock:
            self._sessions[self._transport(transport)] -= 1

    def handshake_failed(self) -> None:
        """A connection never became a session."""
        with self._lock:
            self._handshakes += 1
            self._handshakes_failed += 1

    def login(self, *, accepted: bool) -> None:
        """Somebody tried to authenticate."""
        with self._lock:
            if accepted:
                self._accepted += 1
            else:
                self._refused += 1

    # Whoever reads

    def shown(self) -> Shown:
        """Return all of it."""
        traffic = self._traffic()
        with self._lock:
            self._close_seconds(traffic)
            commands = {name: command.calls for name, command in self._commands.items()}
            users = self._by_user()
            return Shown(
                self._totals(sum(commands.values()), traffic),
                self._handshakes,
                self._handshakes_failed,
                self._accepted,
                self._refused,
                self._quantiles(_ALL, self._all_counts()),
                list(self._minute.history()),
                self._of_commands(Counter(commands)),
                self._of_users(users),
                self._of_transports(),
            )

    def counted(self) -> Counted:
        """Return what is counted of all together."""
        traffic = self._traffic()
        with self._lock:
            logins = self._accepted, self._refused
            return Counted(self._connections, self._handshakes, self._handshakes_failed, *logins, *traffic)

    def of_info(self) -> dict[str, OfInfo]:
        """Return what Redis' INFO tells, by command."""
        with self._lock:
            return {
                name: OfInfo(
                    command.calls - command.refused,
                    command.seconds,
                    command.refused,
                    command.failures.copy(),
                    command.counts,
                )
                for name, command in self._commands.items()
            }

    def slowest(self) -> list[Slow]:
        """Return the commands that took longest, the slowest first."""
        with self._lock:
            return self._slowest.all()

    def forget_slowest(self) -> int:
        """Begin those anew; how many there were."""
        with self._lock:
            return self._slowest.forget()

    @property
    def commands_apart(self) -> int:
        """How many commands are told apart."""
        return len(self._commands)

    @property
    def askers_apart(self) -> int:
        """How many principals are told apart, each by each transport."""
        return len(self._askers)

    def close_seconds(self) -> None:
        """Have what was counted count as the last second's, where that is over. The thread's step; tests call it."""
        traffic = self._traffic()
        with self._lock:
            self._close_seconds(traffic)

    # Under the lock

    def _command(self, name: str) -> Command:
        found = self._commands.get(name)
        if found is None:
            name = name if len(self._commands) < MOST_COMMANDS else OTHERS
            found = self._commands.setdefault(name, Command())
        return found

    def _asker(self, who: Who) -> Asker:
        found = self._askers.get((who.principal, who.transport))
        if found is None:
            name = who.principal if len(self._askers) < MOST_ASKERS else OTHERS
            found = self._askers.setdefault((name, self._transport(who.transport)), Asker())
        return found

    def _transport(self, name: str) -> str:
        return name if name in self._sessions or len(self._sessions) < MOST_TRANSPORTS else OTHERS

    def _totals(self, commands: int, traffic: tuple[int, int]) -> Totals:
        refused = self._handshakes_failed + self._refused
        return Totals(commands, self._failed, self._connections, refused, *traffic)

    def _all_counts(self) -> Counts:
        by_thread = [spans.counts for command in self._commands.values() for spans in command.by_thread.values()]
        return together([self._spans.counts, *by_thread])

    def _close_seconds(self, traffic: tuple[int, int]) -> None:
        now = self._clock()
        if not self._minute.is_over(now):
            return
        commands = Counter({name: command.calls for name, command in self._commands.items()})
        self._minute.close(
            now, self._totals(commands.total(), traffic), commands, self._by_user()[0], self._by_transport()[0]
        )
        if self._minute.look_is_due(now):
            times = {name: command.counts for name, command in self._commands.items()}
            self._minute.look(now, {_ALL: self._all_counts(), **times})

    def _by_user(self) -> tuple[Counter[str], Counter[str]]:
        """Return the calls of each principal, and those that failed."""
        return self._summed(lambda user, _transport: user)

    def _by_transport(self) -> tuple[Counter[str], Counter[str]]:
        """Return those by each transport, likewise."""
        return self._summed(lambda _user, transport: transport)

    def _summed(self, by: Callable[[str, str], str]) -> tuple[Counter[str], Counter[str]]:
        calls, failed = Counter[str](), Counter[str]()
        for who, asker in self._askers.items():
            name = by(*who)
            calls[name] += asker.calls
            failed[name] += asker.failed
        return calls, failed

    def _of_transports(self) -> list[OfTransport]:
        calls, failed = self._by_transport()
        minute = self._minute.transports.all(calls)
        names = sorted({*calls, *self._sessions} - {""})  # what has no session has no transport, either
        return [OfTransport(name, self._sessions[name], calls[name], failed[name], minute[name]) for name in names]

    def _of_commands(self, calls: Counter[str]) -> list[OfCommand]:
        minute = self._minute.commands.all(calls)
        return [
            self._of_command(name, calls[name], minute[name])
            for name in sorted(calls, key=lambda name: (-minute[name], -calls[name], name))[:SHOWN]
        ]

    def _of_command(self, name: str, calls: int, minute: int) -> OfCommand:
        command = self._commands[name]
        counts, longest = command.counts, command.longest
        p50, p99, _ = quantiles(counts, SHARES)
        lately = self._quantiles(name, counts) if minute else Took(None, None, None)
        if lately.max is not None and longest is not None:  # which is known exactly
            lately = lately._replace(max=min(lately.max, longest))
        failures = dict(command.failures.most_common())
        return OfCommand(
            name, calls, command.failed, minute, p50, p99, longest, command.worker_seconds, *lately, failures
        )

    def _of_users(self, users: tuple[Counter[str], Counter[str]]) -> list[OfUser]:
        calls, failed = users
        minute = self._minute.users.all(calls)
        busiest = sorted(calls, key=lambda name: (-minute[name], -calls[name], name))[:SHOWN]
        return [OfUser(name, calls[name], failed[name], minute[name]) for name in busiest]

    def _quantiles(self, name: str, counts: Counts) -> Took:
        """Return those of the last minute."""
        return Took(*quantiles(since(counts, self._minute.times_before(name)), SHARES))

    def _note(self, who: Who, name: str, seconds: float, arguments: Sequence[bytes | Withheld] | None) -> None:
        """Take one in among the slowest. Not under the lock yet."""
        kept = (None, 0) if arguments is None else held(arguments)
        with self._lock:
            self._slowest.note(self._wall(), seconds, who, name, kept)

    # The thread

    def _run(self) -> None:
        while not self._stopping.wait(1.0):
            try:
                self.close_seconds()
            except BaseException:  # noqa: BLE001 - whatever it is, the next second may go well
                _log.exception("unexpected error in the statistics; going on")
