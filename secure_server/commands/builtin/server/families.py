"""What Prometheus is told, as the families of its own library. docs/metrics.md has their names.

Nothing is counted here: it is what `SERVER STATS` and other commands tell, in other words. No label has more values
than the server has commands, error codes, transports or roles; users and addresses are none.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TypeVar

from prometheus_client import exposition as plain
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as strict
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from secure_server.commands.builtin.pieces import Pieces
from secure_server.commands.builtin.server.readiness import hindrances
from secure_server.commands.builtin.services import BuiltInServices
from secure_server.jobs.job import JobState
from secure_server.recording.recorded import OK
from secure_server.statistics import process
from secure_server.statistics.shown import OfInfo
from secure_server.statistics.spans import BOUNDS, PER_OCTAVE
from secure_server.version import VERSION

OURS = "secure_server_"
BUCKETS = tuple(octave * PER_OCTAVE for octave in (*range(6, 21), *range(22, 34, 2)))
"""Steps of the histograms that are told: from 64 µs to a second each double, from there to 72 minutes each four times
the one before. All steps would be 321 series of each command."""
POOLS = ("users", "administrators")
"""Whose workers they are, in the order of `BuiltInServices.workers`."""
NAMES_AS_THEY_ARE = "allow-utf-8"
"""Ours are such as any Prometheus takes; the library would look at each of their characters for each line."""

M = TypeVar("M", bound=Metric)


def exposition(services: BuiltInServices, pieces: Pieces, *, openmetrics: bool) -> str:
    """Return all of it, as Prometheus reads it. On a worker.

    Args:
        services: of which it is told.
        pieces: lets others have their turn.
        openmetrics: in that format (1.0.0), and not in the text format (0.0.4).
    """
    collector = _Collected(_families(services, pieces))
    if openmetrics:
        told: bytes = strict.generate_latest(collector, NAMES_AS_THEY_ARE)  # type: ignore[no-untyped-call] # so it is
        return told.decode()
    return plain.generate_latest(collector, NAMES_AS_THEY_ARE).decode()


class _Collected(Collector):
    """What the library writes.

    Args:
        families: in their order.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """See `Collector`."""
        return self._families


class _Paused(list[Sample]):
    """Samples that the library writes in pieces; it would write all of them at a stretch."""

    def __init__(self, samples: Iterable[Sample], pieces: Pieces) -> None:
        super().__init__(samples)
        self._pieces = pieces

    def __iter__(self) -> Iterator[Sample]:
        return self._pieces.of(super().__iter__())


def _families(services: BuiltInServices, pieces: Pieces) -> Iterator[Metric]:
    """Tell all of it, one family after the other."""
    parts: Sequence[Callable[[BuiltInServices], Iterable[Metric]]] = (
        _server,
        partial(_sessions, pieces=pieces),
        _entrance,
        partial(_commands, pieces=pieces),
        _workers,
        _jobs,
        _certificate,
        _records,
        _process,
    )
    for part in parts:
        for family in part(services):
            family.samples = _Paused(family.samples, pieces)
            yield family


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(OURS + name, told, value)


def _counter(name: str, told: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(OURS + name, told, value)


def _labelled(kind: type[M], name: str, told: str, label: str, values: Mapping[str, float]) -> M:
    """Return a family of one label."""
    family = kind(OURS + name, told, labels=(label,))  # type: ignore[call-arg] # each of our kinds takes them
    for value, count in values.items():
        family.add_metric((value,), count)  # type: ignore[attr-defined] # likewise
    return family


def _server(services: BuiltInServices) -> Iterator[Metric]:
    yield InfoMetricFamily(OURS + "build", "The version of the server.", {"version": VERSION})
    yield _gauge("ready", "Whether /readyz would say that it is.", not hindrances(services))
    yield _gauge("draining", "Whether nobody but administrators is taken in.", services.draining.on)


def _sessions(services: BuiltInServices, pieces: Pieces) -> Iterator[Metric]:
    sessions = services.sessions
    found = Counter((session.peer.transport, session.role.label) for session in pieces.of(sessions))
    family = GaugeMetricFamily(
        OURS + "sessions",
        "Sessions that there are; those of the role nobody have not authenticated.",
        labels=("transport", "role"),
    )
    for (transport, role), count in sorted(found.items()):
        family.add_metric((transport, role), count)
    yield family
    yield _gauge("clients", "Authenticated sessions, without those of the admin socket.", sessions.clients)
    yield _gauge("clients_max", "Of those there may be so many.", sessions.most)
    yield _gauge("strangers", "Connections in handshake, or not authenticated yet.", sessions.strangers)
    yield _gauge("strangers_max", "Of those there may be so many.", sessions.most_strangers)
    yield _labelled(
        CounterMetricFamily,
        "strangers_given_way",
        "Strangers whose place became another's, by which places were short.",
        "reason",
        {str(shortage): count for shortage, count in sorted(sessions.given_way.items())},
    )


def _entrance(services: BuiltInServices) -> Iterator[Metric]:
    found = services.statistics.counted()
    yield _counter("connections", "Connections that became sessions.", found.connections)
    yield _labelled(
        CounterMetricFamily,
        "handshakes",
        "Connections that came, by whether they became sessions.",
        "outcome",
        {"succeeded": found.handshakes - found.handshakes_failed, "failed": found.handshakes_failed},
    )
    yield _labelled(
        CounterMetricFamily,
        "authentications",
        "Tries to log in, by token or certificate.",
        "outcome",
        {"accepted": found.accepted, "refused": found.refused},
    )
    yield _counter("received_bytes", "Bytes of the protocol that came, without TLS.", found.received)
    yield _counter("sent_bytes", "Bytes of the protocol that were sent, without TLS.", found.sent)
    yield _gauge("penalties", "Netblocks that failed to authenticate and are remembered.", services.penalties.count)
    yield _gauge("bans", "Bans that hold.", len(services.banning.bans.entries()))


def _commands(services: BuiltInServices, pieces: Pieces) -> Iterator[Metric]:
    found = sorted(services.statistics.of_info().items())
    family = CounterMetricFamily(
        OURS + "commands",
        "Requests answered, by command (? for none that there is) and by outcome: ok, or the error's code.",
        labels=("command", "outcome"),
    )
    times = HistogramMetricFamily(
        OURS + "command_duration_seconds",
        "Time that a command's handler took, without the wait for a worker.",
        labels=("command",),
    )
    for name, item in pieces.of(found):
        well = item.calls + item.refused - item.failures.total()
        for outcome, count in ((OK, well), *sorted(item.failures.items())):
            family.add_metric((name, outcome), count)
        if any(item.counts):
            times.add_metric((name,), _buckets(item), sum_value=item.seconds)
    yield family
    yield times


def _buckets(item: OfInfo) -> list[tuple[str, float]]:
    """Return how many took at most so long, as Prometheus has histograms."""
    so_far = list(accumulate(item.counts))
    return [*((f"{BOUNDS[step]:.10g}", so_far[step]) for step in BUCKETS), ("+Inf", so_far[-1])]


def _workers(services: BuiltInServices) -> Iterator[Metric]:
    pools = dict(zip(POOLS, services.workers, strict=False))

    def of_each(name: str, told: str, figure: str) -> GaugeMetricFamily:
        values = {pool: float(getattr(workers, figure)) for pool, workers in pools.items()}
        return _labelled(GaugeMetricFamily, name, told, "pool", values)

    yield of_each("workers", "Places for commands that may block.", "places")
    yield of_each("workers_running", "Of those, places that are taken.", "running")
    yield of_each("workers_beside", "Commands that took long, and gave their place up.", "beside")
    yield of_each("workers_stuck", "Commands that were told to stop and answered, and still run.", "stuck")
    yield of_each("queue_waiting", "Commands that wait for a worker.", "waiting")
    yield of_each("queue_waiting_max", "Of those there may be so many.", "most_waiting")


def _jobs(services: BuiltInServices) -> Iterator[Metric]:
    jobs = services.jobs
    if jobs is None:
        return
    values = {str(JobState.RUNNING): float(jobs.running), "waiting": float(jobs.waiting)}
    yield _labelled(GaugeMetricFamily, "jobs", "Jobs that have not ended, by how they stand.", "state", values)
    yield _gauge("jobs_running_max", "Jobs that may run at once.", services.running().threads.jobs)


def _certificate(services: BuiltInServices) -> Iterator[Metric]:
    served = services.certificates
    begin, end = served.certificate.not_before.timestamp(), served.certificate.not_after.timestamp()
    yield _gauge("certificate_not_before_timestamp_seconds", "When the certificate that is served begins.", begin)
    yield _gauge("certificate_not_after_timestamp_seconds", "When the certificate that is served ends.", end)
    failed = served.failure is not None or served.renewal_failure is not None
    yield _gauge("certificate_update_failed", "Whether the last try to reload or renew it failed.", failed)


def _records(services: BuiltInServices) -> Iterator[Metric]:
    yield _gauge("log_lines_waiting", "Lines of the activity log that wait to be written.", services.log.waiting)
    yield _gauge("log_lines_lost", "Lines that could not be written, since it fails.", services.lost_lines())
    trail = services.audit
    if trail is None:
        return
    status = trail.status()
    yield _gauge("audit_failing", "Whether the audit trail cannot be written.", status.failing_since is not None)
    yield _gauge("audit_records_waiting", "Records of the trail that wait to be written.", status.waiting)
    yield _gauge("audit_records_lost", "Records that found no place, since it fails.", status.lost)


def _process(services: BuiltInServices) -> Iterator[Metric]:
    """Under the names that Prometheus' own libraries have for a process, which its dashboards know."""
    yield GaugeMetricFamily("process_start_time_seconds", "When the server began.", services.since)
    yield CounterMetricFamily("process_cpu_seconds", "CPU time of all its threads.", time.process_time())
    known = {
        "process_resident_memory_bytes": ("Memory that it holds.", process.resident()),
        "process_open_fds": ("File descriptors that are open.", process.descriptors()),
        "process_max_fds": ("File descriptors that may be open.", process.most_descriptors()),
    }
    for name, (told, value) in known.items():
        if value is not None:
            yield GaugeMetricFamily(name, told, value)
    yield _gauge("threads", "Threads of the server.", threading.active_count())
